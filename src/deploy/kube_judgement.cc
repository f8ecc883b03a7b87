#include "deploy/kube_judgement.h"

#include <algorithm>
#include <array>
#include <initializer_list>
#include <nlohmann/json.hpp>
#include <set>

#include "base/authority.h"
#include "deploy/kube_probe_pod.h"
#include "noproxy/dialects.h"
#include "noproxy/lint.h"

namespace ebbgate::deploy {
namespace {

using Json = nlohmann::json;

constexpr std::array kSix = {"HTTPS_PROXY", "https_proxy", "HTTP_PROXY",
                             "http_proxy",  "NO_PROXY",    "no_proxy"};
constexpr std::size_t kShown = 5;  // of a list that may be long

const Json& at(const Json& object, std::initializer_list<const char*> path) {
  static const Json kNone;
  const Json* here = &object;
  for (const char* key : path) {
    if (!here->is_object()) return kNone;
    const auto found = here->find(key);
    if (found == here->end()) return kNone;
    here = &*found;
  }
  return *here;
}

std::string text(const Json& object, std::initializer_list<const char*> path) {
  const Json& found = at(object, path);
  return found.is_string() ? found.get<std::string>() : std::string();
}

std::int64_t number(const Json& object, std::initializer_list<const char*> path) {
  const Json& found = at(object, path);
  return found.is_number_integer() ? found.get<std::int64_t>() : 0;
}

Json read(std::string_view object) {
  return Json::parse(object, nullptr, false);
}

// Of a list, or nothing of what is none.
const Json& items(const Json& object, std::initializer_list<const char*> path) {
  static const Json kEmpty = Json::array();
  const Json& found = at(object, path);
  return found.is_array() ? found : kEmpty;
}

// The condition's, or null.
const Json& condition(const Json& object, std::string_view type) {
  static const Json kNone;
  for (const Json& each : items(object, {"status", "conditions"})) {
    if (text(each, {"type"}) == type) return each;
  }
  return kNone;
}

std::string counted(std::size_t count, const std::string& what) {
  return std::to_string(count) + " " + what + (count == 1 ? "" : "s");
}

std::string counted_policies(std::size_t count) {
  return std::to_string(count) + (count == 1 ? " policy" : " policies");
}

std::string full_name(const Json& object) {
  const std::string space = text(object, {"metadata", "namespace"});
  return (space.empty() ? "" : space + "/") + text(object, {"metadata", "name"});
}

}  // namespace

std::string listed(const std::vector<std::string>& all) {
  std::string out;
  for (std::size_t i = 0; i < std::min(all.size(), kShown); ++i) {
    out += (i == 0 ? "" : ", ") + all[i];
  }
  if (all.size() > kShown) out += " and " + std::to_string(all.size() - kShown) + " more";
  return out;
}

Verdict judge_nodes(const std::vector<std::string>& nodes) {
  std::vector<std::string> bad;
  for (const std::string& each : nodes) {
    const Json node = read(each);
    const Json& ready = condition(node, "Ready");
    if (text(ready, {"status"}) == "True") continue;
    const std::string why = text(ready, {"reason"});
    bad.push_back(full_name(node) + " (" + (why.empty() ? "says nothing" : why) + ")");
  }
  const std::string next =
      "look at `kubectl describe node` and at `journalctl -u kubelet` on the node, and in the "
      "gateways' log for what was refused to its address";
  if (nodes.empty()) return {Finding::kFailed, "there are no nodes", next};
  if (!bad.empty()) return {Finding::kFailed, "not Ready: " + listed(bad), next};
  return {Finding::kOk,
          counted(nodes.size(), "node") +
              ", all Ready; that their images come through a gateway shows in its log only, by "
              "their addresses"};
}

std::vector<std::string> config_maps_of(std::string_view daemon_set) {
  std::set<std::string> names;
  const Json set = read(daemon_set);
  for (const Json& container : items(set, {"spec", "template", "spec", "containers"})) {
    for (const Json& each : items(container, {"envFrom"})) {
      names.insert(text(each, {"configMapRef", "name"}));
    }
    for (const Json& each : items(container, {"env"})) {
      names.insert(text(each, {"valueFrom", "configMapKeyRef", "name"}));
    }
  }
  names.erase("");
  return {names.begin(), names.end()};
}

Verdict judge_daemon_set(std::string_view name, std::string_view daemon_set, const ConfigMaps& maps,
                         std::optional<bool> is_api_private) {
  const Json set = read(daemon_set);
  const auto keys_of = [&](const std::string& map) {
    std::set<std::string> keys;
    const auto found = maps.find(map);
    if (found == maps.end() || !found->second) return keys;
    const Json document = read(*found->second);
    for (const auto& [key, value] : at(document, {"data"}).items()) keys.insert(key);
    return keys;
  };
  bool has_proxy = false;
  bool has_no_proxy = false;
  for (const Json& container : items(set, {"spec", "template", "spec", "containers"})) {
    std::set<std::string> variables;
    for (const Json& each : items(container, {"envFrom"})) {
      variables.merge(keys_of(text(each, {"configMapRef", "name"})));
    }
    for (const Json& each : items(container, {"env"})) {
      const std::string map = text(each, {"valueFrom", "configMapKeyRef", "name"});
      const bool is_set =
          !text(each, {"value"}).empty() ||
          keys_of(map).contains(text(each, {"valueFrom", "configMapKeyRef", "key"}));
      if (is_set) variables.insert(text(each, {"name"}));
    }
    has_proxy |= variables.contains("HTTPS_PROXY") || variables.contains("https_proxy");
    has_no_proxy |= variables.contains("NO_PROXY") || variables.contains("no_proxy");
  }
  const std::int64_t wanted = number(set, {"status", "desiredNumberScheduled"});
  const std::int64_t ready = number(set, {"status", "numberReady"});
  const std::string pods = std::to_string(ready) + " of " + std::to_string(wanted) + " pods ready";
  const std::string patch =
      "`ebbgate kube manifests --part daemonsets` renders the patch, and `--part commands` the "
      "commands";
  if (ready < wanted) {
    return {Finding::kFailed, pods,
            "look at `kubectl -n kube-system describe daemonset " + std::string(name) +
                "`, and in the gateways' log for what was refused to the nodes"};
  }
  if (has_proxy && !has_no_proxy) {
    return {Finding::kFailed, "HTTPS_PROXY without NO_PROXY: it would ask the API by the proxy",
            patch};
  }
  if (has_proxy) return {Finding::kOk, "HTTPS_PROXY and NO_PROXY are set; " + pods};
  if (name != "kube-proxy") {
    return {Finding::kCannotBeTold,
            "no proxy variables; " + pods +
                ", so EC2's API is reached by a VPC endpoint, or by a way out past the gateway",
            "it needs none where the VPC has an interface endpoint for ec2; else " + patch};
  }
  if (!is_api_private) {
    return {Finding::kCannotBeTold, "no proxy variables; " + pods,
            "it needs none where the API's endpoint is private; else " + patch};
  }
  if (*is_api_private) {
    return {Finding::kOk,
            "no proxy variables, and none needed: it asks the API alone, which is at "
            "a private address; " +
                pods};
  }
  return {Finding::kFailed, "no proxy variables, and the API's endpoint is public", patch};
}

Verdict judge_proxy_variables(const std::map<std::string, std::optional<std::string>>& by_namespace,
                              const std::string& api_address, bool is_injected) {
  const std::string render = "`ebbgate kube manifests --part proxy-environment` renders it anew";
  std::string seen;
  for (const auto& [space, map] : by_namespace) {
    if (!map) continue;
    const Json document = read(*map);
    const std::string where = "in " + space + ": ";
    const auto fault = [&](const std::string& what) {
      return Verdict{Finding::kFailed, where + what, render};
    };
    for (const char* name : kSix) {
      if (text(document, {"data", name}).empty()) return fault(std::string(name) + " is missing");
    }
    for (std::size_t i = 0; i < kSix.size(); i += 2) {
      if (text(document, {"data", kSix[i]}) != text(document, {"data", kSix[i + 1]})) {
        return fault(std::string(kSix[i]) + " and " + kSix[i + 1] + " are not alike");
      }
    }
    const std::string value = text(document, {"data", "NO_PROXY"});
    for (const noproxy::Finding& each : noproxy::lint(value, {})) {
      using enum noproxy::Pitfall;
      if (each.pitfall != kEverything && each.pitfall != kNotAnEntry && each.pitfall != kSpace) {
        continue;  // what may be meant so, or depends on the VPC
      }
      return fault(each.entry + ": " + each.text);
    }
    for (const std::string& target :
         {"https://" + api_address, std::string("kubernetes.default.svc")}) {
      const auto parsed = noproxy::Target::parse(target);
      if (api_address.empty() || !parsed) continue;
      const noproxy::Answer go = noproxy::ask(noproxy::Client::kGo, *parsed, value);
      if (!go.is_direct)
        return fault("by NO_PROXY, " + parsed->host + " would be asked by the proxy");
    }
    seen += (seen.empty() ? "" : ", ") + space;
  }
  if (!seen.empty()) return {Finding::kOk, "in " + seen + ": all six variables, both cases alike"};
  if (is_injected) {
    return {Finding::kSkipped,
            "there is no ConfigMap proxy-environment-variables; pods have their "
            "variables of the webhook"};
  }
  return {Finding::kFailed, "there is no ConfigMap proxy-environment-variables",
          "`ebbgate kube manifests --part proxy-environment` renders it"};
}

Verdict judge_injection(std::string_view pod, std::optional<bool> is_installed) {
  const Json made = read(pod);
  std::set<std::string> found;
  for (const Json& container : items(made, {"spec", "containers"})) {
    if (text(container, {"name"}) != kProbeContainer) continue;
    for (const Json& each : items(container, {"env"})) {
      if (!text(each, {"value"}).empty()) found.insert(text(each, {"name"}));
    }
    for (const Json& each : items(container, {"envFrom"})) {  // of our own is optional
      const bool is_own = at(each, {"configMapRef", "optional"}) == true;
      if (!is_own) found.insert(kSix.begin(), kSix.end());
    }
  }
  std::vector<std::string> missing;
  for (const char* name : kSix) {
    if (!found.contains(name)) missing.emplace_back(name);
  }
  if (missing.empty()) return {Finding::kOk, "a pod that asks for it has all six variables"};
  if (missing.size() < kSix.size()) {
    return {Finding::kFailed, "a pod lacks " + listed(missing),
            "look whether another webhook takes them away"};
  }
  if (is_installed == false) {
    return {Finding::kSkipped, "the webhook is not installed",
            "pods take the variables by envFrom then; or `kubectl apply -k "
            "deploy/kubernetes/webhook`"};
  }
  return {
      Finding::kFailed, "a pod that asks for it gets no variables",
      "by failurePolicy Ignore pods are made without them while the webhook is away: look at "
      "`kubectl -n ebbgate-system get pods -l app.kubernetes.io/component=webhook`, whether the "
      "API server reaches it, and the caBundle of its configuration"};
}

Renewals renewals_of(const std::vector<std::string>& leases) {
  Renewals out;
  for (const std::string& each : leases) {
    const Json lease = read(each);
    out[text(lease, {"metadata", "name"})] = text(lease, {"spec", "renewTime"});
  }
  return out;
}

Verdict judge_gateways(const Renewals& before, const Renewals& after, std::size_t policies,
                       std::optional<std::string> deployment) {
  std::size_t alive = 0;
  std::vector<std::string> silent;
  for (const auto& [name, renewed] : after) {
    const auto last = before.find(name);
    const bool is_alive = last == before.end() || last->second != renewed;
    alive += is_alive ? 1 : 0;
    if (!is_alive) silent.push_back(name);
  }
  if (alive > 0) {
    return {Finding::kOk, counted(alive, "gateway") + " renew" +
                              (alive == 1 ? "s its Lease" : " their Leases") +
                              (silent.empty() ? "" : "; no more: " + listed(silent))};
  }
  const std::string next =
      "start gateways with --kube, and look in their log for what the API refuses them";
  if (!silent.empty()) {
    return {Finding::kFailed, "no gateway renews its Lease; there were " + listed(silent), next};
  }
  std::int64_t ready = 0;
  if (deployment) {
    ready = number(read(*deployment), {"status", "readyReplicas"});
    if (ready == 0) {
      return {Finding::kFailed, "the Deployment has no gateway that is ready",
              "look at `kubectl -n ebbgate-system describe pods`"};
    }
  }
  const std::string seen =
      deployment ? counted(static_cast<std::size_t>(ready), "gateway") + " ready, without Leases"
                 : "no gateway keeps a Lease";
  if (policies > 0) {
    return {Finding::kFailed, seen + ", so nobody goes by " + counted_policies(policies), next};
  }
  return {Finding::kCannotBeTold, seen + ": they take their policy from elsewhere", next};
}

Verdict judge_policies(const std::vector<std::string>& policies) {
  std::vector<std::string> bad;
  for (const std::string& each : policies) {
    const Json policy = read(each);
    const std::int64_t generation = number(policy, {"metadata", "generation"});
    std::string why;
    for (const char* type : {"Accepted", "Programmed"}) {
      const Json& found = condition(policy, type);
      if (found.is_null()) {
        why = std::string("not ") + type;
      } else if (text(found, {"status"}) != "True") {
        why = std::string("not ") + type + ": " + text(found, {"message"});
      } else if (number(policy, {"status", "observedGeneration"}) < generation) {
        why = "its last change is not taken yet";
      }
      if (!why.empty()) break;
    }
    if (!why.empty()) bad.push_back(full_name(policy) + " (" + why + ")");
  }
  if (policies.empty()) return {Finding::kSkipped, "there are no policies in the cluster"};
  if (bad.empty()) {
    return {Finding::kOk, counted_policies(policies.size()) + ", accepted and programmed"};
  }
  return {Finding::kFailed, listed(bad),
          "`kubectl describe egresspolicies,clusteregresspolicies -A` has the reasons; where none "
          "says anything, see the check gateways"};
}

std::string an_allowed_target(const std::vector<std::string>& policies) {
  for (const std::string& each : policies) {
    const Json policy = read(each);
    if (text(policy, {"kind"}) != "ClusterEgressPolicy") continue;
    if (!at(policy, {"spec", "subjects"}).is_null()) continue;
    for (const Json& entry : items(policy, {"spec", "allow"})) {
      // Such entries are for some requests or some time only, or speak no TLS.
      const bool is_plain = std::ranges::none_of(
          std::array{"methods", "paths", "expires", "tls", "intercept"},
          [&](const char* key) { return entry.is_object() && entry.contains(key); });
      if (!is_plain) continue;
      const Json& ports = items(entry, {"ports"});
      const std::string port = ports.empty()          ? "443"
                               : ports[0].is_string() ? ports[0].get<std::string>()
                                                      : ports[0].dump();
      for (const Json& host : items(entry, {"hosts"})) {
        const auto target =
            host.is_string()
                ? Authority::parse(host.get<std::string>(), Port::parse(port).value_or(kHttpsPort))
                : fail(Reason::kMalformedRequest, Side::kSelf, "");
        if (target && target->host.name() != nullptr) return target->str();
      }
    }
  }
  return {};
}

std::string image_of(std::string_view deployment) {
  const Json object = read(deployment);
  const Json& containers = items(object, {"spec", "template", "spec", "containers"});
  return containers.empty() ? std::string() : text(containers[0], {"image"});
}

std::string service_address_of(std::string_view service) {
  return text(read(service), {"spec", "clusterIP"});
}

std::optional<Verdict> judge_progress(std::string_view pod, std::string& why) {
  static constexpr std::array kHopeless = {"ImagePullBackOff", "InvalidImageName",
                                           "ErrImageNeverPull", "CreateContainerConfigError",
                                           "CreateContainerError"};
  const Json object = read(pod);
  const std::string phase = text(object, {"status", "phase"});
  for (const Json& each : items(object, {"status", "containerStatuses"})) {
    if (text(each, {"name"}) != kProbeContainer) continue;
    if (!at(each, {"state", "terminated"}).is_null()) return Verdict{Finding::kOk};
    const std::string reason = text(each, {"state", "waiting", "reason"});
    if (reason.empty()) continue;
    why = reason + ": " + text(each, {"state", "waiting", "message"});
    if (std::ranges::find(kHopeless, reason) == kHopeless.end()) continue;
    return Verdict{Finding::kFailed, why,
                   reason.find("Image") == std::string::npos
                       ? "look at `kubectl describe pod`"
                       : "nodes fetch images through the gateway too: allow the registry, and look "
                         "in the gateways' log for what was refused to the node; or name an image "
                         "by --image that nodes have"};
  }
  if (phase == "Succeeded" || phase == "Failed") {
    const std::string reason = text(object, {"status", "reason"});  // `Evicted`, `DeadlineExceeded`
    if (reason.empty()) return Verdict{Finding::kOk};
    return Verdict{Finding::kFailed, reason + ": " + text(object, {"status", "message"}),
                   "try again; where it ran out of time, with a longer --wait"};
  }
  const Json& scheduled = condition(object, "PodScheduled");
  if (text(scheduled, {"status"}) == "False") why = text(scheduled, {"message"});
  return std::nullopt;
}

}  // namespace ebbgate::deploy
