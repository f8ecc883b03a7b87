// `ebbgate policy push`: a policy to where gateways read it, checked and compared first.
#pragma once

#include <span>

namespace ebbgate::app {

// In: the words after `policy`. Writes to standard output; complaints go to standard error. Out: an
// exit code as the help has it.
[[nodiscard]] int run_policy(std::span<const char* const> words);

}  // namespace ebbgate::app
