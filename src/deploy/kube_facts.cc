#include "deploy/kube_facts.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <utility>

#include "config/yaml_json.h"
#include "noproxy/target.h"

namespace ebbgate::deploy {
namespace {

using Json = nlohmann::json;
using kube::Failure;
using kube::Outcome;
using kube::Resource;

constexpr std::string_view kVariables = "proxy-environment-variables";  // the ConfigMap
constexpr const char* kNameLabel = "app.kubernetes.io/name";
constexpr std::size_t kMaxNamed = 3;  // of a list, in a message

const Json& at(const Json& object, const char* key) {
  static const Json kNothing;
  if (!object.is_object()) return kNothing;
  const auto found = object.find(key);
  return found == object.end() ? kNothing : *found;
}

std::string text_of(const Json& value) {
  return value.is_string() ? value.get<std::string>() : std::string();
}

std::string text_at(const Json& object, const char* key) {
  return text_of(at(object, key));
}

Json parsed(std::string_view text) {
  return Json::parse(text, nullptr, false);
}

// The items of what should be a list.
const Json& items(const Json& object, const char* key) {
  static const Json kNone = Json::array();
  const Json& found = at(object, key);
  return found.is_array() ? found : kNone;
}

template <typename T>
std::string listed(const std::vector<T>& values) {
  std::string out;
  for (std::size_t i = 0; i < std::min(values.size(), kMaxNamed); ++i) {
    out += (i == 0 ? "" : ", ") + values[i].str();
  }
  if (values.size() > kMaxNamed)
    out += " and " + std::to_string(values.size() - kMaxNamed) + " more";
  return out;
}

void add(std::vector<Cidr>& to, std::string_view text) {
  const auto block = Cidr::parse(text);
  if (block && std::ranges::find(to, *block) == to.end()) to.push_back(*block);
}

bool has_variables(const Json& daemon_set) {
  const Json& spec = at(at(at(daemon_set, "spec"), "template"), "spec");
  for (const Json& container : items(spec, "containers")) {
    for (const Json& each : items(container, "envFrom")) {
      if (text_at(at(each, "configMapRef"), "name") == kVariables) return true;
    }
    for (const Json& each : items(container, "env")) {
      const std::string name = text_at(each, "name");
      if (name == "HTTPS_PROXY" || name == "https_proxy") return true;
    }
  }
  return false;
}

bool has_argument(const Json& daemon_set, std::string_view argument) {
  const Json& spec = at(at(at(daemon_set, "spec"), "template"), "spec");
  for (const Json& container : items(spec, "containers")) {
    for (const char* key : {"args", "command"}) {
      for (const Json& each : items(container, key)) {
        if (text_of(each) == argument) return true;
      }
    }
  }
  return false;
}

std::string variable_of(const Json& daemon_set, std::string_view name) {
  const Json& spec = at(at(at(daemon_set, "spec"), "template"), "spec");
  for (const Json& container : items(spec, "containers")) {
    for (const Json& each : items(container, "env")) {
      if (text_at(each, "name") == name) return text_at(each, "value");
    }
  }
  return "";
}

struct Plugin {
  std::string_view daemon_set;
  std::string_view name;
  Enforcement enforcement;
};
constexpr std::array<Plugin, 8> kPlugins = {{
    {"calico-node", "Calico", Enforcement::kYes},
    {"cilium", "Cilium", Enforcement::kYes},
    {"antrea-agent", "Antrea", Enforcement::kYes},
    {"kube-router", "kube-router", Enforcement::kYes},
    {"weave-net", "Weave Net", Enforcement::kYes},
    {"kindnet", "kindnet", Enforcement::kUnknown},  // it does since 2024
    {"kube-flannel", "Flannel", Enforcement::kNo},
    {"kube-flannel-ds", "Flannel", Enforcement::kNo},
}};

class Inquiry {
 public:
  Inquiry(kube::Client& client, std::string server, std::string own_namespace)
      : client_(&client), server_(std::move(server)), own_namespace_(std::move(own_namespace)) {}

