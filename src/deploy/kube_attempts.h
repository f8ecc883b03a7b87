// The attempts of `ebbgate kube probe`, made from where it runs: all at once, each with a time of
// its own, each told as it ends. Nothing is ever sent but a CONNECT and DNS questions.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/authority.h"
#include "base/clock.h"
#include "deploy/kube_probe_pod.h"
#include "dns/resolver.h"
#include "net/loop.h"

namespace ebbgate::deploy {

struct AttemptOptions {
  Duration timeout = std::chrono::seconds(4);  // of each
  std::optional<Authority> proxy = {};         // nothing: tunnels are not tried
  std::string no_proxy = {};                   // why there is none
  std::optional<IpAddress> name_server = {};   // of queries that name none
  std::uint16_t dns_port = 53;                 // RFC 1035; tests have others
  std::function<std::uint64_t()> random = {};  // 64 even bits
  std::function<void(const Attempted&)> tell = {};
};

// Runs the loop until all have ended.
void make_attempts(net::Loop& loop, dns::Resolver& resolver, const std::vector<Attempt>& attempts,
                   const AttemptOptions& options);

// The first `nameserver` of a resolv.conf (resolv.conf(5)).
[[nodiscard]] std::optional<IpAddress> name_server_of(std::string_view resolv_conf);

}  // namespace ebbgate::deploy
