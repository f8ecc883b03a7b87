// `ebbgate learn`: the smallest policy that covers what a log has seen.
#pragma once

#include <span>

namespace ebbgate::app {

// In: the words after `learn`. Writes to standard output; complaints go to standard error. Out: an
// exit code as the help has it.
[[nodiscard]] int run_learn(std::span<const char* const> words);

}  // namespace ebbgate::app
