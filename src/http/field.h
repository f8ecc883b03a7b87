// The field lines of a head, and of a trailer section (RFC 9110 5, RFC 9112 5): octets in, names
// and values out. A field that this gateway acts on is recognised once, here, and has a number.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <ranges>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace ebbgate::http {

// The fields that the gateway itself acts on; kOther is everything else.
enum class FieldId : std::uint8_t {
  kOther,
  kAccept,
  kAuthorization,
  kConnection,
  kContentLength,
  kCookie,
  kExpect,
  kHost,
  kKeepAlive,
  kMaxForwards,
  kProxyAuthenticate,
  kProxyAuthenticationInfo,
  kProxyAuthorization,
  kProxyConnection,
  kTe,
  kTrailer,
  kTransferEncoding,
  kUpgrade,
  kVia,
  kWwwAuthenticate,
};

// Which of them `name` is, whatever its case.
[[nodiscard]] FieldId field_id(std::string_view name);

// One field, as a glance at octets that somebody else owns: to be used at once, not to be kept.
struct Field {
  FieldId id = FieldId::kOther;
  bool hop_by_hop =
      false;  // ends here, by its name or because Connection names it (RFC 9110 7.6.1)
  std::string_view name;
  std::string_view value;  // without the white space around it
};

// Whom the messages of a broken head blame: the client for a request, the origin for a response.
struct Blame {
  Reason reason;
  Side side;
  [[nodiscard]] std::unexpected<Error> operator()(std::string detail) const {
    return fail(reason, side, std::move(detail));
  }
};
inline constexpr Blame kClientsFault{Reason::kMalformedRequest, Side::kClient};
inline constexpr Blame kOriginsFault{Reason::kOriginInvalid, Side::kOrigin};

// One field line, without its CRLF. Refused, with a sentence that names the field: obs-fold, a name
// that is empty or no token, white space before the colon, a control character (a bare CR and NUL
// among them) in the value.
[[nodiscard]] Result<Field> parse_field_line(std::string_view line, const Blame& blame);

// A head as it came, and where its fields stand in it. Owns the octets, so it outlives the buffer
// that they were read into.
class Fields {
 public:
  [[nodiscard]] std::size_t size() const { return places_.size(); }
  [[nodiscard]] bool has(FieldId id) const {
    return (known_ >> static_cast<unsigned>(id) & 1) != 0;
  }
  [[nodiscard]] Field operator[](std::size_t index) const { return at(places_[index]); }

  // All fields in the order they came.
  [[nodiscard]] auto all() const {
    return std::views::transform(places_, [this](const Place& place) { return at(place); });
  }
  // The value of the first field of that name.
  [[nodiscard]] std::optional<std::string_view> first(FieldId id) const;
  [[nodiscard]] std::optional<std::string_view> first(std::string_view name) const;

  // The octets of the whole head, start line and last empty line included.
  [[nodiscard]] std::string_view octets() const { return octets_; }

  // For the readers: forget all but keep the memory; add a field whose name and value lie within
  // `head`; take a copy of the octets that the fields lie in.
  void clear();
  void add(const Field& field, std::string_view head);
  void own(std::string_view head) { octets_.assign(head); }
  // Marks every field of that name as one that ends here.
  void end_here(std::string_view name);

 private:
  struct Place {
    std::uint32_t name, value;  // offsets into the head
    std::uint32_t value_size;
    std::uint16_t name_size;
    FieldId id;
    bool hop_by_hop;
  };
  [[nodiscard]] Field at(const Place& place) const {
    return {place.id, place.hop_by_hop,
            std::string_view(octets_).substr(place.name, place.name_size),
            std::string_view(octets_).substr(place.value, place.value_size)};
  }

  std::string octets_;
  std::vector<Place> places_;
  std::uint32_t known_ = 0;  // a bit for each FieldId that occurs
  static_assert(static_cast<unsigned>(FieldId::kWwwAuthenticate) < 32);
};

}  // namespace ebbgate::http
