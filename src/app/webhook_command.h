// `ebbgate webhook`: Kubernetes admission, which gives pods the proxy's settings and judges
// policies before they are written.
#pragma once

#include <span>

namespace ebbgate::app {

// In: the words after `webhook`. Serves until SIGTERM. Out: an exit code as the help has it.
[[nodiscard]] int run_webhook(std::span<const char* const> words);

}  // namespace ebbgate::app
