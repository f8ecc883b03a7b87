// `ebbgate explain`: why a request is allowed or refused, and what would change it.
#pragma once

#include <span>

namespace ebbgate::app {

// In: the words after `explain`. Out: 0 where the request is let pass, 1 where it is refused, 2 for
// usage, 3 where the policy is invalid.
[[nodiscard]] int run_explain(std::span<const char* const> words);

}  // namespace ebbgate::app
