// Cutting NO_PROXY values into entries. What is cut off and what is trimmed differs by client, so
// both are parameters.
#pragma once

#include <algorithm>
#include <ranges>
#include <string>
#include <string_view>
#include <vector>

namespace ebbgate::noproxy::detail {

inline constexpr std::string_view kBlanks = " \t";

// The parts of `value` between any of `separators`, the empty ones too.
[[nodiscard]] std::vector<std::string_view> split(std::string_view value,
                                                  std::string_view separators);
[[nodiscard]] std::string_view trimmed(std::string_view text);
[[nodiscard]] std::string lower(std::string_view text);

// `text` without `prefix`, where it begins so.
[[nodiscard]] std::string_view without_prefix(std::string_view text, std::string_view prefix);

// Whether `name` stands below `domain` (which has no dot in front): at a label's boundary.
[[nodiscard]] bool is_below(std::string_view name, std::string_view domain);

// Whether `entry` has the form of an address block, whatever it is worth.
[[nodiscard]] bool looks_like_block(std::string_view entry);

template <std::ranges::input_range Range, typename Value>
[[nodiscard]] bool contains(const Range& range, const Value& value) {
  return std::ranges::find(range, value) != std::ranges::end(range);
}

}  // namespace ebbgate::noproxy::detail
