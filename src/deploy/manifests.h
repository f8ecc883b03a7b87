// The files that a deployment leaves for kubectl: kubeconfig, the proxy settings, the patch of the
// CNI, and aws-auth for clusters that still go by it. Facts in, text out.
#pragma once

#include <string>
#include <vector>

#include "config/eks.h"
#include "deploy/plan.h"

namespace ebbgate::deploy {

struct ClusterAccess {
  std::string cluster;
  std::string region;
  std::string endpoint;               // https://…
  std::string certificate_authority;  // base64 of PEM
  std::string program = "ebbgate";    // what mints tokens: `PROGRAM eks token --cluster NAME`
};
// A kubeconfig whose user is a command, so that it holds no secret and never expires.
[[nodiscard]] std::string kubeconfig(const ClusterAccess& access);

// What `ebbgate eks token` prints: an ExecCredential of client.authentication.k8s.io/v1beta1.
// `expiration`: RFC 3339.
[[nodiscard]] std::string exec_credential(const std::string& token, const std::string& expiration);

struct ProxySettings {
  std::string url;       // http://…:3128
  std::string no_proxy;  // the value
};
// The ConfigMap of the text, `proxy-environment-variables` in kube-system, with all six variables.
[[nodiscard]] std::string proxy_config_map(const ProxySettings& proxy);
// A server-side apply of envFrom to the DaemonSets and the container that the text names.
[[nodiscard]] std::string proxy_daemon_set(const std::string& daemon_set);

// aws-auth for clusters in the mode CONFIG_MAP: the nodes' role, and the bastion's (empty: none).
[[nodiscard]] std::string aws_auth(const std::string& node_role, const std::string& bastion_role);

// What the cluster has to have before gateways outside of it can ask it: the types of policies, a
// namespace, and the rights of the group `ebbgate-gateways`. For a server-side apply.
[[nodiscard]] std::string gateway_access(const config::EksSettings& settings, const Facts& facts);

struct File {
  std::string name;
  std::string text;
  bool is_private = false;  // for nobody's eyes but the owner's
};

}  // namespace ebbgate::deploy
