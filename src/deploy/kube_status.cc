#include "deploy/kube_status.h"

#include <algorithm>
#include <functional>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <utility>

#include "kube/gateways.h"

namespace ebbgate::deploy {
namespace {

using Json = nlohmann::json;
using kube::Outcome;
using kube::Resource;

const Json& at(const Json& object, const char* key) {
  static const Json kNothing;
  if (!object.is_object()) return kNothing;
  const auto found = object.find(key);
  return found == object.end() ? kNothing : *found;
}

std::string text_at(const Json& object, const char* key) {
  const Json& found = at(object, key);
  return found.is_string() ? found.get<std::string>() : "";
}

std::int64_t number_at(const Json& object, const char* key, std::int64_t otherwise = 0) {
  const Json& found = at(object, key);
  return found.is_number_integer() ? found.get<std::int64_t>() : otherwise;
}

const Json& items(const Json& object, const char* key) {
  static const Json kNone = Json::array();
  const Json& found = at(object, key);
  return found.is_array() ? found : kNone;
}

std::string name_of(const Json& object) {
  return text_at(at(object, "metadata"), "name");
}

std::string namespace_of(const Json& object) {
  return text_at(at(object, "metadata"), "namespace");
}

const Json& condition(const Json& object, std::string_view type) {
  static const Json kNone;
  for (const Json& each : items(at(object, "status"), "conditions")) {
    if (text_at(each, "type") == type) return each;
  }
  return kNone;
}

class Inquiry {
 public:
  Inquiry(kube::Client& client, std::string own_namespace, AgeOf age_of)
      : client_(&client), own_namespace_(std::move(own_namespace)), age_of_(std::move(age_of)) {}

  net::Task<Outcome<KubeStatus>> run() {
    auto version = co_await client_->get_path("/version");
    if (!version) co_return std::unexpected(std::move(version.error()));
    const std::string ours = "app.kubernetes.io/name=ebbgate";
    Resource deployments{.group = "apps", .plural = "deployments", .in_namespace = own_namespace_};
    Take workload = [this](const Json& each) { take_workload(each); };
    std::function<void()> no_workloads = [this] { status_.workloads.clear(); };
    static_cast<void>(co_await list(std::move(deployments), {.labels = ours}, std::move(workload),
                                    std::move(no_workloads)));
    Take lease = [this](const Json& each) { take_lease(each); };
    std::function<void()> no_leases = [this] { status_.gateways.clear(); };
    static_cast<void>(co_await list(kube::leases_in(own_namespace_),
                                    {.labels = kube::kGatewayLabels}, std::move(lease),
                                    std::move(no_leases)));
    co_await ask_policies("ClusterEgressPolicy", "clusteregresspolicies");
    co_await ask_policies("EgressPolicy", "egresspolicies");
    co_await ask_webhooks("MutatingWebhookConfiguration", "mutatingwebhookconfigurations");
    co_await ask_webhooks("ValidatingWebhookConfiguration", "validatingwebhookconfigurations");
    co_await ask_namespaces();
    co_return std::move(status_);
  }

 private:
  using Take = std::function<void(const Json&)>;

  // Calls `take` with each, and `again` where all of it begins anew. Out: whether the kind is
  // there; other failures are gaps.
  net::Task<bool> list(Resource resource, kube::Selection selection, Take take,
                       std::function<void()> again) {
    kube::Client::Take pass = [&take](std::string_view object) {
      take(Json::parse(object, nullptr, false));
      return true;
    };
    auto listed =
        co_await client_->list(resource, std::move(selection), std::move(pass), std::move(again));
    if (listed) co_return true;
    if (listed.error().is_not_found()) co_return false;
    status_.gaps.push_back(listed.error().describe(resource.str()));
    co_return true;
  }

  void take_workload(const Json& object) {
    KubeStatus::Workload out{.name = name_of(object),
                             .wanted = number_at(at(object, "spec"), "replicas", 1),
                             .ready = number_at(at(object, "status"), "readyReplicas"),
                             .updated = number_at(at(object, "status"), "updatedReplicas")};
    const Json& pod = at(at(at(object, "spec"), "template"), "spec");
    for (const Json& each : items(pod, "containers")) {
      if (out.image.empty()) out.image = text_at(each, "image");
    }
    status_.workloads.push_back(std::move(out));
  }

  void take_lease(const Json& object) {
    const Json& spec = at(object, "spec");
    KubeStatus::Gateway out{
        .lease = name_of(object),
        .holder = text_at(spec, "holderIdentity"),
        .digest = text_at(at(at(object, "metadata"), "annotations"), kube::kPolicyAnnotation)};
    out.age = age_of_(text_at(spec, "renewTime"));
    const auto lasts = std::chrono::seconds(number_at(spec, "leaseDurationSeconds", 30));
    out.is_live = out.age && *out.age < lasts;
    status_.gateways.push_back(std::move(out));
  }

