// `ebbgate unused`: the entries of a policy that nothing in a log used.
#pragma once

#include <span>

namespace ebbgate::app {

// In: the words after `unused`. Writes to standard output; complaints go to standard error. Out: an
// exit code as the help has it.
[[nodiscard]] int run_unused(std::span<const char* const> words);

}  // namespace ebbgate::app
