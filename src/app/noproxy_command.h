// `ebbgate noproxy`: builds, explains and lints NO_PROXY values on the command line.
#pragma once

#include <span>

namespace ebbgate::app {

// In: the words after `noproxy`. Out: the exit code, of which 1 is that the linter found something.
[[nodiscard]] int run_noproxy(std::span<const char* const> words);

}  // namespace ebbgate::app
