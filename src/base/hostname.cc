#include "base/hostname.h"

#include <algorithm>
#include <array>
#include <cstdint>

namespace ebbgate {
namespace {

constexpr std::size_t kMaxName = 253;  // octets, RFC 1035 2.3.4 without the root's
constexpr std::size_t kMaxLabel = 63;

// The folded form of each byte that a name may hold, 0 for all others.
constexpr std::array<char, 256> kFold = [] {
  std::array<char, 256> fold{};
  for (unsigned c = 'a'; c <= 'z'; ++c) fold[c] = static_cast<char>(c);
  for (unsigned c = 'A'; c <= 'Z'; ++c) fold[c] = static_cast<char>(c - 'A' + 'a');
  for (unsigned c = '0'; c <= '9'; ++c) fold[c] = static_cast<char>(c);
  fold['-'] = '-';
  fold['_'] = '_';
  fold['.'] = '.';
  return fold;
}();

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}
bool is_hex(char c) {
  return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

std::unexpected<Error> malformed(std::string detail) {
  return fail(Reason::kMalformedRequest, Side::kClient, std::move(detail));
}

}  // namespace

bool ends_in_number(std::string_view text) {
  if (text.ends_with('.')) text.remove_suffix(1);
  const std::string_view last = text.substr(text.rfind('.') + 1);  // npos + 1 is 0
  if (last.empty()) return false;
  if (std::ranges::all_of(last, is_digit)) return true;
  return last.size() >= 2 && last[0] == '0' && (last[1] == 'x' || last[1] == 'X') &&
         std::ranges::all_of(last.substr(2), is_hex);
}

Result<Hostname> Hostname::parse(std::string_view text) {
  if (text.ends_with('.')) text.remove_suffix(1);
  if (text.empty()) return malformed("the host name is empty");
  if (text.size() > kMaxName) return malformed("the host name is longer than 253 octets");
  std::string folded(text.size(), '\0');
  std::size_t label = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = kFold[static_cast<std::uint8_t>(text[i])];
    if (c == '\0') return malformed("the host name has a character that no host name has");
    if (c == '.') {
      if (label == 0) return malformed("the host name has an empty label");
      label = 0;
    } else if (++label > kMaxLabel) {
      return malformed("the host name has a label longer than 63 octets");
    }
    folded[i] = c;
  }
  if (label == 0) return malformed("the host name has an empty label");
  if (ends_in_number(folded)) {
    return malformed("the host looks like an IPv4 address but is no dotted quad");
  }
  return Hostname(std::move(folded));
}

}  // namespace ebbgate
