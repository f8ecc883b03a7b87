#include "deploy/plan.h"

#include <algorithm>
#include <array>
#include <utility>

#include "deploy/allowlist.h"
#include "deploy/check.h"

namespace ebbgate::deploy {
namespace {

using aws::cloudformation::Pairs;
using config::EksSettings;

std::string yes_or_no(bool is_so) {
  return is_so ? "true" : "false";
}

std::string join(const auto& items, auto&& text_of) {
  std::string out;
  for (const auto& item : items) out += (out.empty() ? "" : ",") + std::string(text_of(item));
  return out;
}

std::string joined(const config::Texts& texts) {
  return join(texts, [](const auto& each) { return each.value; });
}

// The subnets of the VPC's block: the second to fourth eighth are the nodes', one a zone; the
// first has room for the public ones and, in its second half, for those of gateways behind NAT.
struct Subnets {
  std::vector<std::string> are_public;
  std::vector<std::string> for_gateways;  // behind NAT
  std::vector<std::string> for_nodes;
};
Subnets subnets_of(const Cidr& vpc) {
  const unsigned eighth = vpc.prefix() + 3;
  const unsigned small = std::max(std::min(vpc.prefix() + 8, 27U), eighth + 3);
  const std::uint32_t half = 1U << (small - eighth - 1);
  const std::uint32_t base = vpc.network().v4_value();
  Subnets subnets;
  for (std::uint32_t i = 0; i < 3; ++i) {
    const auto at = [&](std::uint32_t index, unsigned prefix) {
      return Cidr::of(IpAddress::v4(base + (index << (32 - prefix))), prefix).str();
    };
    subnets.are_public.push_back(at(i, small));
    subnets.for_gateways.push_back(at(half + i, small));
    subnets.for_nodes.push_back(at(i + 1, eighth));
  }
  return subnets;
}

// `ecr.api` as the template's parameter has it: EndpointEcrApi.
std::string endpoint_parameter(std::string_view service) {
  std::string name = "Endpoint";
  bool is_first = true;
  for (const char c : service) {
    if (c == '.' || c == '-') {
      is_first = true;
      continue;
    }
    name += is_first && c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
    is_first = false;
  }
  return name;
}

bool has_own_return_routes(const config::EksBastion& bastion) {
  return bastion.account.value.empty() && bastion.region.value.empty();
}

class Planner {
 public:
  Planner(const EksSettings& settings, const std::string& allowlist)
      : settings_(settings), allowlist_(allowlist) {}

  Plan make() {
    plan_.cluster = settings_.name.value;
    plan_.region = settings_.region.value;
    plan_.tags = {{"ebbgate:cluster", settings_.name.value}};
    for (const auto& [key, value] : settings_.tags) plan_.tags.emplace_back(key.value, value);
    add_vpc();
    if (settings_.bastion) add_peering(*settings_.bastion);
    begin("service-role", "role of the control plane", "2", "1", {});
    add_cluster();
    add_gateway();
    add_monitoring();
    add_nodegroup();
    return std::move(plan_);
  }

 private:
  void begin(std::string id, std::string title, std::string satisfies, std::string minutes,
             std::vector<std::string> after) {
    Step step;
    step.stack = settings_.name.value + "-" + id;
    step.id = std::move(id);
    step.title = std::move(title);
    step.satisfies = std::move(satisfies);
    step.minutes = std::move(minutes);
    step.after = std::move(after);
    plan_.steps.push_back(std::move(step));
  }
  void give(std::string name, Source source) {
    plan_.steps.back().arguments.push_back({std::move(name), std::move(source)});
  }
  // Only where there is something to say: the template has the default.
  void give_some(std::string name, std::string text) {
    if (!text.empty()) give(std::move(name), std::move(text));
  }
  void give_output(std::string name, std::string step, std::string output) {
    give(std::move(name), FromOutput{std::move(step), std::move(output)});
  }
  [[nodiscard]] std::string address_mode() const {
    return settings_.gateway.addresses.value == config::AddressMode::kEip ? "eip" : "nat";
  }
  void give_vpc(const std::string& name) { give_output(name, "vpc", name); }