  net::Task<Outcome<KubeFacts>> run() {
    auto version = co_await client_->get_path("/version");
    if (!version) co_return std::unexpected(std::move(version.error()));
    find("version", text_at(parsed(*version), "gitVersion"));
    take_server();
    co_await ask_endpoint_addresses();
    co_await ask_nodes();
    co_await ask_service_cidrs();
    if (facts_.service_cidrs.empty() || facts_.pod_cidrs.empty()) co_await ask_kubeadm();
    if (facts_.service_cidrs.empty()) co_await probe_service_cidr();
    co_await check_service();
    co_await ask_daemon_sets();
    co_await ask_prometheus();
    co_await ask_own();
    co_return std::move(facts_);
  }

 private:
  void find(std::string what, std::string value, std::string from = "") {
    if (!value.empty()) {
      facts_.findings.push_back({std::move(what), std::move(value), std::move(from)});
    }
  }
  void gap(const Failure& failure, std::string_view what) {
    facts_.gaps.push_back(failure.describe(what));
  }
  // An object, or what is no JSON where it cannot be had: what is not there is no gap.
  net::Task<Json> get(Resource resource, std::string name, std::string what) {
    auto text = co_await client_->get(std::move(resource), std::move(name));
    if (text) co_return parsed(*text);
    if (!text.error().is_not_found()) gap(text.error(), what);
    co_return Json();
  }
  // Calls `take` with each, and `again` where all of it begins anew; false where they cannot be
  // had. A cluster may have thousands of them: none is kept.
  net::Task<bool> list(Resource resource, kube::Selection selection, std::string what,
                       std::function<void(const Json&)> take, std::function<void()> again) {
    kube::Client::Take pass = [&take](std::string_view object) {
      take(parsed(object));
      return true;
    };
    auto listed = co_await client_->list(std::move(resource), std::move(selection), std::move(pass),
                                         std::move(again));
    if (!listed && !listed.error().is_not_found()) gap(listed.error(), what);
    co_return listed.has_value();
  }

  void take_server() {
    const auto target = noproxy::Target::parse(server_);
    if (!target) return;
    if (target->address) {
      facts_.endpoint_addresses.push_back(*target->address);
      find("API endpoint", server_, "how it is reached here");
      return;
    }
    auto name = Hostname::parse(target->host);
    if (!name || target->host == "localhost") return;
    facts_.endpoint = *std::move(name);
    find("API endpoint", server_, "how it is reached here");
    facts_.region = region_of_endpoint(target->host);
    if (!facts_.region.empty()) {
      facts_.is_eks = true;
      find("EKS region", facts_.region, "the endpoint's name");
    }
  }

  net::Task<void> ask_endpoint_addresses() {
    Resource slices{
        .group = "discovery.k8s.io", .plural = "endpointslices", .in_namespace = "default"};
    kube::Selection selection{.labels = "kubernetes.io/service-name=kubernetes"};
    std::vector<IpAddress> found;
    std::function<void(const Json&)> take = [&found](const Json& slice) {
      for (const Json& endpoint : items(slice, "endpoints")) {
        for (const Json& each : items(endpoint, "addresses")) {
          if (const auto address = IpAddress::parse(text_of(each))) found.push_back(*address);
        }
      }
    };
    std::function<void()> again = [&found] { found.clear(); };
    static_cast<void>(co_await list(std::move(slices), std::move(selection),
                                    "the endpoints of the API", std::move(take), std::move(again)));
    if (found.empty()) co_return;
    find("API servers", deploy::listed(found), "the EndpointSlices of the service kubernetes");
    for (const IpAddress& each : found) facts_.endpoint_addresses.push_back(each);
  }

