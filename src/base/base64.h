// Base64 as RFC 4648 section 4 has it, for certificates and keys in configuration.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace ebbgate {

// The octets; nothing where the text is not strictly base64 with its padding. Line breaks at its
// end are passed over, others are not.
[[nodiscard]] std::optional<std::string> base64_decoded(std::string_view text);

// One line, with its padding.
[[nodiscard]] std::string base64_encoded(std::string_view octets);

}  // namespace ebbgate
