#include "deploy/facts.h"

#include <algorithm>
#include <utility>

#include "aws/ec2.h"
#include "aws/logs.h"
#include "aws/servicequotas.h"
#include "aws/ssm.h"
#include "deploy/check.h"
#include "noproxy/aws_names.h"

namespace ebbgate::deploy {

namespace cfn = aws::cloudformation;
namespace ec2 = aws::ec2;
namespace {

const std::string* value_of(const cfn::Pairs& pairs, std::string_view key) {
  const auto found = std::ranges::find(pairs, key, &cfn::Pairs::value_type::first);
  return found == pairs.end() ? nullptr : &found->second;
}

}  // namespace

net::Task<aws::Outcome<std::vector<config::Problem>>> learn_zones(
    aws::Client& client, const config::EksSettings& settings, Facts& facts, Deadline deadline) {
  auto zones = co_await ec2::describe_availability_zones(client, deadline);
  if (!zones) co_return std::unexpected(std::move(zones.error()));
  std::vector<std::string> ids;
  std::string names;
  for (const ec2::Zone& zone : *zones) {
    if (!zone.type.empty() && zone.type != "availability-zone") continue;
    facts.zones[zone.name] = zone.id;
    ids.push_back(zone.id);
    names += (names.empty() ? "" : ", ") + zone.name + " (" + zone.id + ")";
  }
  std::vector<config::Problem> problems;
  for (const auto& zone : settings.network.zones) {
    const bool is_known =
        facts.zones.contains(zone.value) || std::ranges::find(ids, zone.value) != ids.end();
    if (is_known) continue;
    problems.push_back({.file = settings.file,
                        .position = zone.position,
                        .message = "this account has no zone \"" + zone.value + "\"",
                        .fix = "it has " + names});
  }
  co_return problems;
}

net::Task<aws::Outcome<std::vector<StackNow>>> learn_stacks(aws::Client& client, const Plan& plan,
                                                            Facts& facts, Deadline deadline) {
  std::vector<StackNow> all;
  for (const Step& step : plan.steps) {
    StackNow now;
    now.step = step.id;
    auto found = co_await cfn::describe_stack(client, step.stack, deadline);
    if (!found) co_return std::unexpected(std::move(found.error()));
    now.stack = std::move(*found);
    if (now.stack && need_of(now.stack->status) == Need::kUpdate) {
      facts.outputs[step.id] = now.stack->outputs;
      auto text = co_await cfn::get_template(client, step.stack, deadline);
      if (!text) co_return std::unexpected(std::move(text.error()));
      now.template_body = *std::move(text);
    }
    all.push_back(std::move(now));
  }
  co_return all;
}

net::Task<aws::Outcome<void>> learn_control_plane_log(aws::Client& client, const Plan& plan,
                                                      Facts& facts, Deadline deadline) {
  auto stack = co_await cfn::describe_stack(client, plan.step("cluster")->stack, deadline);
  if (!stack) co_return std::unexpected(std::move(stack.error()));
  if (*stack && need_of((*stack)->status) == Need::kUpdate) {
    for (const auto& [name, value] : (*stack)->parameters) {
      if (name == "ControlPlaneLogGroup") facts.control_plane_log = value;
    }
    if (!facts.control_plane_log.empty()) co_return aws::Outcome<void>();
  }
  const std::string group = "/aws/eks/" + plan.cluster + "/cluster";
  auto streams = co_await aws::logs::describe_log_streams(client, group, "", deadline);
  if (!streams && !streams.error().is("ResourceNotFoundException")) {
    co_return std::unexpected(std::move(streams.error()));
  }
  facts.control_plane_log = streams ? "existing" : "create";
  co_return aws::Outcome<void>();
}

net::Task<aws::Outcome<void>> learn_network(aws::Client& client,
                                            const config::EksSettings& settings, Facts& facts,
                                            Deadline deadline) {
  const auto outputs = facts.outputs.find("vpc");
  if (outputs == facts.outputs.end()) co_return aws::Outcome<void>();
  const auto id = std::ranges::find(outputs->second, "VpcId", &cfn::Pairs::value_type::first);
  if (id == outputs->second.end()) co_return aws::Outcome<void>();
  const ec2::Filters of_vpc{{"vpc-id", {id->second}}};
  auto vpcs = co_await ec2::describe_vpcs(client, of_vpc, deadline);
  if (!vpcs) co_return std::unexpected(std::move(vpcs.error()));
  facts.vpc_cidrs.clear();
  for (const ec2::Vpc& vpc : *vpcs) {
    for (const std::string& text : vpc.cidrs) {
      if (const auto block = Cidr::parse(text)) facts.vpc_cidrs.push_back(*block);
    }
  }
  auto endpoints = co_await ec2::describe_vpc_endpoints(client, of_vpc, deadline);
  if (!endpoints) co_return std::unexpected(std::move(endpoints.error()));
  facts.vpc_endpoints.clear();
  for (const ec2::VpcEndpoint& endpoint : *endpoints) {
    const bool counts = endpoint.type == "Gateway" || endpoint.private_dns;
    const std::string middle = "." + settings.region.value + ".";
    const std::size_t at = endpoint.service.find(middle);
    if (!counts || at == std::string::npos || endpoint.state == "deleted") continue;
    std::string service = endpoint.service.substr(at + middle.size());
    if (noproxy::private_names(service, settings.region.value)) {
      facts.vpc_endpoints.push_back(std::move(service));
    }
  }
  std::ranges::sort(facts.vpc_endpoints);
  co_return aws::Outcome<void>();
}

net::Task<aws::Outcome<std::string>> learn_pushed_policy(aws::Client& client,
                                                         const StackOrder& order,
                                                         Deadline deadline) {
  auto stack = co_await cfn::describe_stack(client, order.name, deadline);
  if (!stack) co_return std::unexpected(std::move(stack.error()));
  if (!*stack) co_return std::string();
  const std::string* before = value_of((*stack)->parameters, "PolicyDocument");
  const std::string* after = value_of(order.parameters, "PolicyDocument");
  const std::string* name = value_of((*stack)->outputs, "PolicyParameter");
  if (!before || !after || !name || *before == *after) co_return std::string();
  auto there = co_await aws::ssm::get_parameter(client, *name, deadline);
  if (!there && there.error().is("ParameterNotFound")) co_return std::string();
  if (!there) co_return std::unexpected(std::move(there.error()));
  const bool is_pushed = there->value != *before && there->value != *after;
  co_return is_pushed ? *name : std::string();
}

net::Task<std::string> learn_address_room(aws::Client& client, const config::EksSettings& settings,
                                          const Facts& facts, Deadline deadline) {
  const bool wants = settings.gateway.addresses.value == config::AddressMode::kEip;
  if (!wants || facts.outputs.contains("gateway")) co_return std::string();
  const std::size_t wanted = address_count(settings.gateway);
  auto quota = co_await aws::servicequotas::get_quota(client, "ec2", "L-0263D0A3", deadline);
  auto addresses = co_await ec2::describe_addresses(client, {}, deadline);
  if (!quota || !addresses) {
    co_return "whether the account has room for " + std::to_string(wanted) +
        " Elastic IPs cannot be told: " +
        (quota ? addresses.error().describe("ec2 DescribeAddresses")
               : quota.error().describe("servicequotas GetServiceQuota"));
  }
  const auto room = static_cast<std::size_t>(std::max(*quota, 0.0));
  const std::size_t used = addresses->size();
  if (used + wanted <= room) co_return std::string();
  co_return "the fleet wants " + std::to_string(wanted) + " Elastic IPs, and of the account's " +
      std::to_string(room) + " there are " + std::to_string(used) +
      " in use: ask for a higher quota (L-0263D0A3), or write `addresses: nat`";
}

}  // namespace ebbgate::deploy
