// `domains` and `bundles` of eks.yaml as the policy document that the gateways read, and the
// endpoints that the VPC template knows.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "config/eks.h"

namespace ebbgate::deploy {

// One EgressPolicy document in YAML, named after the cluster. Bundles that have a `region` or an
// `account` get those of the settings where no other value is given.
[[nodiscard]] std::string render_allowlist(const config::EksSettings& settings);

// The interface endpoints that can be asked for, as in `com.amazonaws.<region>.<name>`.
[[nodiscard]] std::span<const std::string_view> interface_endpoints();

}  // namespace ebbgate::deploy
