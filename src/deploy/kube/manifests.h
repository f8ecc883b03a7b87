// What a cluster is given, as text: the files of deploy/kubernetes with the answers of one cluster
// filled in, and what the cluster's own parts need to know of the proxy. Answers in, files out.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "noproxy/build.h"
#include "policy/pattern.h"

namespace ebbgate::deploy {

// Where the gateways run.
enum class GatewayPlace : std::uint8_t { kInCluster, kEksEc2Fleet };

struct KubeAnswers {
  GatewayPlace place = GatewayPlace::kInCluster;
  bool has_monitoring = false;  // with kInCluster: Prometheus's operator is there
  std::string monitoring_namespace = "monitoring";
  bool has_webhook = false;  // pods get the proxy's settings without mentioning them
  std::string own_namespace = "ebbgate-system";
  std::string image;      // empty: that of the files
  std::string proxy_url;  // `http://host:port`; empty with kInCluster: its own service
  noproxy::ClusterFacts network;
  std::vector<Cidr> pod_cidrs;              // where pods have addresses; empty: network.vpc_cidrs
  std::vector<std::string> app_namespaces;  // whose bypass is closed

  // For EKS.
  std::string cluster_name;
  std::vector<std::string> node_roles;  // ARNs; of nodes that are not EKS's own
  std::string gateway_role;             // ARN; with kEksEc2Fleet

  // For CoreDNS: what the policy allows; the names that go around the proxy are added.
  std::vector<policy::Pattern> names;
};

enum class KubePart : std::uint8_t {
  kCrds,
  kGateway,  // namespace, rights, and what runs in the cluster
  kMonitoring,
  kWebhook,
  kNamespaces,        // of applications: network policies, and the proxy's variables
  kProxyEnvironment,  // the ConfigMap in kube-system
  kDaemonSets,        // aws-node and kube-proxy
  kAwsAuth,
  kCoreDns,
  kPolicies,  // the one to begin with: for when the types are there
  kCommands,  // a shell script: what is no resource
};

[[nodiscard]] std::string_view word(KubePart part);  // `network-policies`; of the command line

struct KubeFile {
  KubePart part;
  std::string path;  // in a folder of all of them
  std::string text;
  // Whether it belongs into what is applied whole. Not what changes the cluster's own parts, nor
  // kustomize's files.
  bool is_applied = true;
};

// What is wrong with the answers, as a sentence; empty: nothing.
[[nodiscard]] std::string fault_of(const KubeAnswers& answers);

// In the order in which they are applied. fault_of() must be empty.
// Error: what noproxy::build_entries() says of the network.
[[nodiscard]] Result<std::vector<KubeFile>> render_manifests(const KubeAnswers& answers);

// The six variables that programs look for, with both cases alike.
struct ProxyEnvironment {
  std::string proxy;
  std::string no_proxy;
};
[[nodiscard]] Result<ProxyEnvironment> proxy_environment(const KubeAnswers& answers);

// The names of the variables, in the order in which they are written.
inline constexpr std::string_view kProxyVariables[] = {"HTTPS_PROXY", "https_proxy", "HTTP_PROXY",
                                                       "http_proxy"};
inline constexpr std::string_view kNoProxyVariables[] = {"NO_PROXY", "no_proxy"};

// Whether it is `http://` or `https://`, a host and a port, and nothing else: it is written into
// YAML, shell and systemd units.
[[nodiscard]] bool is_proxy_url(std::string_view url);

}  // namespace ebbgate::deploy
