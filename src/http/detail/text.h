// The character classes of RFC 9110 5.5 and 5.6, comparison without case, numbers and lists: the
// few things that every reader of this folder does with octets.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace ebbgate::http::detail {

// Letters folded to lower case, other token characters as they are, 0 for all else (RFC
// 9110 5.6.2).
inline constexpr std::array<char, 256> kTokenFold = [] {
  std::array<char, 256> fold{};
  for (unsigned c = '0'; c <= '9'; ++c) fold[c] = static_cast<char>(c);
  for (unsigned c = 'a'; c <= 'z'; ++c) fold[c] = static_cast<char>(c);
  for (unsigned c = 'A'; c <= 'Z'; ++c) fold[c] = static_cast<char>(c - 'A' + 'a');
  for (const char c : std::string_view("!#$%&'*+-.^_`|~")) fold[static_cast<std::uint8_t>(c)] = c;
  return fold;
}();

[[nodiscard]] constexpr char token_fold(char c) {
  return kTokenFold[static_cast<std::uint8_t>(c)];
}
[[nodiscard]] constexpr bool is_token(std::string_view text) {
  return !text.empty() && std::ranges::all_of(text, [](char c) { return token_fold(c) != 0; });
}
[[nodiscard]] constexpr bool is_digit(char c) {
  return c >= '0' && c <= '9';
}
[[nodiscard]] constexpr bool is_blank(char c) {
  return c == ' ' || c == '\t';
}

// Whether two texts are the same but for case; at least one of them is a token.
[[nodiscard]] constexpr bool same_token(std::string_view a, std::string_view b) {
  return a.size() == b.size() && std::ranges::equal(a, b, {}, token_fold, token_fold);
}

[[nodiscard]] constexpr std::string_view trim(std::string_view text) {
  while (!text.empty() && is_blank(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_blank(text.back())) text.remove_suffix(1);
  return text;
}

// Takes the next element off a comma-separated list; empty ones are passed over (RFC 9110 5.6.1.2).
[[nodiscard]] constexpr std::optional<std::string_view> next_element(std::string_view& list) {
  while (!list.empty()) {
    const std::size_t comma = std::min(list.find(','), list.size());
    const std::string_view element = trim(list.substr(0, comma));
    list.remove_prefix(std::min(comma + 1, list.size()));
    if (!element.empty()) return element;
  }
  return std::nullopt;
}

// A number of decimal digits and nothing else, up to 2^63-1.
[[nodiscard]] constexpr std::optional<std::uint64_t> parse_decimal(std::string_view text) {
  constexpr std::uint64_t kLargest = INT64_MAX;
  if (text.empty()) return std::nullopt;
  std::uint64_t number = 0;
  for (const char c : text) {
    if (!is_digit(c)) return std::nullopt;
    const auto digit = static_cast<std::uint64_t>(c - '0');
    if (number > (kLargest - digit) / 10) return std::nullopt;
    number = number * 10 + digit;
  }
  return number;
}

// Whether a field value or a reason phrase has an octet that none may have: a control character
// other than HTAB, so NUL and a bare CR too (RFC 9110 5.5).
[[nodiscard]] bool has_control(std::string_view text);

}  // namespace ebbgate::http::detail
