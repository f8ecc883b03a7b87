#include "deploy/kube_verify.h"

#include <algorithm>
#include <array>

#include "base/escape.h"
#include "noproxy/target.h"
#include "policy/address_class.h"

namespace ebbgate::deploy {
namespace {

constexpr const char* kVariables = "proxy-environment-variables";
constexpr const char* kWebhook = "ebbgate-webhook";
constexpr std::size_t kLogShown = 200;          // octets of a log that is none of ours
constexpr std::uint64_t kHopelessFailures = 3;  // of a watch that never began

kube::Resource of_group(std::string group, std::string version, std::string plural,
                        std::string in_namespace = {}) {
  return {.group = std::move(group),
          .version = std::move(version),
          .plural = std::move(plural),
          .in_namespace = std::move(in_namespace)};
}

kube::Resource policies_of(std::string plural) {
  return of_group("ebbgate.dev", "v1alpha1", std::move(plural));
}

kube::Resource core(std::string plural, std::string in_namespace = {}) {
  return {.plural = std::move(plural), .in_namespace = std::move(in_namespace)};
}

std::string next_step(const kube::Failure& failure) {
  if (failure.is_forbidden()) {
    return "docs/kubernetes.md lists the rights that this needs; or leave the check out by --skip";
  }
  return failure.is_retryable() ? "try again; see the check api-endpoint" : "";
}

}  // namespace

const std::vector<std::string>& kube_check_names() {
  static const std::vector<std::string> kNames{
      "api-endpoint",    "nodes-ready", "aws-node",        "kube-proxy",      "webhook",
      "proxy-variables", "types",       "gateways",        "policies",        "host-network",
      "test-pod",        "cluster-dns", "allowed-request", "refused-request", "direct-egress",
      "dns-tunnel",      "dns-direct",  "metadata-service"};
  return kNames;
}

KubeVerifier::KubeVerifier(kube::Client& client, Probe& probe, KubeVerifyOptions options)
    : client_(&client),
      probe_(&probe),
      options_(std::move(options)),
      changed_(client.loop()),
      pods_([this] { changed_.notify_all(); }, [this] { changed_.notify_all(); }) {}

net::Task<std::vector<Check>> KubeVerifier::run() {
  co_await api_endpoint();
  co_await nodes();
  co_await daemon_set("aws-node");
  co_await daemon_set("kube-proxy");
  co_await injection();
  co_await proxy_variables();
  co_await types();
  co_await gateways();
  policies();
  co_await host_network();
  co_await test_pod();
  from_the_pod();
  co_return std::move(checks_);
}

bool KubeVerifier::is_wanted(std::string_view name) const {
  return std::ranges::find(options_.skip, name) == options_.skip.end();
}

bool KubeVerifier::begin(std::string name, std::string proof) {
  check_ = {};
  check_.name = std::move(name);
  check_.proof = std::move(proof);
  if (!is_wanted(check_.name)) {
    end({Finding::kSkipped, "--skip says so"});
    return false;
  }
  if (has_no_api_) {
    end({Finding::kSkipped, "the API does not answer", "see the check api-endpoint"});
    return false;
  }
  if (client_->loop().is_giving_up()) {
    end({Finding::kSkipped, "interrupted"});
    return false;
  }
  if (options_.begin) options_.begin(check_.name);
  return true;
}

void KubeVerifier::end(Verdict verdict) {
  check_.finding = verdict.finding;
  check_.detail = std::move(verdict.detail);
  check_.next = std::move(verdict.next);
  if (options_.tell) options_.tell(check_);
  checks_.push_back(std::move(check_));
}

void KubeVerifier::end(const kube::Failure& failure, std::string_view what) {
  end({Finding::kCannotBeTold, failure.describe(what), next_step(failure)});
}

net::Task<kube::Outcome<KubeVerifier::Texts>> KubeVerifier::list(kube::Resource resource,
                                                                 std::string labels) {
  Texts found;
  kube::Selection selection{.labels = std::move(labels)};
  kube::Client::Take take = [&found](std::string_view object) {
    found.emplace_back(object);
    return true;
  };
  std::function<void()> again = [&found] { found.clear(); };
  auto version = co_await client_->list(std::move(resource), std::move(selection), std::move(take),
                                        std::move(again));
  if (!version) co_return std::unexpected(std::move(version.error()));
  co_return std::move(found);
}

net::Task<kube::Outcome<std::optional<std::string>>> KubeVerifier::find(kube::Resource resource,
                                                                        std::string name) {
  auto found = co_await client_->get(std::move(resource), std::move(name));
  if (found) co_return std::optional<std::string>(*std::move(found));
  if (found.error().is_not_found()) co_return std::nullopt;
  co_return std::unexpected(std::move(found.error()));
}

net::Task<void> KubeVerifier::api_endpoint() {
  const std::string server = client_->server();
  auto version = co_await client_->get_path("/version");
  const std::string change =
      "`aws eks update-cluster-config --name NAME --resources-vpc-config "
      "endpointPrivateAccess=true,endpointPublicAccess=false`";
  if (!begin("api-endpoint",
             "the API answers here, at an address that the internet does not have")) {
    has_no_api_ = !version;
    co_return;
  }
  if (!version) {
    has_no_api_ = true;
    end({Finding::kFailed, server + ": " + version.error().describe("GET /version"),
         "run this where the API is reached, such as on the bastion, and look at the kubeconfig's "
         "context and its credentials"});
    co_return;
  }
  const auto target = noproxy::Target::parse(server);
  const auto port = target ? Port::of(target->port) : std::nullopt;
  const std::string host = target ? target->host : server;
  const Deadline soon = client_->loop().after(client_->options().timeout);
  auto address = co_await probe_->connect(host, port.value_or(kHttpsPort), soon);
  const bool is_special = address && policy::special_block(*address).has_value();
  if (address) is_api_private_ = is_special;
  const std::string where =
      host + (address && address->str() != host ? " is " + address->str() : "");
  if (options_.endpoint) {
    const auto& told = *options_.endpoint;
    is_api_private_ = told.is_private;
    const bool is_good = told.is_private && !told.is_public;
    end({is_good ? Finding::kOk : Finding::kFailed,
         where + "; EKS says: private " + (told.is_private ? "on" : "off") + ", public " +
             (told.is_public ? "on" : "off"),
         is_good ? "" : change});
  } else if (!address) {
    end({Finding::kCannotBeTold, address.error().detail, "try again"});
  } else if (is_special) {
    end({Finding::kOk, where + ", which the internet does not route; whether there is a public "
                               "endpoint besides, EKS knows (--eks NAME)"});
  } else {
    end({Finding::kFailed, where + ", a public address",
         "close it: on EKS, " + change + "; where it is meant to be so, --skip api-endpoint"});
  }
}

net::Task<void> KubeVerifier::nodes() {
  if (!begin("nodes-ready", "every node has joined and is Ready")) co_return;
  auto found = co_await list(core("nodes"), "");
  if (!found) {
    end(found.error(), "nodes");
  } else {
    end(judge_nodes(*found));
  }
}

net::Task<void> KubeVerifier::daemon_set(std::string name) {
  if (!begin(name, name + " runs, with the proxy's variables or without need of them")) co_return;
  auto found = co_await find(of_group("apps", "v1", "daemonsets", "kube-system"), name);
  if (!found) {
    end(found.error(), "the DaemonSet " + name);
    co_return;
  }
  if (!*found) {
    end({Finding::kSkipped, "this cluster has no DaemonSet " + name});
    co_return;
  }
  const std::string set = **std::move(found);
  ConfigMaps maps;
  for (const std::string& each : config_maps_of(set)) {
    auto map = co_await find(core("configmaps", "kube-system"), each);
    if (!map) {
      end(map.error(), "the ConfigMap " + each);
      co_return;
    }
    maps[each] = *std::move(map);
  }
  end(judge_daemon_set(name, set, maps, is_api_private_));
}

ProbePod KubeVerifier::pod() const {
  ProbePod out{.name = options_.pod_name,
               .in_namespace = options_.in_namespace,
               .image = options_.image,
               .service_account = options_.service_account,
               .labels = options_.pod_labels,
               .attempts = {},
               .attempt_time = options_.attempt_time,
               .proxy = options_.proxy,
               .patience = options_.wait};
  if (out.image.empty()) out.image = "ebbgate";  // for dry runs, in which nothing is pulled
  return out;
}

net::Task<void> KubeVerifier::injection() {
  if (has_no_api_) {
    (void)begin("webhook", "a pod that asks for it gets the proxy's variables");
    co_return;
  }
  // Besides, this is the control of the check host-network.
  auto made = co_await client_->create(core("pods", options_.in_namespace), to_json(pod()),
                                       {.dry_run = true});
  is_pod_admitted_ = made.has_value();
  if (!begin("webhook", "a pod that asks for it gets the proxy's variables")) co_return;
  if (!made) {
    end(made.error(), "a pod in " + options_.in_namespace + ", in a dry run");
    co_return;
  }
  // Where the webhook's configuration asks about no pod.
  const std::array passed_over{std::string("kube-system"), std::string("kube-public"),
                               std::string("kube-node-lease"), options_.gateway_namespace};
  if (std::ranges::find(passed_over, options_.in_namespace) != passed_over.end()) {
    end({Finding::kSkipped, "the webhook passes " + options_.in_namespace + " over",
         "name a namespace of applications by --namespace"});
    co_return;
  }
  auto configuration = co_await find(
      of_group("admissionregistration.k8s.io", "v1", "mutatingwebhookconfigurations"), kWebhook);
  std::optional<bool> is_installed;
  if (configuration) is_installed = configuration->has_value();
  Verdict verdict = judge_injection(*made, is_installed);
  is_injected_ = verdict.finding == Finding::kOk;
  end(std::move(verdict));
}

net::Task<void> KubeVerifier::proxy_variables() {
  if (!begin("proxy-variables", "the ConfigMap of the proxy's variables is whole")) co_return;
  std::map<std::string, std::optional<std::string>> maps;
  for (const std::string& space : {std::string("kube-system"), options_.in_namespace}) {
    auto found = co_await find(core("configmaps", space), kVariables);
    if (!found) {
      end(found.error(), "the ConfigMap in " + space);
      co_return;
    }
    maps[space] = *std::move(found);
  }
  auto service = co_await find(core("services", "default"), "kubernetes");
  const std::string address = service && *service ? service_address_of(**service) : "";
  end(judge_proxy_variables(maps, address, is_injected_));
}

net::Task<void> KubeVerifier::types() {
  if (!begin("types", "the API serves the types of policies")) co_return;
  std::string missing;
  for (const char* plural : {"clusteregresspolicies", "egresspolicies"}) {
    auto served = co_await client_->serves(policies_of(plural));
    if (!served) {
      end(served.error(), "the types of ebbgate.dev");
      co_return;
    }
    if (!*served) missing += (missing.empty() ? "" : ", ") + std::string(plural);
  }
  if (missing.empty()) {
    end({Finding::kOk, "ebbgate.dev/v1alpha1"});
  } else {
    end({Finding::kFailed, "not served: " + missing, "kubectl apply -k deploy/kubernetes/base"});
  }
}

net::Task<kube::Outcome<Renewals>> KubeVerifier::renewals() {
  auto found =
      co_await list(of_group("coordination.k8s.io", "v1", "leases", options_.gateway_namespace),
                    "app.kubernetes.io/name=ebbgate,app.kubernetes.io/component=gateway");
  if (!found) co_return std::unexpected(std::move(found.error()));
  co_return renewals_of(*found);
}

net::Task<void> KubeVerifier::load_policies() {
  for (const char* plural : {"clusteregresspolicies", "egresspolicies"}) {
    auto found = co_await list(policies_of(plural), "");
    if (found) {
      std::ranges::move(*found, std::back_inserter(policies_));
    } else if (!found.error().is_not_found()) {
      policies_failure_ = std::move(found.error());
    }
  }
}

net::Task<void> KubeVerifier::gateways() {
  if (!begin("gateways", "a gateway lives that goes by the cluster's policies")) {
    if (!has_no_api_) co_await load_policies();
    co_return;
  }
  auto before = co_await renewals();
  auto deployment =
      co_await find(of_group("apps", "v1", "deployments", options_.gateway_namespace), "ebbgate");
  if (before && !before->empty()) {
    net::Loop& loop = client_->loop();
    const Deadline until = loop.after(options_.lease_time);
    co_await net::sleep_until(loop, until);
  }
  auto after = co_await renewals();
  co_await load_policies();  // not before: a change that was just made has had its time
  if (!before || !after) {
    end(before ? after.error() : before.error(), "the gateways' Leases");
    co_return;
  }
  end(judge_gateways(*before, *after, policies_.size(),
                     deployment ? *std::move(deployment) : std::nullopt));
}

void KubeVerifier::policies() {
  if (!begin("policies", "every policy is accepted, and every gateway goes by it")) return;
  if (policies_failure_) {
    end(*policies_failure_, "policies");
  } else {
    end(judge_policies(policies_));
  }
}

net::Task<void> KubeVerifier::host_network() {
  const std::string space = options_.in_namespace;
  if (!begin("host-network", "no pod of the namespace may be on the node's network")) co_return;
  if (!is_pod_admitted_) {
    end({Finding::kSkipped, "no pod at all is admitted here", "see the check webhook"});
    co_return;
  }
  ProbePod wanted = pod();
  wanted.has_host_network = true;
  auto made = co_await client_->create(core("pods", space), to_json(wanted), {.dry_run = true});
  if (made) {
    end({Finding::kFailed,
         "a pod on the node's network would be admitted to " + space +
             ", and no NetworkPolicy binds it",
         "`kubectl label namespace " + space + " pod-security.kubernetes.io/enforce=baseline`"});
  } else if (made.error().kind == kube::Failure::Kind::kStatus && made.error().status / 100 == 4) {
    end({Finding::kOk, "refused: " + made.error().message});
  } else {
    end(made.error(), "a pod on the node's network, in a dry run");
  }
}

net::Task<std::string> KubeVerifier::gateway_image() {
  for (const char* name : {"ebbgate", kWebhook}) {
    auto found =
        co_await find(of_group("apps", "v1", "deployments", options_.gateway_namespace), name);
    if (!found || !*found) continue;
    std::string image = image_of(**found);
    if (!image.empty()) co_return image;
  }
  co_return std::string();
}

net::Task<void> KubeVerifier::test_pod() {
  if (options_.allowed.empty()) options_.allowed = an_allowed_target(policies_);
  if (!begin("test-pod", "a pod of the namespace runs and can be asked what it reaches")) co_return;
  if (options_.image.empty()) options_.image = co_await gateway_image();
  if (options_.image.empty()) {
    end({Finding::kSkipped, "no Deployment of gateways tells which image to run",
         "name one that holds this program by --image"});
    co_return;
  }
  if (!options_.allowed.empty()) allowed_ = "tunnel:" + options_.allowed;
  refused_ = "tunnel:" + options_.refused;
  cluster_name_ = "query:kubernetes.default.svc." + options_.cluster_domain;
  unlisted_ = {"query:" + options_.unlisted,
               "query:" + options_.random_label + "." + options_.unlisted};
  for (const std::string& each : options_.outside) direct_.push_back("connect:" + each);
  for (const std::string& each : options_.resolvers) {
    resolvers_.push_back("query:" + options_.unlisted + "@" + each);
    resolvers_.push_back("query-tcp:" + options_.unlisted + "@" + each);
  }
  // The instance's metadata; the agent of EKS Pod Identity, beside it, is for pods.
  metadata_ = {"connect:169.254.169.254:80", "connect:[fd00:ec2::254]:80"};
  ProbePod wanted = pod();
  for (const Texts* some : {&direct_, &unlisted_, &resolvers_, &metadata_}) {
    wanted.attempts.insert(wanted.attempts.end(), some->begin(), some->end());
  }
  for (const std::string& each : {allowed_, refused_, cluster_name_}) {
    if (!each.empty()) wanted.attempts.push_back(each);
  }
  auto made = co_await client_->create(core("pods", wanted.in_namespace), to_json(wanted));
  if (!made && made.error().kind == kube::Failure::Kind::kStatus) {
    end({Finding::kFailed, made.error().describe("a pod in " + wanted.in_namespace),
         "name a namespace of applications by --namespace; " + next_step(made.error())});
    co_return;
  }
  has_left_pod_ = true;  // though the answer may have been lost
  Verdict verdict;
  if (made) {
    verdict = co_await follow_pod();
  } else {
    verdict = {Finding::kCannotBeTold, made.error().describe("a pod"), next_step(made.error())};
  }
  auto removed = co_await remove_pod(*client_, wanted.in_namespace, wanted.name);
  has_left_pod_ = !removed;
  end(std::move(verdict));
}

net::Task<Verdict> KubeVerifier::follow_pod() {
  const kube::Resource pods = core("pods", options_.in_namespace);
  const kube::ObjectId id{options_.in_namespace, options_.pod_name};
  kube::Selection selection{.fields = "metadata.name=" + options_.pod_name};
  watch_ = std::make_unique<kube::ListWatch>(*client_, pods, pods_, std::move(selection));
  watch_->start();
  const Deadline until = client_->loop().after(options_.wait);
  std::string why = "the API says nothing of it";
  bool was_seen = false;
  while (true) {
    const auto found = pods_.objects().find(id);
    if (found != pods_.objects().end()) {
      was_seen = true;
      auto verdict = judge_progress(found->second, why);
      if (verdict && verdict->finding != Finding::kOk) co_return *std::move(verdict);
      if (verdict) break;
    } else if (was_seen) {
      co_return Verdict{Finding::kFailed, "somebody deleted the pod", "try again"};
    }
    const kube::WatchState& state = watch_->state();
    if (!state.is_synced && state.failures >= kHopelessFailures) {
      co_return Verdict{Finding::kCannotBeTold, "the pod cannot be watched: " + state.last_error,
                        "docs/kubernetes.md lists the rights that this needs"};
    }
    const net::Wait::End ended = co_await changed_.wait(until);
    if (ended == net::Wait::End::kStopped) co_return Verdict{Finding::kCannotBeTold, "interrupted"};
    if (ended == net::Wait::End::kTimedOut) {
      co_return Verdict{Finding::kFailed, "the pod does not run: " + why,
                        "look at `kubectl -n " + options_.in_namespace +
                            " get events`, or give it more time by --wait"};
    }
  }
  auto log = co_await client_->get_text(pods.path(options_.pod_name, "log") +
                                        "?container=" + kProbeContainer);
  if (!log) {
    co_return Verdict{Finding::kCannotBeTold, log.error().describe("the pod's log"),
                      "the API server has to reach the kubelet; " + next_step(log.error())};
  }
  Report report(read_lines(*log));
  if (report.all().empty()) {
    co_return Verdict{Finding::kFailed,
                      "the pod tried nothing; it printed: " + escaped_prose(*log, kLogShown),
                      "its image has to have this program, of this release, as its entry point"};
  }
  Verdict verdict{Finding::kOk, options_.image + " ran in " + options_.in_namespace +
                                    " and tried " + std::to_string(report.all().size()) +
                                    " things"};
  report_ = std::move(report);
  co_return verdict;
}

net::Task<kube::Outcome<void>> KubeVerifier::remove_pod(kube::Client& client,
                                                        std::string in_namespace,
                                                        std::string name) {
  co_return co_await client.remove(core("pods", std::move(in_namespace)), std::move(name));
}

void KubeVerifier::from_the_pod() {
  const auto check = [&](const char* name, const char* proof, const auto& judge) {
    if (!begin(name, proof)) return;
    if (report_) {
      end(judge());
    } else {
      end({Finding::kSkipped, "no pod has tried it", "see the check test-pod"});
    }
  };
  const std::string bypass =
      "`ebbgate kube manifests --part namespaces --app-namespace " + options_.in_namespace +
      "` renders the NetworkPolicy; the network plugin has to enforce it (with the VPC CNI, "
      "enableNetworkPolicy)";
  check("cluster-dns", "a pod resolves the cluster's names",
        [&] { return judge_cluster_dns(*report_, cluster_name_); });
  check("allowed-request", "a gateway lets pass what the policy allows", [&] {
    if (!allowed_.empty()) return judge_allowed(*report_, allowed_);
    return Verdict{Finding::kSkipped, "no policy for everyone allows a single name",
                   "name what is allowed to the namespace by --allowed HOST:PORT"};
  });
  check("refused-request", "a gateway refuses what the policy does not allow",
        [&] { return judge_refused(*report_, refused_); });
  check("direct-egress", "a pod reaches nothing outside past the gateway",
        [&] { return judge_unreached(*report_, direct_, bypass); });
  check("dns-tunnel", "the cluster's DNS asks nobody for names that no policy knows",
        [&] { return judge_dns_tunnel(*report_, unlisted_); });
  check("dns-direct", "a pod reaches no name server outside",
        [&] { return judge_unreached(*report_, resolvers_, bypass); });
  check("metadata-service", "a pod does not reach the instance's metadata service", [&] {
    return judge_unreached(*report_, metadata_,
                           bypass +
                               "; besides, give instances a hop limit of 1 "
                               "(HttpPutResponseHopLimit), which keeps the node's role from "
                               "pods");
  });
}

}  // namespace ebbgate::deploy