  void add_vpc() {
    const config::EksNetwork& network = settings_.network;
    begin("vpc", "network without a way to the internet of its own", "1", "3", {});
    give("VpcCidr", network.cidr.value.str());
    give("ZoneCount", std::to_string(network.zones.size()));
    const Subnets subnets = subnets_of(network.cidr.value);
    for (std::size_t i = 0; i < 3; ++i) {
      const std::string number = std::to_string(i + 1);
      if (i < network.zones.size()) {
        const std::string& zone = network.zones[i].value;
        const bool is_name = zone.back() >= 'a';
        give("Zone" + number + "Id", is_name ? Source(FromZone{zone}) : Source(zone));
      }
      give("PublicSubnet" + number + "Cidr", subnets.are_public[i]);
      give("GatewaySubnet" + number + "Cidr", subnets.for_gateways[i]);
      give("PrivateSubnet" + number + "Cidr", subnets.for_nodes[i]);
    }
    give("AddressMode", address_mode());
    for (const std::string_view service : interface_endpoints()) {
      const auto& wanted = network.endpoints;
      const bool is_wanted = std::ranges::find(wanted, service, [](const auto& each) {
                               return std::string_view(each.value);
                             }) != wanted.end();
      give(endpoint_parameter(service), yes_or_no(is_wanted));
    }
  }

  void add_peering(const config::EksBastion& bastion) {
    begin("peering", "way between the bastion's VPC and the cluster's", "5", "1", {"vpc"});
    give("Part", std::string(has_own_return_routes(bastion) ? "both" : "connection"));
    give_vpc("VpcId");
    give_vpc("VpcCidr");
    give_vpc("ZoneCount");
    give_vpc("PrivateRouteTableIds");
    give_vpc("PublicRouteTableId");
    give("PeerVpcId", bastion.vpc.value);
    give("PeerVpcCidr", bastion.cidr.value.str());
    give("PeerRouteTableCount", std::to_string(bastion.route_tables.size()));
    give("PeerRouteTableIds", joined(bastion.route_tables));
    give_some("PeerAccountId", bastion.account.value);
    give_some("PeerRegion", bastion.region.value);
    give_some("PeerRoleArn", bastion.peer_role.value);
    if (!has_own_return_routes(bastion)) add_return_routes(bastion);
  }

  void add_return_routes(const config::EksBastion& bastion) {
    const std::string& region =
        bastion.region.value.empty() ? settings_.region.value : bastion.region.value;
    ByHand hand;
    hand.what = "The routes back are in the bastion's " +
                std::string(bastion.account.value.empty() ? "region" : "account") +
                ", where this command has no say: make them there.";
    for (const auto& table : bastion.route_tables) {
      hand.commands.push_back("aws ec2 create-route --region " + region + " --route-table-id " +
                              table.value + " --destination-cidr-block " +
                              settings_.network.cidr.value.str() +
                              " --vpc-peering-connection-id PEERING_CONNECTION_ID");
    }
    plan_.by_hand.push_back(std::move(hand));
  }

  void add_cluster() {
    begin("cluster", "control plane with a private endpoint", "3, 4, 7", "12",
          {"vpc", "service-role"});
    give("ClusterName", settings_.name.value);
    give("KubernetesVersion", settings_.version.value);
    give("ServiceCidr", settings_.network.services.value.str());
    give_output("ServiceRoleArn", "service-role", "ServiceRoleArn");
    give_vpc("VpcId");
    give_vpc("VpcCidr");
    give_vpc("PrivateSubnetIds");
    give("AuthenticationMode",
         std::string(settings_.access.value == config::AccessMode::kApi ? "API"
                                                                        : "API_AND_CONFIG_MAP"));
    give("ControlPlaneLogGroup", FromControlPlaneLog{});
    if (!settings_.bastion) return;
    const config::EksBastion& bastion = *settings_.bastion;
    plan_.steps.back().after.emplace_back("peering");
    give("BastionRoleArn", bastion.role.value);
    if (bastion.security_group.value.empty()) {
      give("BastionCidr", bastion.cidr.value.str());
    } else {
      give("BastionSecurityGroupId", bastion.security_group.value);
      give_some("BastionAccountId", bastion.account.value);
    }
  }