  void take_node(const Json& node) {
    ++facts_.nodes;
    const Json& spec = at(node, "spec");
    for (const Json& each : items(at(node, "status"), "addresses")) {
      const auto address = IpAddress::parse(text_at(each, "address"));
      if (address && text_at(each, "type") == "InternalIP") {
        facts_.node_addresses.push_back(*address);
      }
    }
    for (const Json& each : items(spec, "podCIDRs")) add(facts_.node_pod_cidrs, text_of(each));
    const Json& labels = at(at(node, "metadata"), "labels");
    const std::string provider = text_at(spec, "providerID");
    if (labels.is_object()) {
      for (const auto& [key, value] : labels.items()) {
        facts_.is_eks |= key.starts_with("eks.amazonaws.com/");
      }
    }
    if (provider.starts_with("aws:///") && facts_.region.empty()) {
      const std::string zone = provider.substr(7, provider.find('/', 7) - 7);
      facts_.region = region_of_zone(zone);
      find("region", facts_.region, "a node's providerID");
    }
    if (facts_.cluster_name.empty()) {
      facts_.cluster_name = text_at(labels, "alpha.eksctl.io/cluster-name");
      find("cluster's name", facts_.cluster_name, "a node's label of eksctl");
    }
    const std::string version = text_at(at(at(node, "status"), "nodeInfo"), "kubeletVersion");
    if (version.contains("+k3s") && facts_.network_plugin.empty()) {
      facts_.network_plugin = "k3s's own";
      facts_.enforcement = Enforcement::kYes;
    }
  }

  net::Task<void> ask_nodes() {
    std::function<void(const Json&)> take = [this](const Json& node) { take_node(node); };
    std::function<void()> again = [this] {
      facts_.nodes = 0;
      facts_.node_addresses.clear();
      facts_.node_pod_cidrs.clear();
    };
    const bool is_known =
        co_await list({.plural = "nodes"}, {}, "the nodes", std::move(take), std::move(again));
    if (!is_known) co_return;
    find("nodes",
         std::to_string(facts_.nodes) +
             (facts_.node_addresses.empty() ? "" : ", " + deploy::listed(facts_.node_addresses)),
         "their InternalIPs");
    if (!facts_.node_pod_cidrs.empty()) {
      find("pods of nodes", deploy::listed(facts_.node_pod_cidrs), "the nodes' podCIDRs");
    }
    if (facts_.is_eks) find("EKS", "yes", "its endpoint, or labels of its nodes");
  }

  net::Task<void> ask_service_cidrs() {
    std::vector<std::pair<std::string, std::vector<Cidr>>> found;
    std::function<void(const Json&)> take = [&found](const Json& object) {
      std::vector<Cidr> blocks;
      for (const Json& each : items(at(object, "spec"), "cidrs")) add(blocks, text_of(each));
      found.emplace_back(text_at(at(object, "metadata"), "name"), std::move(blocks));
    };
    Resource resource{.group = "networking.k8s.io", .plural = "servicecidrs"};
    std::function<void()> again = [&found] { found.clear(); };
    static_cast<void>(co_await list(std::move(resource), {}, "the ServiceCIDRs", std::move(take),
                                    std::move(again)));
    // The cluster's own comes first: the address of the service `kubernetes` is in it.
    std::ranges::sort(found, {}, [](const auto& each) {
      return std::pair(each.first != "kubernetes", each.first);
    });
    for (const auto& [name, blocks] : found) {
      find("services", deploy::listed(blocks), "the ServiceCIDR " + name);
      for (const Cidr& each : blocks) facts_.service_cidrs.push_back(each);
    }
  }

  net::Task<void> ask_kubeadm() {
    Resource maps{.plural = "configmaps", .in_namespace = "kube-system"};
    const Json map =
        co_await get(std::move(maps), "kubeadm-config", "the ConfigMap kubeadm-config");
    const auto documents = config::yaml_as_json(text_at(at(map, "data"), "ClusterConfiguration"));
    if (!documents || documents->empty()) co_return;
    const Json configuration = parsed(documents->front());
    const Json& networking = at(configuration, "networking");
    const std::string from = "the ConfigMap kubeadm-config";
    if (facts_.service_cidrs.empty()) {
      take_list(text_at(networking, "serviceSubnet"), facts_.service_cidrs);
      if (!facts_.service_cidrs.empty()) {
        find("services", deploy::listed(facts_.service_cidrs), from);
      }
    }
    take_list(text_at(networking, "podSubnet"), facts_.pod_cidrs);
    if (!facts_.pod_cidrs.empty()) find("pods", deploy::listed(facts_.pod_cidrs), from);
  }

