// What `ebbgate kube verify` concludes: objects of the API as their JSON texts, or what a pod
// tried, come in; a finding with what was seen and the next step goes out. Nothing here asks
// anybody.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "deploy/verify.h"

namespace ebbgate::deploy {

struct Verdict {
  Finding finding = Finding::kCannotBeTold;
  std::string detail = {};  // a sentence without its full stop, as in Check
  std::string next = {};
};

// A list that may be long, with commas between.
[[nodiscard]] std::string listed(const std::vector<std::string>& all);

[[nodiscard]] Verdict judge_nodes(const std::vector<std::string>& nodes);

// ConfigMaps of a namespace by name; null where there is none of that name.
using ConfigMaps = std::map<std::string, std::optional<std::string>>;
// The ConfigMaps from which the DaemonSet's containers take their environment.
[[nodiscard]] std::vector<std::string> config_maps_of(std::string_view daemon_set);
// `is_api_private`: as far as it is known; kube-proxy needs no proxy then.
[[nodiscard]] Verdict judge_daemon_set(std::string_view name, std::string_view daemon_set,
                                       const ConfigMaps& maps, std::optional<bool> is_api_private);

// The ConfigMap `proxy-environment-variables` by namespace; null where it is missing.
// `api_address`: the service address of the API, which pods must reach without the proxy.
[[nodiscard]] Verdict judge_proxy_variables(
    const std::map<std::string, std::optional<std::string>>& by_namespace,
    const std::string& api_address, bool is_injected);

// A pod as the API would have made it. `is_installed`: whether the webhook's configuration is
// there, as far as it is known.
[[nodiscard]] Verdict judge_injection(std::string_view pod, std::optional<bool> is_installed);

// The holder of each Lease and when it renewed it.
using Renewals = std::map<std::string, std::string>;
[[nodiscard]] Renewals renewals_of(const std::vector<std::string>& leases);
// Two looks that are further apart than gateways renew; a clock is not asked.
// `policies`: how many there are, which nobody goes by where no gateway lives.
[[nodiscard]] Verdict judge_gateways(const Renewals& before, const Renewals& after,
                                     std::size_t policies, std::optional<std::string> deployment);

[[nodiscard]] Verdict judge_policies(const std::vector<std::string>& policies);

// A `host:port` that some policy for everyone allows by its name; empty: none does.
[[nodiscard]] std::string an_allowed_target(const std::vector<std::string>& policies);

// The image of a Deployment's first container, and the address of a Service; empty: none.
[[nodiscard]] std::string image_of(std::string_view deployment);
[[nodiscard]] std::string service_address_of(std::string_view service);

// Whether the pod is at an end: its container has ended (then the verdict is kOk), or never will
// begin. Nothing: it is to be waited for. `why` says what it waits for, if it says.
[[nodiscard]] std::optional<Verdict> judge_progress(std::string_view pod, std::string& why);

}  // namespace ebbgate::deploy
