// `ebbgate diff`: what a change of policy means, and what it would have meant for a log.
#pragma once

#include <span>

namespace ebbgate::app {

// In: the words after `diff`. Writes to standard output; complaints go to standard error. Out: an
// exit code as the help has it.
[[nodiscard]] int run_diff(std::span<const char* const> words);

}  // namespace ebbgate::app
