// `ebbgate diff`: what a change of policy means, and what it would have meant for a log.
#pragma once

#include <span>
#include <string>

#include "analyse/policy_diff.h"

namespace ebbgate::app {

// A difference for people, a line each.
[[nodiscard]] std::string text_of(const analyse::PolicyDiff& diff);

// In: the words after `diff`. Writes to standard output; complaints go to standard error. Out: an
// exit code as the help has it.
[[nodiscard]] int run_diff(std::span<const char* const> words);

}  // namespace ebbgate::app
