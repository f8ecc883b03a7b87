// `ebbgate run`: the composition of the gateway, in layer order, and its life from start to end.
#pragma once

#include <span>

namespace ebbgate::app {

// In: the words after `run`. Out: the exit code, once the gateway has stopped.
[[nodiscard]] int run_gateway(std::span<const char* const> words);

}  // namespace ebbgate::app