  static void take_list(std::string_view text, std::vector<Cidr>& to) {
    for (;;) {
      const std::size_t comma = text.find(',');
      add(to, text.substr(0, comma));
      if (comma == std::string_view::npos) return;
      text.remove_prefix(comma + 1);
    }
  }

  // No server gives a service 0.0.0.1, and says why: with the block that it would be from.
  net::Task<void> probe_service_cidr() {
    Resource services{.plural = "services", .in_namespace = "default"};
    std::string probe =
        R"({"apiVersion":"v1","kind":"Service","metadata":{"name":"ebbgate-asks-for-the-block"},)"
        R"("spec":{"clusterIP":"0.0.0.1","ports":[{"port":443}]}})";
    auto made = co_await client_->create(std::move(services), std::move(probe), {.dry_run = true});
    if (made) co_return;
    const auto range = service_range_in(made.error().message);
    if (range) {
      facts_.service_cidrs.push_back(*range);
      find("services", range->str(), "how the API refuses an address");
    } else {
      gap(made.error(), "the block of the services, by a Service in a dry run");
    }
  }

  net::Task<void> check_service() {
    Resource services{.plural = "services", .in_namespace = "default"};
    const Json service = co_await get(std::move(services), "kubernetes", "the service kubernetes");
    const auto address = IpAddress::parse(text_at(at(service, "spec"), "clusterIP"));
    if (!address) co_return;
    const auto& blocks = facts_.service_cidrs;
    const bool is_in =
        std::ranges::any_of(blocks, [&](const Cidr& each) { return each.contains(*address); });
    if (blocks.empty()) {
      facts_.gaps.push_back(
          "the block of the services is not to be found; the service kubernetes "
          "has " +
          address->str() + ", which is in it: give --service-cidr");
    } else if (!is_in) {
      facts_.gaps.push_back("the service kubernetes has " + address->str() +
                            ", which is in none of the blocks that were found");
    }
  }

  void take_daemon_set(const Json& object) {
    const Json& metadata = at(object, "metadata");
    const std::string name = text_at(metadata, "name");
    const bool is_of_system = text_at(metadata, "namespace") == "kube-system";
    if (is_of_system && (name == "aws-node" || name == "kube-proxy")) {
      facts_.daemon_sets.push_back({name, has_variables(object)});
    }
    if (is_of_system && name == "aws-node") {
      const std::string cluster = variable_of(object, "CLUSTER_NAME");
      if (facts_.cluster_name.empty() && !cluster.empty()) {
        facts_.cluster_name = cluster;
        find("cluster's name", cluster, "the DaemonSet aws-node");
      }
      if (facts_.enforcement != Enforcement::kYes) {
        facts_.network_plugin = "the VPC CNI";
        const bool is_on = has_argument(object, "--enable-network-policy=true");
        facts_.enforcement = is_on ? Enforcement::kYes : Enforcement::kNo;
      }
    }
    for (const Plugin& plugin : kPlugins) {
      if (plugin.daemon_set != name || facts_.enforcement == Enforcement::kYes) continue;
      facts_.network_plugin = plugin.name;
      facts_.enforcement = plugin.enforcement;
    }
  }

  net::Task<void> ask_daemon_sets() {
    std::function<void(const Json&)> take = [this](const Json& each) { take_daemon_set(each); };
    Resource resource{.group = "apps", .plural = "daemonsets"};
    std::function<void()> again = [this] { facts_.daemon_sets.clear(); };
    static_cast<void>(co_await list(std::move(resource), {}, "the DaemonSets", std::move(take),
                                    std::move(again)));
    std::ranges::sort(facts_.daemon_sets, {}, &KubeFacts::DaemonSet::name);
    for (const auto& each : facts_.daemon_sets) {
      find(each.name,
           each.has_proxy ? "has the proxy's variables" : "has no variables of the proxy");
    }
    const char* word = facts_.enforcement == Enforcement::kYes  ? "enforced by "
                       : facts_.enforcement == Enforcement::kNo ? "not enforced by "
                                                                : "it is not known whether by ";
    find("network policies", facts_.network_plugin.empty() ? "it is not known who enforces them"
                                                           : word + facts_.network_plugin);
  }

