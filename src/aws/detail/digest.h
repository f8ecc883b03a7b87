// SHA-256 and its HMAC, by libcrypto, and the two ways in which AWS writes octets as text.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace ebbgate::aws::detail {

using Digest = std::array<std::uint8_t, 32>;

[[nodiscard]] Digest sha256(std::string_view text);
[[nodiscard]] Digest hmac_sha256(std::string_view key, std::string_view text);
[[nodiscard]] std::string hex(std::span<const std::uint8_t> octets);  // in lower case
// RFC 4648 5, without padding.
[[nodiscard]] std::string base64url(std::string_view octets);

// RFC 4648 4, with padding and no white space; nothing where it is none.
[[nodiscard]] std::optional<std::string> base64_decoded(std::string_view text);

[[nodiscard]] inline std::string_view as_text(const Digest& digest) {
  return {reinterpret_cast<const char*>(digest.data()), digest.size()};
}

}  // namespace ebbgate::aws::detail