  void add_gateway();
  void add_monitoring();
  void add_nodegroup();

  const EksSettings& settings_;
  const std::string& allowlist_;
  Plan plan_;
};

void Planner::add_gateway() {
  const config::EksGateway& gateway = settings_.gateway;
  begin("gateway", "fleet of gateways behind a load balancer", "9", "6", {"vpc", "cluster"});
  give("PolicyDocument", allowlist_);
  give_some("DnsServers", join(settings_.dns, [](const auto& each) { return each.value.str(); }));
  give("ProxyPort", std::to_string(gateway.port.value));
  give("ArtifactBucket", gateway.bucket.value);
  give("ArtifactKey", gateway.key.value);
  give("ArtifactSha256", gateway.sha256.value);
  give("MinSize", std::to_string(gateway.min.value));
  give("MaxSize", std::to_string(gateway.max.value));
  give(
      "Architecture",
      std::string(gateway.architecture.value == config::Architecture::kArm64 ? "arm64" : "x86-64"));
  for (std::size_t i = 0; i < gateway.instance_types.size(); ++i) {
    give("InstanceType" + std::to_string(i + 1), gateway.instance_types[i].value);
  }
  give_vpc("VpcId");
  give_vpc("VpcCidr");
  give_vpc("ZoneCount");
  give_vpc("PublicSubnetIds");
  give_vpc("PublicSubnetCidrs");
  give_vpc("PrivateSubnetCidrs");
  give_vpc("GatewaySubnetIds");
  give_output("ClusterSecurityGroupId", "cluster", "ClusterSecurityGroupId");
  give_output("ControlPlaneSecurityGroupId", "cluster", "ControlPlaneSecurityGroupId");
  give("KubeCluster", gateway.kube.value ? Source(FromPrepared{}) : Source(std::string()));
  if (settings_.bastion) give("PeerVpcCidr", settings_.bastion->cidr.value.str());
  give("AddressMode", address_mode());
  if (gateway.addresses.value == config::AddressMode::kNat) give_vpc("NatAddresses");
  give_some("AlertEmail", settings_.alerts.email.value);
  give_some("AlertTopicArn", settings_.alerts.topic.value);
}

void Planner::add_monitoring() {
  begin("monitoring", "alarms on the fleet, and a dashboard", "9", "1", {"gateway"});
  for (const char* name : {"FleetName", "MetricNamespace", "LogGroupName", "LoadBalancerFullName",
                           "TargetGroupFullName", "AlertTopicArn"}) {
    give_output(name, "gateway", name);
  }
}

void Planner::add_nodegroup() {
  const config::EksNodes& nodes = settings_.nodes;
  begin("nodegroup", "nodes that know the proxy from their first moment", "10, 11", "5",
        {"vpc", "cluster", "gateway"});
  for (const char* name :
       {"ClusterName", "KubernetesVersion", "ClusterEndpoint", "ClusterCertificateAuthority",
        "ClusterSecurityGroupId", "ServiceCidr"}) {
    give_output(name, "cluster", name);
  }
  give("OperatingSystem",
       std::string(nodes.os.value == config::NodeOs::kAl2023 ? "AL2023" : "BOTTLEROCKET"));
  if (!nodes.instance_types.empty()) {
    const bool is_arm = is_arm64(nodes.instance_types.front().value);
    give("Architecture", std::string(is_arm ? "arm64" : "x86-64"));
    give("InstanceTypes", joined(nodes.instance_types));
  }
  give("MinSize", std::to_string(nodes.min.value));
  give("DesiredSize", std::to_string(nodes.desired.value));
  give("MaxSize", std::to_string(nodes.max.value));
  give("DiskSize", std::to_string(nodes.disk.value));
  give_vpc("PrivateSubnetIds");
  give_output("ProxyUrl", "gateway", "ProxyUrl");
  give("NoProxy", FromNoProxy{});
}

const std::string* value_of(const Pairs& pairs, std::string_view key) {
  const auto found = std::ranges::find(pairs, key, &Pairs::value_type::first);
  return found == pairs.end() ? nullptr : &found->second;
}

const std::string* output_of(const Facts& facts, const std::string& step, std::string_view output) {
  const auto found = facts.outputs.find(step);
  return found == facts.outputs.end() ? nullptr : value_of(found->second, output);
}

}  // namespace

const Step* Plan::step(std::string_view id) const {
  const auto found = std::ranges::find(steps, id, &Step::id);
  return found == steps.end() ? nullptr : &*found;
}

Plan make_plan(const EksSettings& settings, const std::string& allowlist) {
  return Planner(settings, allowlist).make();
}

std::string host_of(std::string_view url) {
  constexpr std::string_view kScheme = "https://";
  if (!url.starts_with(kScheme)) return {};
  url.remove_prefix(kScheme.size());
  return std::string(url.substr(0, url.find_first_of(":/")));
}

noproxy::ClusterFacts no_proxy_facts(const EksSettings& settings, const Facts& facts) {
  noproxy::ClusterFacts out;
  out.region = settings.region.value;
  out.service_cidrs = {settings.network.services.value};
  out.vpc_cidrs = facts.vpc_cidrs;
  if (out.vpc_cidrs.empty()) out.vpc_cidrs.push_back(settings.network.cidr.value);
  if (settings.bastion) out.vpc_cidrs.push_back(settings.bastion->cidr.value);
  if (const auto* endpoint = output_of(facts, "cluster", "ClusterEndpoint")) {
    auto host = Hostname::parse(host_of(*endpoint));
    if (host) out.cluster_endpoint = *std::move(host);
  }
  out.vpc_endpoints = facts.vpc_endpoints;
  if (out.vpc_endpoints.empty()) {
    out.vpc_endpoints.emplace_back("s3");
    for (const auto& each : settings.network.endpoints) out.vpc_endpoints.push_back(each.value);
  }
  return out;
}

Result<std::string> no_proxy(const EksSettings& settings, const Facts& facts) {
  auto entries = noproxy::build_entries(no_proxy_facts(settings, facts));
  if (!entries) return std::unexpected(std::move(entries.error()));
  return noproxy::join(*entries);
}

Resolved resolve(const Argument& argument, const EksSettings& settings, const Facts& facts) {
  if (const auto* text = std::get_if<std::string>(&argument.source)) return {*text};
  if (const auto* from = std::get_if<FromOutput>(&argument.source)) {
    if (const auto* output = output_of(facts, from->step, from->output)) return {*output};
    return {"the output " + from->output + " of " + from->step, false};
  }
  if (const auto* zone = std::get_if<FromZone>(&argument.source)) {
    const auto found = facts.zones.find(zone->name);
    if (found != facts.zones.end()) return {found->second};
    return {"the id of the zone " + zone->name + " in the account", false};
  }
  if (std::holds_alternative<FromControlPlaneLog>(argument.source)) {
    if (!facts.control_plane_log.empty()) return {facts.control_plane_log};
    return {"create, or existing where an earlier cluster of this name left its log behind", false};
  }
  if (std::holds_alternative<FromPrepared>(argument.source)) {
    if (facts.kube_cluster) return {*facts.kube_cluster};
    return {"the cluster's name once it has what gateways ask it for, and nothing before", false};
  }
  auto value = no_proxy(settings, facts);
  const bool is_whole = output_of(facts, "cluster", "ClusterEndpoint") != nullptr;
  if (value && is_whole) return {*std::move(value)};
  return {value ? *value + " and the API's host name" : value.error().detail, false};
}

Result<StackOrder> order_of(const Plan& plan, const Step& step, const Template& the_template,
                            const EksSettings& settings, const Facts& facts) {
  StackOrder order;
  order.step = step.id;
  order.name = step.stack;
  order.template_body = the_template.text;
  order.tags = plan.tags;
  for (const Argument& argument : step.arguments) {
    Resolved value = resolve(argument, settings, facts);
    if (!value.is_known) {
      return fail(Reason::kInternal, Side::kSelf,
                  argument.name + " needs " + value.text + ", which is not there");
    }
    order.parameters.emplace_back(argument.name, std::move(value.text));
  }
  return order;
}

}  // namespace ebbgate::deploy