  void take_policy(const Json& object, KubeStatus::Policies& of) {
    ++of.count;
    const auto is_true = [&](std::string_view type) {
      return text_at(condition(object, type), "status") == "True";
    };
    const bool is_accepted = is_true("Accepted");
    const bool is_programmed = is_true("Programmed");
    of.accepted += is_accepted ? 1 : 0;
    of.programmed += is_programmed ? 1 : 0;
    const Json& problems = items(at(object, "status"), "problems");
    if (is_accepted && is_programmed && problems.empty()) return;
    KubeStatus::PolicyProblem out{
        .kind = of.kind, .in_namespace = namespace_of(object), .name = name_of(object)};
    const Json& why = condition(object, !is_accepted ? "Accepted" : "Programmed");
    out.reason = text_at(why, "reason");
    out.message = text_at(why, "message");
    if (!problems.empty()) {
      const std::string where = text_at(problems.front(), "where");
      out.message = (where.empty() ? "" : where + ": ") + text_at(problems.front(), "message");
    }
    if (why.is_null()) {
      out.reason = "NotReported";
      out.message = "no gateway has said anything of it";
    }
    status_.problems.push_back(std::move(out));
  }

  net::Task<void> ask_policies(std::string kind, std::string plural) {
    KubeStatus::Policies out{.kind = std::move(kind)};
    Resource resource{.group = "ebbgate.dev", .version = "v1alpha1", .plural = std::move(plural)};
    Take take = [this, &out](const Json& each) { take_policy(each, out); };
    const std::size_t before = status_.problems.size();
    std::function<void()> again = [this, &out, before] {
      out = {.kind = out.kind};
      status_.problems.resize(before);
    };
    const bool is_served =
        co_await list(std::move(resource), {}, std::move(take), std::move(again));
    out.is_served = is_served;
    status_.policies.push_back(std::move(out));
  }

  net::Task<void> ask_webhooks(std::string kind, std::string plural) {
    Resource resource{.group = "admissionregistration.k8s.io", .plural = std::move(plural)};
    Take take = [this, &kind](const Json& object) {
      const Json& webhooks = items(object, "webhooks");
      const bool has_trust = std::ranges::all_of(webhooks, [](const Json& each) {
        return !text_at(at(each, "clientConfig"), "caBundle").empty();
      });
      status_.webhooks.push_back({kind, name_of(object), has_trust && !webhooks.empty()});
    };
    const std::size_t before = status_.webhooks.size();
    std::function<void()> again = [this, before] { status_.webhooks.resize(before); };
    static_cast<void>(co_await list(std::move(resource),
                                    {.labels = "app.kubernetes.io/name=ebbgate"}, std::move(take),
                                    std::move(again)));
  }

  net::Task<void> ask_namespaces() {
    std::map<std::string, KubeStatus::Namespace> found;
    const auto none = [&found](bool KubeStatus::Namespace::* flag) {
      return [&found, flag] {
        for (auto& [name, each] : found) each.*flag = false;
      };
    };
    Take injects = [&found](const Json& each) { found[name_of(each)].injects = true; };
    static_cast<void>(co_await list({.plural = "namespaces"},
                                    {.labels = "ebbgate.dev/inject=enabled"}, std::move(injects),
                                    none(&KubeStatus::Namespace::injects)));
    Take closes = [&found](const Json& each) {
      if (name_of(each) == "ebbgate-egress") found[namespace_of(each)].is_closed = true;
    };
    Resource policies{.group = "networking.k8s.io", .plural = "networkpolicies"};
    static_cast<void>(co_await list(std::move(policies),
                                    {.labels = "app.kubernetes.io/name=ebbgate"}, std::move(closes),
                                    none(&KubeStatus::Namespace::is_closed)));
    Take has = [&found](const Json& each) { found[namespace_of(each)].has_variables = true; };
    static_cast<void>(co_await list({.plural = "configmaps"},
                                    {.fields = "metadata.name=proxy-environment-variables"},
                                    std::move(has), none(&KubeStatus::Namespace::has_variables)));
    for (auto& [name, each] : found) {
      each.name = name;
      status_.namespaces.push_back(each);
    }
  }

  kube::Client* client_;
  std::string own_namespace_;
  AgeOf age_of_;
  KubeStatus status_;
};

}  // namespace

bool KubeStatus::has_different_digests() const {
  std::set<std::string> digests;
  for (const Gateway& each : gateways) {
    if (each.is_live) digests.insert(each.digest);
  }
  return digests.size() > 1;
}

net::Task<Outcome<KubeStatus>> learn_status(kube::Client& client, std::string own_namespace,
                                            AgeOf age_of) {
  Inquiry inquiry(client, std::move(own_namespace), std::move(age_of));
  co_return co_await inquiry.run();
}

}  // namespace ebbgate::deploy
