// `ebbgate test`: cases of what a policy has to allow and to refuse, judged by the engine itself.
#pragma once

#include <span>

namespace ebbgate::app {

// In: the words after `test`. Out: 0 where every case holds, 1 where one does not, 2 for usage, 3
// where a file or a policy is invalid.
[[nodiscard]] int run_test(std::span<const char* const> words);

}  // namespace ebbgate::app
