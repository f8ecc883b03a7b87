// `ebbgate kube`: what a cluster is given, rendered on the command line, and what is asked of a
// cluster. This is the dispatcher; the commands that talk to one have a file each.
#pragma once

#include <span>

namespace ebbgate::app {

// In: the words after `kube`. Out: the exit code.
[[nodiscard]] int run_kube(std::span<const char* const> words);

// In: `plan` or `apply`, and the words after it. Out: the exit code.
[[nodiscard]] int run_kube_plan(std::span<const char* const> words);

// In: the words after `kube status`, `kube verify`, and so on. Out: the exit code.
[[nodiscard]] int run_kube_status(std::span<const char* const> words);
[[nodiscard]] int run_kube_verify(std::span<const char* const> words);
[[nodiscard]] int run_kube_probe(std::span<const char* const> words);

}  // namespace ebbgate::app
