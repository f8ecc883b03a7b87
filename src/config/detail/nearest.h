// Which known word somebody meant who wrote another one.
#pragma once

#include <span>
#include <string_view>

namespace ebbgate::config::detail {

// The known word with the fewest insertions, removals, replacements and swaps of neighbours to
// `word`, letter case and `-`, `_` aside; empty where none is near (a third of its length).
[[nodiscard]] std::string_view nearest(std::string_view word,
                                       std::span<const std::string_view> known);

}  // namespace ebbgate::config::detail
