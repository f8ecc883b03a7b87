// Internationalised names (UTS46 processing, IDNA2008, RFC 5891) as a pure function over libidn2.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace ebbgate::policy::detail {

// Whether the name needs to_ascii(): it has bytes beyond ASCII, or a label that begins with xn--.
[[nodiscard]] bool is_internationalised(std::string_view name);

// In: a name in UTF-8. Out: its A-label form, lower case; nothing where IDNA2008 forbids it or
// where it does not come out the same after decoding and encoding once more. The result is *not*
// checked to be a host name: mapping can create '.', '/' and digits.
[[nodiscard]] std::optional<std::string> to_ascii(std::string_view name);

}  // namespace ebbgate::policy::detail
