#include "app/kube_answers.h"

#include <algorithm>
#include <cstdio>
#include <utility>

#include "app/exit_code.h"
#include "base/escape.h"
#include "config/load_policy.h"
#include "config/settings.h"
#include "noproxy/target.h"

namespace ebbgate::app {
namespace {

using deploy::KubeAnswers;

void add_split(std::vector<std::string>& to, std::string_view value) {
  for (;;) {
    const std::size_t comma = value.find(',');
    if (!value.substr(0, comma).empty()) to.emplace_back(value.substr(0, comma));
    if (comma == std::string_view::npos) return;
    value.remove_prefix(comma + 1);
  }
}

OwnFlag list_flag(std::string_view name, std::vector<std::string>& list) {
  return {name, config::FlagValue::kRequired, [&list](const std::string& value) {
            add_split(list, value);
            return "";
          }};
}

// `take` gets each block of the value.
template <typename Take>
OwnFlag blocks_flag(std::string_view name, Take take) {
  return {name, config::FlagValue::kRequired, [take](const std::string& value) -> std::string {
            std::vector<std::string> words;
            add_split(words, value);
            for (const std::string& word : words) {
              const auto block = Cidr::parse(word);
              if (!block) return "'" + word + "' is no address block";
              take(*block);
            }
            return "";
          }};
}

OwnFlag endpoint_flag(noproxy::ClusterFacts& network) {
  return {"cluster-endpoint", config::FlagValue::kRequired,
          [&network](const std::string& value) -> std::string {
            const auto target = noproxy::Target::parse(value);
            auto name = target ? Hostname::parse(target->host) : std::unexpected(target.error());
            if (!name) return name.error().detail;
            network.cluster_endpoint = *std::move(name);
            return "";
          }};
}

OwnFlag place_flag(KubeAnswers& answers) {
  return {"for", config::FlagValue::kRequired, [&answers](const std::string& value) {
            const bool is_fleet = value == "eks-ec2-fleet";
            answers.place =
                is_fleet ? deploy::GatewayPlace::kEksEc2Fleet : deploy::GatewayPlace::kInCluster;
            return is_fleet || value == "in-cluster" ? "" : "is in-cluster or eks-ec2-fleet";
          }};
}

}  // namespace

OwnFlag text_flag(std::string_view name, std::string& text) {
  return {name, config::FlagValue::kRequired, [&text](const std::string& value) {
            text = value;
            return "";
          }};
}

std::vector<OwnFlag> kube_answer_flags(KubeOrder& order) {
  KubeAnswers& answers = order.answers;
  noproxy::ClusterFacts& network = answers.network;
  return {
      place_flag(answers),
      text_flag("proxy-url", answers.proxy_url),
      text_flag("namespace", answers.own_namespace),
      text_flag("image", answers.image),
      text_flag("monitoring-namespace", answers.monitoring_namespace),
      text_flag("region", network.region),
      text_flag("cluster-name", answers.cluster_name),
      text_flag("gateway-role", answers.gateway_role),
      list_flag("app-namespace", answers.app_namespaces),
      list_flag("vpc-endpoint", network.vpc_endpoints),
      list_flag("extra", network.extras),
      list_flag("node-role", answers.node_roles),
      list_flag("policy", order.policies),
      list_flag("part", order.parts),
      switch_flag("monitoring", answers.has_monitoring),
      switch_flag("webhook", answers.has_webhook),
      endpoint_flag(network),
      blocks_flag("vpc-cidr", [&network](const Cidr& each) { network.vpc_cidrs.push_back(each); }),
      blocks_flag("pod-cidr", [&answers](const Cidr& each) { answers.pod_cidrs.push_back(each); }),
      blocks_flag("service-cidr",
                  [&network](const Cidr& each) { network.service_cidrs.push_back(each); }),
  };
}

KubeWords read_kube_words(std::span<const char* const> words, std::span<const OwnFlag> flags) {
  std::vector<config::FlagSyntax> known;
  for (const OwnFlag& flag : flags) known.push_back({flag.name, flag.value});
  config::Arguments arguments = config::split_arguments(words, known);
  KubeWords out{.operands = std::move(arguments.operands), .help = arguments.help, .code = kFine};
  if (!arguments.problems.empty() && !out.help) {
    std::fputs(config::str(arguments.problems).c_str(), stderr);
    out.code = kUsage;
    return out;
  }
  for (const config::Flag& flag : arguments.flags) {
    const std::string wrong = std::ranges::find(flags, flag.name, &OwnFlag::name)->take(flag.value);
    if (wrong.empty() || out.help) continue;
    out.code = refuse_kube("--" + flag.name + (wrong.starts_with("is ") ? " " : ": ") + wrong);
    break;
  }
  return out;
}

int refuse_kube(std::string_view message) {
  std::fprintf(stderr, "ebbgate kube: %s; see `ebbgate kube --help`\n",
               escaped_prose(message).c_str());
  return kUsage;
}

std::string unknown_part(const KubeOrder& order) {
  static constexpr deploy::KubePart kLast = deploy::KubePart::kCommands;
  for (const std::string& part : order.parts) {
    bool is_known = false;
    for (int i = 0; i <= static_cast<int>(kLast); ++i) {
      is_known |= deploy::word(static_cast<deploy::KubePart>(i)) == part;
    }
    if (!is_known) return part;
  }
  return "";
}

bool take_policy_names(KubeOrder& order) {
  if (order.policies.empty()) return true;
  config::Settings settings;
  settings.policies = order.policies;
  const config::LoadedPolicy loaded = config::look_at_policy(settings);
  std::fputs(config::str(loaded.problems).c_str(), stderr);
  if (loaded.policy == nullptr) return false;
  const auto take = [&](const policy::PatternList& hosts) {
    for (std::size_t i = 0; i < hosts.size(); ++i) order.answers.names.push_back(hosts[i]);
  };
  for (const policy::Document& document : loaded.policy->documents()) {
    for (const policy::Entry& entry : document.allow) take(entry.hosts);
    if (document.delegate) take(document.delegate->hosts);
  }
  return true;
}

}  // namespace ebbgate::app
