// A configuration of CoreDNS that answers only the cluster's names and those that are needed: DNS
// is a tunnel itself, and a query for a name below one's own domain leaves by way of any resolver.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "policy/pattern.h"

namespace ebbgate::deploy {

// The Corefile. Patterns for addresses and ports say nothing here. Names below an exact pattern,
// and the name above a `*.` one, do not exist; neither does anything else.
[[nodiscard]] std::string corefile(std::span<const policy::Pattern> names,
                                   std::string_view cluster_domain = "cluster.local");

}  // namespace ebbgate::deploy
