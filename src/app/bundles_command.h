// `ebbgate bundles`: the named sets of hosts that come with the program, and whether they answer.
#pragma once

#include <span>

namespace ebbgate::app {

// In: the words after `bundles`. Out: 0; 1 where `verify` could not reach a name; 2 for usage.
[[nodiscard]] int run_bundles(std::span<const char* const> words);

}  // namespace ebbgate::app
