// `ebbgate kube`: what a cluster is given, rendered on the command line.
#pragma once

#include <span>

namespace ebbgate::app {

// In: the words after `kube`. Out: the exit code.
[[nodiscard]] int run_kube(std::span<const char* const> words);

}  // namespace ebbgate::app