  net::Task<void> ask_prometheus() {
    Resource resource{.group = "monitoring.coreos.com", .plural = "servicemonitors"};
    auto serves = co_await client_->serves(std::move(resource));
    if (!serves) gap(serves.error(), "the types of Prometheus's operator");
    facts_.has_prometheus_operator = serves && *serves;
    if (facts_.has_prometheus_operator) find("Prometheus's operator", "its types are there");
  }

  net::Task<void> ask_own() {
    Resource maps{.plural = "configmaps", .in_namespace = "kube-system"};
    const Json map =
        co_await get(std::move(maps), std::string(kVariables), "the proxy's variables");
    const std::string proxy = text_at(at(map, "data"), "HTTPS_PROXY");
    const std::string name = "the ConfigMap kube-system/" + std::string(kVariables);
    if (text_at(at(at(map, "metadata"), "labels"), kNameLabel) != "ebbgate") {
      find("proxy", proxy, name + ", which is not ours");
    } else if (!proxy.contains(".svc.cluster.local:") && is_proxy_url(proxy)) {
      facts_.proxy_url = proxy;
      find("proxy", proxy, name);
    }
    Resource deployments{.group = "apps", .plural = "deployments", .in_namespace = own_namespace_};
    const Json gateways =
        co_await get(std::move(deployments), "ebbgate", "the gateways' Deployment");
    const Json& pod = at(at(at(gateways, "spec"), "template"), "spec");
    for (const Json& container : items(pod, "containers")) {
      if (facts_.image.empty()) facts_.image = text_at(container, "image");
    }
    find("gateways' image", facts_.image, "the Deployment " + own_namespace_ + "/ebbgate");
  }

