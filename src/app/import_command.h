// `ebbgate import`: a policy from another proxy's configuration.
#pragma once

#include <span>

namespace ebbgate::app {

// In: the words after `import`. Out: 0; 1 where the document allows more than the configuration did
// or there is none; 2 for usage.
[[nodiscard]] int run_import(std::span<const char* const> words);

}  // namespace ebbgate::app
