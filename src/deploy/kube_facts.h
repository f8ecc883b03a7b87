// What a cluster itself can tell of its networks and its parts, so that nobody has to look it up:
// questions to its API come out as findings, each with where it is from, and those as answers for
// the manifests.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/hostname.h"
#include "base/ip.h"
#include "deploy/kube/manifests.h"
#include "kube/client.h"
#include "net/task.h"

namespace ebbgate::deploy {

// A line for people.
struct KubeFinding {
  std::string what;
  std::string value;
  std::string from;  // "the ServiceCIDR kubernetes"; empty: it says so itself
  bool operator==(const KubeFinding&) const = default;
};

enum class Enforcement : std::uint8_t { kUnknown, kYes, kNo };

struct KubeFacts {
  std::vector<Cidr> service_cidrs = {};  // the first is that of the service `kubernetes`
  std::optional<Hostname> endpoint = {};
  std::vector<IpAddress> endpoint_addresses = {};
  std::size_t nodes = 0;
  std::vector<IpAddress> node_addresses = {};  // InternalIPs
  std::vector<Cidr> pod_cidrs = {};            // of all pods, where the cluster has such blocks
  std::vector<Cidr> node_pod_cidrs = {};       // of each node there is now
  bool is_eks = false;
  std::string region = {};
  std::string cluster_name = {};
  // Of aws-node and kube-proxy, those that are there, and whether they have the proxy's variables.
  struct DaemonSet {
    std::string name;
    bool has_proxy = false;
    bool operator==(const DaemonSet&) const = default;
  };
  std::vector<DaemonSet> daemon_sets = {};
  Enforcement enforcement = Enforcement::kUnknown;  // of NetworkPolicies
  std::string network_plugin = {};
  bool has_prometheus_operator = false;
  // Of an apply before this one: what it was told, which holds until it is told otherwise.
  std::string proxy_url = {};  // of kube-system's ConfigMap
  std::string image = {};      // of the gateways

  std::vector<KubeFinding> findings = {};
  std::vector<std::string> gaps = {};  // what could not be asked, and why
};

// Asks; changes nothing (one question is a Service that the API is to refuse in a dry run).
// `server`: of the access; `own_namespace`: the gateways'. Errors: that of the first call, where
// nobody answers; what is forbidden or not there later on is a gap.
[[nodiscard]] net::Task<kube::Outcome<KubeFacts>> learn_kube(kube::Client& client,
                                                             std::string server,
                                                             std::string own_namespace);

// Fills in what the answers do not say yet. Out: what people should know, as sentences without a
// full stop: answers that do not fit the cluster, and what is still missing and why.
[[nodiscard]] std::vector<std::string> take_facts(const KubeFacts& facts, KubeAnswers& answers);

// The block in what the API says of a Service whose address it refuses.
[[nodiscard]] std::optional<Cidr> service_range_in(std::string_view message);
// Of an availability or a local zone: `us-west-2-lax-1a` is in us-west-2. Empty: it is none.
[[nodiscard]] std::string region_of_zone(std::string_view zone);
// Of an EKS endpoint's name; empty: it is none.
[[nodiscard]] std::string region_of_endpoint(std::string_view host);

}  // namespace ebbgate::deploy
