// The proxy's settings for pods that do not mention it: what a mutating webhook adds to each
// container. It adds, and changes nothing that a pod says itself; a pod that it cannot read is let
// pass as it is.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "webhook/review.h"

namespace ebbgate::webhook {

// The annotations of pods that it knows.
inline constexpr std::string_view kInjectAnnotation = "ebbgate.dev/inject";      // `false`: nothing
inline constexpr std::string_view kInjectedAnnotation = "ebbgate.dev/injected";  // what was

struct Injection {
  std::string proxy_url = {};  // empty with config_map only
  std::string no_proxy = {};
  // A ConfigMap of the pod's namespace that has the six variables; empty: they stand in the pod.
  std::string config_map = {};
  bool for_java = true;  // JAVA_TOOL_OPTIONS; needs proxy_url
  bool for_node = true;  // NODE_USE_ENV_PROXY
  // A ConfigMap of the pod's namespace whose key `ca-bundle.crt` has every authority that programs
  // are to trust; empty: none.
  std::string ca_config_map = {};
  std::vector<std::string> excluded_namespaces = {};
};

// What is wrong with it, as a sentence; empty: nothing.
[[nodiscard]] std::string fault_of(const Injection& injection);

// Twelve hex digits that change with what is injected.
[[nodiscard]] std::string fingerprint(const Injection& injection);

// Of a Java VM: -Dhttp.proxyHost and so on, with `no_proxy` as nonProxyHosts. Empty for a proxy
// that Java cannot speak to (https).
[[nodiscard]] std::string java_options(std::string_view proxy_url, std::string_view no_proxy);

// Answers the review of a pod that is made, or that gets an ephemeral container. fault_of() is
// empty.
[[nodiscard]] Reply inject(std::string_view review, const Injection& injection);

}  // namespace ebbgate::webhook
