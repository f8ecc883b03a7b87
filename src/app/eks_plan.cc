// `ebbgate eks plan`: the steps, what they hold and cost, and how they differ from what stands. It
// asks and never changes; without credentials it says what it would ask.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>

#include "app/eks_job.h"
#include "app/eks_prepared.h"
#include "app/exit_code.h"
#include "base/escape.h"
#include "config/settings.h"
#include "deploy/cost.h"
#include "deploy/facts.h"
#include "deploy/manifests.h"
#include "deploy/stack.h"

namespace ebbgate::app {
namespace {

using Json = nlohmann::ordered_json;

// What AWS said, as far as it was asked.
struct Seen {
  bool is_online = false;
  std::string account;
  std::string why_offline;
  deploy::Facts facts;
  std::vector<deploy::StackNow> stacks;
  std::vector<config::Problem> problems;
  std::string address_room;
  std::string pushed_policy;  // the parameter's name, where a policy in it would be written over
};

net::Task<Seen> look(AwsSession& session, const EksJob& job) {
  Seen seen;
  aws::Client& client = session.client();
  const Deadline deadline = session.loop().after(std::chrono::minutes(2));
  const auto offline = [&](const aws::Failure& failure, std::string_view what) {
    seen.is_online = false;
    seen.why_offline = failure.describe(what);
  };
  auto who = co_await aws::sts::get_caller_identity(client, deadline);
  if (!who) {
    offline(who.error(), "sts GetCallerIdentity");
    co_return seen;
  }
  seen.account = who->account;
  auto zones = co_await deploy::learn_zones(client, job.settings, seen.facts, deadline);
  if (!zones) {
    offline(zones.error(), "ec2 DescribeAvailabilityZones");
    co_return seen;
  }
  seen.problems = *std::move(zones);
  auto stacks = co_await deploy::learn_stacks(client, job.plan, seen.facts, deadline);
  if (!stacks) {
    offline(stacks.error(), "cloudformation DescribeStacks");
    co_return seen;
  }
  seen.stacks = *std::move(stacks);
  auto log = co_await deploy::learn_control_plane_log(client, job.plan, seen.facts, deadline);
  if (!log) {
    offline(log.error(), "logs DescribeLogStreams");
    co_return seen;
  }
  auto network = co_await deploy::learn_network(client, job.settings, seen.facts, deadline);
  if (!network) {
    offline(network.error(), "ec2 DescribeVpcEndpoints");
    co_return seen;
  }
  auto prepared = co_await learn_prepared(session, job, seen.facts, false);
  if (!prepared) {
    offline(prepared.error(), "cloudformation DescribeStacks");
    co_return seen;
  }
  const deploy::Step& gateway = *job.plan.step("gateway");
  const auto order =
      deploy::order_of(job.plan, gateway, *deploy::find_template(job.templates, gateway.id),
                       job.settings, seen.facts);
  if (order) {
    auto pushed = co_await deploy::learn_pushed_policy(client, *order, deadline);
    if (!pushed) {
      offline(pushed.error(), "ssm GetParameter");
      co_return seen;
    }
    seen.pushed_policy = *std::move(pushed);
  }
  seen.address_room =
      co_await deploy::learn_address_room(client, job.settings, seen.facts, deadline);
  seen.is_online = true;
  co_return seen;
}

struct StepView {
  std::string state;  // "new", "unchanged", "changes", the status, or "not asked"
  std::vector<std::string> differences;
};

StepView view(const EksJob& job, const deploy::Step& step, const Seen& seen) {
  if (!seen.is_online) return {"not asked", {}};
  const auto now = std::ranges::find(seen.stacks, step.id, &deploy::StackNow::step);
  if (now == seen.stacks.end() || !now->stack) return {"new", {}};
  const std::string& status = now->stack->status;
  if (deploy::need_of(status) == deploy::Need::kCreate) return {"new", {}};
  if (deploy::need_of(status) != deploy::Need::kUpdate) return {status, {}};
  const deploy::Template* found = deploy::find_template(job.templates, step.id);
  auto order = deploy::order_of(job.plan, step, *found, job.settings, seen.facts);
  if (!order) return {"changes", {order.error().detail}};
  auto differences = deploy::differences(*now->stack, now->template_body, *order);
  if (step.id == "gateway" && !seen.pushed_policy.empty()) {
    differences.push_back("the policy that was pushed to " + seen.pushed_policy +
                          " since is written over, which needs --yes");
  }
  return {differences.empty() ? "unchanged" : "changes", std::move(differences)};
}

std::string counted(const deploy::Template& of) {
  std::map<std::string, int> types;
  for (const auto& each : of.resources) ++types[each.type];
  std::string text;
  for (const auto& [type, count] : types) {
    text += (text.empty() ? "" : ", ") + (count > 1 ? std::to_string(count) + " " : "") + type;
  }
  return text;
}

void print_text(const EksJob& job, const Seen& seen, const deploy::Cost& cost) {
  const std::size_t count = job.plan.steps.size();
  std::printf("%s in %s: %zu stacks, about %.0f USD a month\n", job.plan.cluster.c_str(),
              job.plan.region.c_str(), count, cost.monthly);
  if (seen.is_online) {
    std::printf("Compared with what stands in the account %s; nothing was changed.\n",
                escaped_prose(seen.account).c_str());
  } else {
    std::printf("Not compared with what stands: %s.\n", escaped_prose(seen.why_offline).c_str());
  }
  std::size_t number = 0;
  for (const deploy::Step& step : job.plan.steps) {
    const StepView state = view(job, step, seen);
    const deploy::Template* found = deploy::find_template(job.templates, step.id);
    std::printf("\n[%zu/%zu] %s: %s (step %s of the text, about %s min)\n", ++number, count,
                step.stack.c_str(), step.title.c_str(), step.satisfies.c_str(),
                step.minutes.c_str());
    std::printf("      state: %s\n", escaped_prose(state.state).c_str());
    for (const std::string& each : state.differences) {
      std::printf("      ~ %s\n", escaped_prose(each).c_str());
    }
    std::printf("      resources, at most: %s\n", counted(*found).c_str());
    for (const deploy::Argument& each : step.arguments) {
      const auto value = deploy::resolve(each, job.settings, seen.facts);
      std::printf("      %s = %s%s%s\n", each.name.c_str(), value.is_known ? "" : "(",
                  escaped_prose(value.text, 4096).c_str(), value.is_known ? "" : ")");
    }
  }
  for (const deploy::ByHand& hand : job.plan.by_hand) {
    std::printf("\nBy hand: %s\n", hand.what.c_str());
    for (const std::string& command : hand.commands) std::printf("      %s\n", command.c_str());
  }
  std::printf("\nCost a month, about (%s):\n", cost.source.c_str());
  for (const deploy::CostLine& line : cost.lines) {
    if (line.is_known) {
      std::printf("      %8.2f USD  %s\n", line.monthly, line.what.c_str());
    } else {
      std::printf("       unknown      %s\n", line.what.c_str());
    }
  }
  std::printf("      %8.2f USD  in all; not counted:", cost.monthly);
  for (const std::string& each : cost.excluded) {
    std::printf("%s %s", &each == &cost.excluded.front() ? "" : ",", each.c_str());
  }
  std::printf("\n");
  if (!seen.facts.why_unprepared.empty()) {
    std::printf("\nnote: gateways do not ask the cluster yet: %s\n",
                escaped_prose(seen.facts.why_unprepared).c_str());
  }
  if (!seen.address_room.empty()) {
    std::printf("\nnote: %s\n", escaped_prose(seen.address_room).c_str());
  }
}

Json to_json(const EksJob& job, const Seen& seen, const deploy::Cost& cost) {
  Json steps = Json::array();
  for (const deploy::Step& step : job.plan.steps) {
    const StepView state = view(job, step, seen);
    const deploy::Template* found = deploy::find_template(job.templates, step.id);
    Json parameters = Json::object();
    for (const deploy::Argument& each : step.arguments) {
      const auto value = deploy::resolve(each, job.settings, seen.facts);
      parameters[each.name] = value.is_known ? Json(value.text) : Json{{"pending", value.text}};
    }
    Json resources = Json::array();
    for (const auto& each : found->resources) {
      resources.push_back({{"name", each.name},
                           {"type", each.type},
                           {"retained", each.is_retained},
                           {"conditional", each.is_conditional}});
    }
    steps.push_back({{"id", step.id},
                     {"stack", step.stack},
                     {"title", step.title},
                     {"textSteps", step.satisfies},
                     {"after", step.after},
                     {"state", state.state},
                     {"differences", state.differences},
                     {"parameters", std::move(parameters)},
                     {"resources", std::move(resources)}});
  }
  Json lines = Json::array();
  for (const deploy::CostLine& line : cost.lines) {
    lines.push_back({{"what", line.what},
                     {"monthlyUsd",
                      line.is_known ? Json(std::round(line.monthly * 100) / 100) : Json(nullptr)}});
  }
  Json by_hand = Json::array();
  for (const deploy::ByHand& hand : job.plan.by_hand) {
    by_hand.push_back({{"what", hand.what}, {"commands", hand.commands}});
  }
  Json out{{"cluster", job.plan.cluster}, {"region", job.plan.region}};
  out["compared"] = seen.is_online;
  if (seen.is_online) out["account"] = seen.account;
  if (!seen.is_online) out["whyNotCompared"] = seen.why_offline;
  if (!seen.address_room.empty()) out["note"] = seen.address_room;
  if (!seen.facts.why_unprepared.empty()) out["whyNotKube"] = seen.facts.why_unprepared;
  out["steps"] = std::move(steps);
  out["byHand"] = std::move(by_hand);
  out["cost"] = {{"monthlyUsd", std::round(cost.monthly * 100) / 100},
                 {"lines", std::move(lines)},
                 {"excluded", cost.excluded},
                 {"source", cost.source}};
  return out;
}

// Out: what went wrong, or nothing.
std::string write_templates(const EksJob& job) {
  namespace fs = std::filesystem;
  std::error_code error;
  fs::create_directories(job.options.write_templates, error);
  std::vector<deploy::File> files;
  for (const deploy::Template& each : job.templates) {
    files.push_back({each.name + ".yaml", each.text});
  }
  if (job.settings.gateway.kube.value) {  // which the script of --bastion-script applies
    files.push_back({"gateway-access.yaml", deploy::gateway_access(job.settings, {})});
  }
  for (const deploy::File& each : files) {
    const auto path = fs::path(job.options.write_templates) / each.name;
    std::ofstream file(path, std::ios::binary);
    file << each.text;
    file.close();
    if (!file) return path.string() + ": it cannot be written";
  }
  return {};
}

}  // namespace

int plan_eks(const EksJob& job) {
  if (!job.options.write_templates.empty()) {
    if (const std::string fault = write_templates(job); !fault.empty()) {
      say(fault);
      return kFailed;
    }
  }
  Seen seen;
  seen.why_offline = "--offline says so";
  if (!job.options.offline) {
    auto session = AwsSession::make(session_options(job.options, job.plan.region));
    if (!session) {
      say(session.error().detail);
      return kFailed;
    }
    seen = (*session)->run(look(**session, job));
  }
  if (!seen.problems.empty()) {
    std::fputs(config::str(seen.problems).c_str(), stderr);
    return kInvalid;
  }
  const deploy::Cost cost = deploy::estimate(job.settings);
  if (job.options.json) {
    const Json out = to_json(job, seen, cost);
    std::puts(out.dump(2, ' ', false, Json::error_handler_t::replace).c_str());
  } else {
    print_text(job, seen, cost);
  }
  return kFine;
}

}  // namespace ebbgate::app