  kube::Client* client_;
  std::string server_;
  std::string own_namespace_;
  KubeFacts facts_;
};

bool is_loopback(const IpAddress& address) {
  return Cidr::parse("127.0.0.0/8")->contains(address) || Cidr::parse("::1/128")->contains(address);
}

bool is_covered(const std::vector<Cidr>& blocks, const IpAddress& address) {
  return std::ranges::any_of(blocks, [&](const Cidr& each) { return each.contains(address); });
}

bool is_covered(const std::vector<Cidr>& blocks, const Cidr& block) {
  return std::ranges::any_of(blocks, [&](const Cidr& each) { return each.contains(block); });
}

void take_networks(const KubeFacts& facts, KubeAnswers& answers, std::vector<std::string>& notes) {
  noproxy::ClusterFacts& network = answers.network;
  if (network.vpc_cidrs.empty()) {
    std::string why =
        "--vpc-cidr is missing: the API does not tell the block that nodes have "
        "their addresses from";
    if (!facts.node_addresses.empty()) why += "; these have " + listed(facts.node_addresses);
    notes.push_back(std::move(why));
    return;
  }
  if (answers.pod_cidrs.empty()) {
    for (const Cidr& pods : facts.pod_cidrs) {
      if (!is_covered(network.vpc_cidrs, pods)) network.vpc_cidrs.push_back(pods);
    }
    answers.pod_cidrs = facts.pod_cidrs;
  }
  std::vector<IpAddress> strangers;
  for (const IpAddress& each : facts.node_addresses) {
    if (!is_covered(network.vpc_cidrs, each)) strangers.push_back(each);
  }
  if (!strangers.empty()) {
    notes.push_back("nodes have " + listed(strangers) + ", which is in no --vpc-cidr");
  }
  std::vector<Cidr> strange;
  for (const Cidr& each : facts.node_pod_cidrs) {
    if (!is_covered(network.vpc_cidrs, each)) strange.push_back(each);
  }
  if (!strange.empty()) {
    notes.push_back("pods have " + listed(strange) +
                    ", which is in no --vpc-cidr; give the block of all pods, too, and as "
                    "--pod-cidr");
  }
}

}  // namespace

net::Task<Outcome<KubeFacts>> learn_kube(kube::Client& client, std::string server,
                                         std::string own_namespace) {
  Inquiry inquiry(client, std::move(server), std::move(own_namespace));
  co_return co_await inquiry.run();
}

std::vector<std::string> take_facts(const KubeFacts& facts, KubeAnswers& answers) {
  std::vector<std::string> notes;
  noproxy::ClusterFacts& network = answers.network;
  const auto& blocks = facts.service_cidrs;
  if (network.service_cidrs.empty()) {
    network.service_cidrs = blocks;
  } else if (!blocks.empty() && network.service_cidrs != blocks) {
    notes.push_back("--service-cidr is " + listed(network.service_cidrs) +
                    ", and the cluster's is " + listed(blocks));
  }
  take_networks(facts, answers, notes);
  if (!network.cluster_endpoint) network.cluster_endpoint = facts.endpoint;
  for (const IpAddress& each : facts.endpoint_addresses) {
    const bool is_known = is_covered(network.vpc_cidrs, each) || is_loopback(each) ||
                          is_covered(network.service_cidrs, each);
    const std::string text = each.str();
    if (!is_known && std::ranges::find(network.extras, text) == network.extras.end()) {
      network.extras.push_back(text);
    }
  }
  if (answers.proxy_url.empty()) answers.proxy_url = facts.proxy_url;
  if (answers.image.empty()) answers.image = facts.image;
  if (network.region.empty()) network.region = facts.region;
  if (answers.cluster_name.empty()) answers.cluster_name = facts.cluster_name;
  if (facts.enforcement == Enforcement::kNo) {
    notes.push_back("network policies are not enforced by " + facts.network_plugin +
                    ", so that the bypass stays open" +
                    (facts.network_plugin == "the VPC CNI"
                         ? "; set enableNetworkPolicy: \"true\" in the add-on's configuration"
                         : ""));
  }
  if (answers.has_monitoring && !facts.has_prometheus_operator) {
    notes.emplace_back("--monitoring is for Prometheus's operator, whose types are not there");
  }
  return notes;
}

std::optional<Cidr> service_range_in(std::string_view message) {
  static constexpr std::string_view kBefore = "range of valid IPs is ";
  const std::size_t found = message.find(kBefore);
  if (found == std::string_view::npos) return std::nullopt;
  message.remove_prefix(found + kBefore.size());
  std::size_t end = 0;
  while (end < message.size() &&
         (std::string_view("0123456789abcdefABCDEF.:/").contains(message[end]))) {
    ++end;
  }
  return Cidr::parse(message.substr(0, end));
}

std::string region_of_zone(std::string_view zone) {
  // Words with hyphens up to a number: eu-west-2a, us-gov-east-1b, us-west-2-lax-1a.
  std::size_t at = 0;
  std::size_t words = 0;
  while (at < zone.size()) {
    if (zone[at] >= '0' && zone[at] <= '9') {
      std::size_t end = at;
      while (end < zone.size() && zone[end] >= '0' && zone[end] <= '9') ++end;
      return words >= 2 ? std::string(zone.substr(0, end)) : "";
    }
    const std::size_t begin = at;
    while (at < zone.size() && zone[at] >= 'a' && zone[at] <= 'z') ++at;
    if (at == begin || at == zone.size() || zone[at] != '-') return "";
    ++at;
    ++words;
  }
  return "";
}

std::string region_of_endpoint(std::string_view host) {
  std::string_view rest = host;
  for (const std::string_view tail : {".eks.amazonaws.com", ".eks.amazonaws.com.cn"}) {
    if (!host.ends_with(tail)) continue;
    rest.remove_suffix(tail.size());
    const std::string_view label = rest.substr(rest.rfind('.') + 1);
    const std::string region = region_of_zone(label);
    return region == label ? region : "";
  }
  return "";
}

}  // namespace ebbgate::deploy
