// `ebbgate eks`: a cluster behind gateways from one file, planned, made, verified and taken down.
#pragma once

#include <span>

namespace ebbgate::app {

[[nodiscard]] int run_eks(std::span<const char* const> words);

}  // namespace ebbgate::app
