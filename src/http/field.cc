#include "http/field.h"

#include "base/escape.h"
#include "http/detail/text.h"

namespace ebbgate::http {
namespace {

using detail::same_token;
using detail::token_fold;

constexpr std::size_t kMaxName = UINT16_MAX;  // octets; Fields keeps 16 bits for it
constexpr std::size_t kNameShown = 64;        // octets of a name that a message repeats
constexpr std::size_t kUsualFields = 16;      // room made at once; browsers send 10 to 15

// Why the octet at `end` does not end a field name as a colon would.
std::string name_trouble(std::string_view line, std::size_t end) {
  if (detail::is_blank(line.front())) {
    return "a field line begins with white space (line folding is obsolete)";
  }
  if (line.front() == ':') return "a field has no name";
  if (end == line.size()) return "a field line has no colon";
  const std::string shown = escaped(line.substr(0, end), kNameShown);
  if (detail::is_blank(line[end])) {
    const std::size_t next = line.find_first_not_of(" \t", end);
    if (next != std::string_view::npos && line[next] == ':') {
      return "white space stands between the field name " + shown + " and its colon";
    }
  }
  return "a field name has a character that no token has, after \"" + shown + "\"";
}

bool always_ends_here(FieldId id) {
  switch (id) {
    case FieldId::kConnection:
    case FieldId::kKeepAlive:
    case FieldId::kProxyAuthenticate:
    case FieldId::kProxyAuthenticationInfo:
    case FieldId::kProxyAuthorization:
    case FieldId::kProxyConnection:
    case FieldId::kTe:
    case FieldId::kTransferEncoding:
    case FieldId::kUpgrade:
      return true;
    default:
      return false;
  }
}

}  // namespace

FieldId field_id(std::string_view name) {
  const auto is = [name](std::string_view known) { return same_token(name, known); };
  switch (name.size()) {
    case 2:
      return is("te") ? FieldId::kTe : FieldId::kOther;
    case 3:
      return is("via") ? FieldId::kVia : FieldId::kOther;
    case 4:
      return is("host") ? FieldId::kHost : FieldId::kOther;
    case 6:
      return is("accept")   ? FieldId::kAccept
             : is("cookie") ? FieldId::kCookie
             : is("expect") ? FieldId::kExpect
                            : FieldId::kOther;
    case 7:
      return is("upgrade")   ? FieldId::kUpgrade
             : is("trailer") ? FieldId::kTrailer
                             : FieldId::kOther;
    case 10:
      return is("connection")   ? FieldId::kConnection
             : is("keep-alive") ? FieldId::kKeepAlive
                                : FieldId::kOther;
    case 12:
      return is("max-forwards") ? FieldId::kMaxForwards : FieldId::kOther;
    case 13:
      return is("authorization") ? FieldId::kAuthorization : FieldId::kOther;
    case 14:
      return is("content-length") ? FieldId::kContentLength : FieldId::kOther;
    case 16:
      return is("proxy-connection")   ? FieldId::kProxyConnection
             : is("www-authenticate") ? FieldId::kWwwAuthenticate
                                      : FieldId::kOther;
    case 17:
      return is("transfer-encoding") ? FieldId::kTransferEncoding : FieldId::kOther;
    case 18:
      return is("proxy-authenticate") ? FieldId::kProxyAuthenticate : FieldId::kOther;
    case 19:
      return is("proxy-authorization") ? FieldId::kProxyAuthorization : FieldId::kOther;
    case 25:
      return is("proxy-authentication-info") ? FieldId::kProxyAuthenticationInfo : FieldId::kOther;
    default:
      return FieldId::kOther;
  }
}

Result<Field> parse_field_line(std::string_view line, const Blame& blame) {
  std::size_t end = 0;
  while (end < line.size() && token_fold(line[end]) != 0) ++end;
  if (end == 0 || end == line.size() || line[end] != ':') return blame(name_trouble(line, end));
  if (end > kMaxName) return blame("a field name is longer than 65535 octets");
  const std::string_view name = line.substr(0, end);
  const std::string_view value = detail::trim(line.substr(end + 1));
  if (detail::has_control(value)) {
    return blame("the value of the field " + escaped(name, kNameShown) +
                 " has a control character");
  }
  const FieldId id = field_id(name);
  return Field{id, always_ends_here(id), name, value};
}

std::optional<std::string_view> Fields::first(FieldId id) const {
  if (!has(id)) return std::nullopt;
  for (const Place& place : places_) {
    if (place.id == id) return at(place).value;
  }
  return std::nullopt;
}

std::optional<std::string_view> Fields::first(std::string_view name) const {
  for (const Field field : all()) {
    if (same_token(field.name, name)) return field.value;
  }
  return std::nullopt;
}

void Fields::clear() {
  octets_.clear();
  places_.clear();
  known_ = 0;
}

void Fields::add(const Field& field, std::string_view head) {
  if (places_.capacity() == 0) places_.reserve(kUsualFields);
  const auto offset = [head](std::string_view part) {
    return static_cast<std::uint32_t>(part.data() - head.data());
  };
  places_.push_back({offset(field.name), offset(field.value),
                     static_cast<std::uint32_t>(field.value.size()),
                     static_cast<std::uint16_t>(field.name.size()), field.id, field.hop_by_hop});
  known_ |= 1U << static_cast<unsigned>(field.id);
}

void Fields::end_here(std::string_view name) {
  for (Place& place : places_) {
    if (same_token(at(place).name, name)) place.hop_by_hop = true;
  }
}

}  // namespace ebbgate::http
