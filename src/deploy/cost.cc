#include "deploy/cost.h"

#include <algorithm>
#include <array>
#include <string_view>

#include "deploy/check.h"

namespace ebbgate::deploy {
namespace {

constexpr double kHours = 730;  // of a month

struct Price {
  std::string_view what;
  double hourly;  // US dollars
};

// On-demand Linux prices of us-east-1; other regions are up to a third dearer.
constexpr auto kInstances = std::to_array<Price>({
    {"t4g.small", 0.0168},   {"t4g.medium", 0.0336}, {"t4g.large", 0.0672},
    {"t3.small", 0.0208},    {"t3.medium", 0.0416},  {"t3.large", 0.0832},
    {"c7g.medium", 0.0363},  {"c7g.large", 0.0725},  {"c7g.xlarge", 0.145},
    {"c6g.medium", 0.034},   {"c6g.large", 0.068},   {"c7gn.medium", 0.0624},
    {"c7gn.large", 0.1248},  {"c7i.large", 0.08925}, {"c6i.large", 0.085},
    {"m7g.medium", 0.0408},  {"m7g.large", 0.0816},  {"m7g.xlarge", 0.1632},
    {"m6g.large", 0.077},    {"m6i.large", 0.096},   {"m7i.large", 0.1008},
    {"m7i.xlarge", 0.2016},  {"m5.large", 0.096},    {"m5.xlarge", 0.192},
    {"c8g.medium", 0.03988}, {"c8g.large", 0.07976}, {"m8g.large", 0.08976},
    {"c6gn.medium", 0.0432},
});
constexpr double kCluster = 0.10;
constexpr double kExtendedSupport = 0.60;
constexpr double kBalancer = 0.0225;
constexpr double kPublicAddress = 0.005;
constexpr double kInterfaceEndpoint = 0.01;  // an hour and zone
constexpr double kNatGateway = 0.045;
constexpr double kGp3 = 0.08;  // a GiB and month
constexpr double kKey = 1.0;   // a month
constexpr double kAlarm = 0.10;
constexpr double kDashboard = 3.0;
constexpr double kAlarms = 5;
constexpr double kGatewayDisk = 8;

std::string number(std::size_t count, std::string_view one, std::string_view many) {
  return std::to_string(count) + " " + std::string(count == 1 ? one : many);
}

}  // namespace

Cost estimate(const config::EksSettings& settings) {
  Cost cost;
  cost.source =
      "AWS list prices of us-east-1, on demand, as of November 2026; regions differ by up to a "
      "third";
  const auto add = [&](std::string what, double monthly) {
    cost.lines.push_back({std::move(what), monthly, true});
    cost.monthly += monthly;
  };
  const auto add_instances = [&](std::size_t count, const std::string& type,
                                 std::string_view what) {
    const auto* price = std::ranges::find(kInstances, type, &Price::what);
    const std::string text = std::to_string(count) + " " + std::string(what) + " (" + type + ")";
    if (price == kInstances.end()) {
      cost.lines.push_back({text, 0, false});
    } else {
      add(text, static_cast<double>(count) * price->hourly * kHours);
    }
  };
  const auto& gateway = settings.gateway;
  const auto& nodes = settings.nodes;
  const std::size_t zones = settings.network.zones.size();
  add("EKS control plane", kCluster * kHours);
  if (settings.version.value < "1.34") {  // out of standard support at the date above
    add("extended support of Kubernetes " + settings.version.value,
        (kExtendedSupport - kCluster) * kHours);
  }
  const bool is_arm = gateway.architecture.value == config::Architecture::kArm64;
  add_instances(gateway.min.value,
                gateway.instance_types.empty() ? (is_arm ? "c7g.large" : "c7i.large")
                                               : gateway.instance_types.front().value,
                "gateways");
  add("network load balancer", kBalancer * kHours);
  if (gateway.addresses.value == config::AddressMode::kEip) {
    const std::size_t count = address_count(gateway);
    add(number(count, "Elastic IP", "Elastic IPs"),
        static_cast<double>(count) * kPublicAddress * kHours);
  } else {
    add(number(zones, "NAT gateway with its address", "NAT gateways with their addresses"),
        static_cast<double>(zones) * (kNatGateway + kPublicAddress) * kHours);
  }
  add_instances(nodes.desired.value,
                nodes.instance_types.empty() ? "m7i.large" : nodes.instance_types.front().value,
                "nodes");
  const double disks = static_cast<double>(nodes.desired.value * nodes.disk.value) +
                       static_cast<double>(gateway.min.value) * kGatewayDisk;
  add("disks, gp3", disks * kGp3);
  const std::size_t endpoints = settings.network.endpoints.size();
  if (endpoints > 0) {
    add(number(endpoints, "interface endpoint", "interface endpoints") + " in " +
            number(zones, "zone", "zones"),
        static_cast<double>(endpoints * zones) * kInterfaceEndpoint * kHours);
  }
  add("customer keys (KMS)", 2 * kKey);
  add("alarms and dashboard", kAlarms * kAlarm + kDashboard);
  cost.excluded = {"data between zones and through the load balancer, the endpoints and NAT",
                   "logs and metrics by volume", "gateways and nodes above the minimum",
                   "taxes and discounts"};
  return cost;
}

}  // namespace ebbgate::deploy
