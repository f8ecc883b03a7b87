// One question of a command to the network: a name's addresses, a connection. Each runs a loop of
// its own until it is answered.
#pragma once

#include <vector>

#include "base/authority.h"
#include "base/clock.h"
#include "base/result.h"
#include "dns/resolver.h"

namespace ebbgate::app {

// The addresses of the name, as the gateway would resolve it. Errors as dns::Resolver::resolve has
// them.
[[nodiscard]] Result<std::vector<IpAddress>> look_up(const Hostname& name,
                                                     dns::ResolverOptions options,
                                                     Duration patience);

struct Reached {
  Hostname name;
  Port port;
  Result<Endpoint> outcome;  // where a connection was made to
};

// Resolves each name and connects to it, all side by side, without sending anything.
[[nodiscard]] std::vector<Reached> try_to_reach(std::vector<std::pair<Hostname, Port>> targets,
                                                dns::ResolverOptions options, Duration patience);

}  // namespace ebbgate::app
