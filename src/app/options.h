// From what the operator wrote (config::Settings) to what the data plane takes (proxy::Options):
// the one place where the two meet.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "config/settings.h"
#include "dns/resolver.h"
#include "observe/access_log.h"
#include "policy/address_guard.h"
#include "proxy/options.h"

namespace ebbgate::app {

// `descriptors`: how many the process may have open, from which the default of --max-connections
// follows. `pseudonym`: this gateway's name in Via.
[[nodiscard]] proxy::Options proxy_options(const config::Settings& settings,
                                           std::uint64_t descriptors, std::string pseudonym);

// `listeners`: everything that this process listens on.
[[nodiscard]] policy::AddressGuardSettings guard_settings(const config::Settings& settings,
                                                          std::vector<Endpoint> listeners);

[[nodiscard]] dns::ResolverOptions resolver_options(const config::Settings& settings);
[[nodiscard]] observe::AccessLogOptions log_options(const config::Settings& settings);

// The addresses of this host's interfaces, without loopback.
[[nodiscard]] std::vector<Cidr> own_addresses();

}  // namespace ebbgate::app
