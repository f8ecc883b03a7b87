// What there is of the gateways in a cluster: they themselves, what they go by, the policies with
// what became of them, the webhook, and the namespaces that use all this. It asks, and changes
// nothing.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "kube/client.h"
#include "net/task.h"

namespace ebbgate::deploy {

struct KubeStatus {
  struct Workload {
    std::string name = {};
    std::int64_t wanted = 0;
    std::int64_t ready = 0;
    std::int64_t updated = 0;
    std::string image = {};
  };
  struct Gateway {
    std::string lease = {};
    std::string holder = {};
    std::string digest = {};           // of the policies that it goes by; empty: none
    std::optional<Duration> age = {};  // since it was renewed, by the clocks of both
    bool is_live = false;
  };
  struct Policies {
    std::string kind = {};
    bool is_served = false;  // the type is there
    std::size_t count = 0;
    std::size_t accepted = 0;
    std::size_t programmed = 0;
  };
  struct PolicyProblem {
    std::string kind = {};
    std::string in_namespace = {};
    std::string name = {};
    std::string reason = {};
    std::string message = {};
  };
  struct Webhook {
    std::string kind = {};
    std::string name = {};
    bool has_trust = false;  // every webhook of it has a caBundle
  };
  struct Namespace {
    std::string name = {};
    bool injects = false;
    bool is_closed = false;      // our NetworkPolicy is there
    bool has_variables = false;  // the ConfigMap is there
  };

  std::vector<Workload> workloads = {};
  std::vector<Gateway> gateways = {};
  std::vector<Policies> policies = {};
  std::vector<PolicyProblem> problems = {};
  std::vector<Webhook> webhooks = {};
  std::vector<Namespace> namespaces = {};  // those of which any of it is true
  std::vector<std::string> gaps = {};      // what could not be asked, and why

  // Whether gateways that live go by different policies.
  [[nodiscard]] bool has_different_digests() const;
};

// `own_namespace`: the gateways'. `age_of`: how long ago a time of the API was (RFC 3339). Errors:
// where nobody answers.
using AgeOf = std::function<std::optional<Duration>(const std::string& time)>;
[[nodiscard]] net::Task<kube::Outcome<KubeStatus>> learn_status(kube::Client& client,
                                                                std::string own_namespace,
                                                                AgeOf age_of);

}  // namespace ebbgate::deploy
