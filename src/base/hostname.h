// A host name that is already checked and folded (semantics 1): the one form in which any later
// layer sees a name.
#pragma once

#include <compare>
#include <functional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace ebbgate {

class Hostname {
 public:
  // In: the ASCII host of a request or of a policy entry, without brackets, port or userinfo.
  // Out: lower-cased, without the one trailing dot it may have had.
  // Refused as kMalformedRequest: an empty name, a leading dot, an empty label, a label over 63 or
  // a name over 253 octets, any byte but letters, digits, '-', '_' and '.', and a name whose last
  // label is all digits or 0x-hex (WHATWG URL, "ends in a number": it would be read as an IPv4
  // address elsewhere; Host::parse reads strict dotted quads before asking here).
  [[nodiscard]] static Result<Hostname> parse(std::string_view text);

  [[nodiscard]] const std::string& str() const { return text_; }
  [[nodiscard]] std::string_view view() const { return text_; }

  // Whether the name is one label, such as `localhost`.
  [[nodiscard]] bool is_single_label() const { return text_.find('.') == std::string::npos; }

  auto operator<=>(const Hostname&) const = default;

 private:
  explicit Hostname(std::string text) : text_(std::move(text)) {}
  std::string text_;
};

// Whether the last label of `text` is all digits or 0x-hex, so that some readers take the whole
// for an IPv4 address (WHATWG URL, "ends in a number checker").
[[nodiscard]] bool ends_in_number(std::string_view text);

}  // namespace ebbgate

template <>
struct std::hash<ebbgate::Hostname> {
  std::size_t operator()(const ebbgate::Hostname& name) const noexcept {
    return std::hash<std::string_view>{}(name.view());
  }
};
