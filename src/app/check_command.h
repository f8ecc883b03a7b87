// `ebbgate check`: reads settings and policies as `run` would, and says what is wrong with them.
#pragma once

#include <span>

namespace ebbgate::app {

// In: the words after `check`. Writes to standard output; what is wrong with the command line goes
// to standard error. Out: 0 where `run` would start, 3 where it would not, 2 for usage.
[[nodiscard]] int run_check(std::span<const char* const> words);

}  // namespace ebbgate::app
