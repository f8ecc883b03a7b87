#include "http/detail/text.h"

#include <cstring>

namespace ebbgate::http::detail {
namespace {

// Whether one of the eight octets is below 0x20 or is 0x7f. Subtracting sets the top bit of each
// octet that is too small; a borrow can only come from an octet that is found already.
bool may_have_control(std::uint64_t octets) {
  constexpr std::uint64_t kEach = 0x0101010101010101;
  constexpr std::uint64_t kTop = kEach * 0x80;
  const std::uint64_t del = octets ^ (kEach * 0x7f);
  return (((octets - kEach * 0x20) & ~octets) | ((del - kEach) & ~del)) & kTop;
}

bool is_control(char c) {
  const auto octet = static_cast<std::uint8_t>(c);
  return (octet < 0x20 && c != '\t') || octet == 0x7f;
}

}  // namespace

bool has_control(std::string_view text) {
  // Eight at a time while nothing is suspicious; HTAB is, and is then looked at by itself.
  while (text.size() >= 8) {
    std::uint64_t octets;
    std::memcpy(&octets, text.data(), sizeof octets);
    if (may_have_control(octets) && std::ranges::any_of(text.substr(0, 8), is_control)) {
      return true;
    }
    text.remove_prefix(8);
  }
  return std::ranges::any_of(text, is_control);
}

}  // namespace ebbgate::http::detail
