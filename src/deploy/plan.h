// What `ebbgate eks` will do, as a value: the stacks in their order with every parameter, where it
// comes from, and which part of the text they stand for. Settings in, plan out; no network.
#pragma once

#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/result.h"
#include "config/eks.h"
#include "deploy/stack.h"
#include "deploy/template.h"
#include "noproxy/build.h"

namespace ebbgate::deploy {

// Where a parameter's value comes from, if it is not at hand.
struct FromOutput {
  std::string step;
  std::string output;
  bool operator==(const FromOutput&) const = default;
};
struct FromZone {  // the id of the zone that has this name in the account
  std::string name;
  bool operator==(const FromZone&) const = default;
};
struct FromNoProxy {  // NO_PROXY, by what exists
  bool operator==(const FromNoProxy&) const = default;
};
struct FromControlPlaneLog {  // whether an earlier cluster of this name left its log group behind
  bool operator==(const FromControlPlaneLog&) const = default;
};
struct FromPrepared {  // the cluster's name, once it has what gateways ask it for; nothing before
  bool operator==(const FromPrepared&) const = default;
};
using Source =
    std::variant<std::string, FromOutput, FromZone, FromNoProxy, FromControlPlaneLog, FromPrepared>;

struct Argument {
  std::string name;
  Source source;
  bool operator==(const Argument&) const = default;
};

struct Step {
  std::string id;         // the template's name: `vpc`
  std::string stack;      // `EKSdemo-vpc`
  std::string title;      // for people
  std::string satisfies;  // which steps of the text it stands for
  std::string minutes;    // about how long it takes
  std::vector<std::string> after;
  std::vector<Argument> arguments;
};

// What nobody but a person, or the machine of another account, can do.
struct ByHand {
  std::string what;
  std::vector<std::string> commands;
};

struct Plan {
  std::string cluster;
  std::string region;
  std::vector<Step> steps;
  std::vector<ByHand> by_hand;
  aws::cloudformation::Pairs tags;

  [[nodiscard]] const Step* step(std::string_view id) const;
};

// In: settings that check() has passed, and its allowlist.
[[nodiscard]] Plan make_plan(const config::EksSettings& settings, const std::string& allowlist);

// What is known of the account by now.
struct Facts {
  std::map<std::string, std::string> zones;                   // ids by name
  std::map<std::string, aws::cloudformation::Pairs> outputs;  // by step
  std::string control_plane_log;           // `create` or `existing`; empty: not known
  std::vector<std::string> vpc_endpoints;  // that exist, with private DNS
  std::vector<Cidr> vpc_cidrs;             // of the cluster's VPC
  // What the fleet is told of the cluster: its name, or empty as long as it has not what gateways
  // ask it for.
  std::optional<std::string> kube_cluster;
  std::string why_unprepared;  // a sentence; where kube_cluster is empty
};

// What NO_PROXY is made of (semantics 9). Without facts, what the settings will lead to.
[[nodiscard]] noproxy::ClusterFacts no_proxy_facts(const config::EksSettings& settings,
                                                   const Facts& facts);
[[nodiscard]] Result<std::string> no_proxy(const config::EksSettings& settings, const Facts& facts);

// The value, or what it will be as soon as it is known: "the output VpcId of vpc".
struct Resolved {
  std::string text;
  bool is_known = true;
};
[[nodiscard]] Resolved resolve(const Argument& argument, const config::EksSettings& settings,
                               const Facts& facts);

// The step as an order for the driver. Error: a value that is not known, with what it waits for.
[[nodiscard]] Result<StackOrder> order_of(const Plan& plan, const Step& step,
                                          const Template& the_template,
                                          const config::EksSettings& settings, const Facts& facts);

// The host of `https://…`; empty where there is none.
[[nodiscard]] std::string host_of(std::string_view url);

}  // namespace ebbgate::deploy
