// UTF-8 (RFC 3629), as everything that people write for the gateway has to be.
#pragma once

#include <cstddef>
#include <string_view>

namespace ebbgate {

// Octets of the sequence that `text` begins with; 0 where it is none: cut, over-long, a surrogate,
// past U+10FFFF, or no text at all.
[[nodiscard]] constexpr std::size_t utf8_length(std::string_view text) {
  if (text.empty()) return 0;
  const auto octet = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned first = octet(0);
  if (first < 0x80) return 1;
  const std::size_t length = first < 0xc2 ? 0 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
  if (length == 0 || first > 0xf4 || text.size() < length) return 0;
  for (std::size_t i = 1; i < length; ++i) {
    if ((octet(i) & 0xc0U) != 0x80) return 0;
  }
  if (first == 0xe0 && octet(1) < 0xa0) return 0;  // over-long
  if (first == 0xed && octet(1) > 0x9f) return 0;  // surrogates
  if (first == 0xf0 && octet(1) < 0x90) return 0;  // over-long
  if (first == 0xf4 && octet(1) > 0x8f) return 0;  // past U+10FFFF
  return length;
}

}  // namespace ebbgate
