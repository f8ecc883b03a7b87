// Texts as parts of a URL's path or query (RFC 3986 2.1).
#pragma once

#include <string>
#include <string_view>

namespace ebbgate::kube::detail {

// Every octet that is no unreserved character as %XX.
[[nodiscard]] inline std::string percent_encoded(std::string_view text) {
  constexpr std::string_view kHex = "0123456789ABCDEF";
  std::string out;
  for (const char c : text) {
    const auto octet = static_cast<unsigned char>(c);
    const bool is_plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                          (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_' || c == '~';
    if (is_plain) {
      out += c;
    } else {
      out += {'%', kHex[octet >> 4U], kHex[octet & 15U]};
    }
  }
  return out;
}

}  // namespace ebbgate::kube::detail
