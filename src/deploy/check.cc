#include "deploy/check.h"

#include <algorithm>
#include <array>
#include <filesystem>
#include <optional>
#include <ranges>
#include <string_view>
#include <utility>

#include "config/document_yaml.h"
#include "config/load_policy.h"
#include "deploy/allowlist.h"
#include "noproxy/aws_names.h"

namespace ebbgate::deploy {
namespace {

using config::EksSettings;
using config::Placed;
using policy::Position;
using policy::Severity;

Cidr block(std::string_view text) {
  return *Cidr::parse(text);
}

class Checker {
 public:
  explicit Checker(const EksSettings& settings) : settings_(settings) {}

  std::vector<config::Problem> run() {
    check_blocks();
    check_zones();
    check_endpoints();
    check_bastion();
    check_gateway();
    check_nodes();
    check_version();
    check_rest();
    return std::move(problems_);
  }

 private:
  void error(Position position, std::string message, std::string fix) {
    report(Severity::kError, position, std::move(message), std::move(fix));
  }
  void warn(Position position, std::string message, std::string fix) {
    report(Severity::kWarning, position, std::move(message), std::move(fix));
  }
  void report(Severity severity, Position position, std::string message, std::string fix) {
    problems_.push_back({.severity = severity,
                         .file = settings_.file,
                         .position = position,
                         .message = std::move(message),
                         .fix = std::move(fix)});
  }

  // Whether the block is one of IPv4 within RFC 1918, or RFC 6598 where the VPC may be there.
  bool check_private(const Placed<Cidr>& of, const std::string& what, bool also_shared) {
    if (of.value.network().is_v6()) {
      error(of.position, what + " is of IPv6", "write one of IPv4, as in 10.64.0.0/16");
      return false;
    }
    std::vector<Cidr> allowed{block("10.0.0.0/8"), block("172.16.0.0/12"), block("192.168.0.0/16")};
    if (also_shared) allowed.push_back(block("100.64.0.0/10"));
    const auto holds = [&](const Cidr& each) { return each.contains(of.value); };
    if (std::ranges::any_of(allowed, holds)) return true;
    error(of.position, what + " " + of.value.str() + " is public address space",
          "write a block within 10.0.0.0/8, 172.16.0.0/12 or 192.168.0.0/16, as in 10.64.0.0/16");
    return false;
  }

  void check_size(const Placed<Cidr>& of, const std::string& what, unsigned largest,
                  unsigned smallest, const std::string& why) {
    const unsigned prefix = of.value.prefix();
    if (prefix >= largest && prefix <= smallest) return;
    error(of.position,
          what + " " + of.value.str() + " is too " + (prefix < largest ? "large" : "small") + ": " +
              why,
          "write a block from /" + std::to_string(largest) + " to /" + std::to_string(smallest));
  }

  void check_apart(const Placed<Cidr>& one, const std::string& what, const Placed<Cidr>& other,
                   const std::string& other_what) {
    if (!one.value.overlaps(other.value)) return;
    error(one.position == Position{} ? other.position : one.position,
          what + " " + one.value.str() + " overlaps " + other_what + " " + other.value.str(),
          "choose another block for one of the two");
  }

  void check_docker(const Placed<Cidr>& of, const std::string& what) {
    if (!of.value.overlaps(block("172.17.0.0/16"))) return;
    warn(of.position,
         what + " " + of.value.str() + " overlaps 172.17.0.0/16, which Docker takes for its bridge",
         "choose another block where anything runs Docker, as CI builders and Cloud9 do");
  }

  void check_blocks() {
    const config::EksNetwork& network = settings_.network;
    const std::string vpc = "the VPC's block";
    const std::string services = "the service block";
    if (check_private(network.cidr, vpc, true)) {
      check_size(network.cidr, vpc, 16, 21,
                 "AWS takes /16 at most, and each zone needs a subnet in which every pod has an "
                 "address");
    }
    if (check_private(network.services, services, false)) {
      check_size(network.services, services, 12, 24, "EKS takes /12 to /24");
    }
    check_apart(network.services, services, network.cidr, vpc);
    check_docker(network.cidr, vpc);
    check_docker(network.services, services);
    if (!settings_.bastion) return;
    const Placed<Cidr>& bastion = settings_.bastion->cidr;
    const std::string its = "the bastion's block";
    if (!check_private(bastion, its, true)) return;
    check_size(bastion, its, 16, 28, "a VPC has /16 to /28");
    check_apart(bastion, its, network.cidr, vpc);
    check_apart(bastion, its, network.services, services);
    check_docker(bastion, its);
  }

  void check_zones() {
    const config::Texts& zones = settings_.network.zones;
    if (!zones.empty() && zones.size() != 2 && zones.size() != 3) {
      error(zones.front().position,
            "there " +
                std::string(zones.size() == 1 ? "is 1 zone"
                                              : "are " + std::to_string(zones.size()) + " zones") +
                ", and there have to be 2 or 3",
            "EKS needs two; the templates have room for three");
    }
    for (auto zone = zones.begin(); zone != zones.end(); ++zone) {
      const std::string& region = settings_.region.value;
      const bool is_name = zone->value.back() >= 'a';  // an id ends in a number
      if (is_name && !region.empty() && zone->value.substr(0, zone->value.size() - 1) != region) {
        error(zone->position, "\"" + zone->value + "\" is no zone of " + region,
              "write one as in " + region + "a");
      }
      if (std::ranges::find(zones.begin(), zone, zone->value, &Placed<std::string>::value) !=
          zone) {
        error(zone->position, "the zone " + zone->value + " stands there twice", "leave one out");
      }
    }
  }

  void check_endpoints() {
    const config::Texts& endpoints = settings_.network.endpoints;
    for (auto each = endpoints.begin(); each != endpoints.end(); ++each) {
      const auto known = interface_endpoints();
      if (each->value == "s3") {
        warn(each->position, "the endpoint of s3 is always there", "leave it out");
      } else if (std::ranges::find(known, each->value) == known.end()) {
        std::string fix = "it is one of";
        for (const std::string_view name : known) {
          fix += (name == known.front() ? " " : ", ") + std::string(name);
        }
        error(each->position, "\"" + each->value + "\" is no endpoint that the VPC can get",
              std::move(fix));
      }
      if (std::ranges::find(endpoints.begin(), each, each->value, &Placed<std::string>::value) !=
          each) {
        error(each->position, "the endpoint " + each->value + " stands there twice",
              "leave one out");
      }
    }
  }

  // The account of an ARN.
  static std::string account_of(const std::string& arn) {
    std::size_t at = 0;
    for (int colons = 0; colons < 4 && at != std::string::npos; ++colons) {
      at = arn.find(':', at);
      if (at != std::string::npos) ++at;
    }
    return at == std::string::npos ? std::string() : arn.substr(at, 12);
  }

  void check_bastion() {
    if (!settings_.bastion) {
      warn({}, "no `bastion`: nothing outside the VPC will reach the cluster's private API",
           "add it, or run kubectl in the VPC");
      return;
    }
    const config::EksBastion& bastion = *settings_.bastion;
    const std::string account = account_of(bastion.role.value);
    if (!bastion.account.value.empty()) {
      if (!account.empty() && account != bastion.account.value) {
        error(bastion.role.position,
              "the bastion's role is of the account " + account + ", the bastion of " +
                  bastion.account.value,
              "correct one of the two");
      }
      if (bastion.peer_role.value.empty()) {
        error(bastion.account.position, "another account has to accept the peering",
              "add `peerRole`, a role of that account that may accept it (docs/eks.md), or leave "
              "`account` out where it is this one");
      } else if (account_of(bastion.peer_role.value) != bastion.account.value) {
        error(bastion.peer_role.position, "`peerRole` is of another account than the bastion",
              "write a role of " + bastion.account.value);
      }
    } else if (!bastion.peer_role.value.empty()) {
      error(bastion.peer_role.position, "`peerRole` says nothing without `account`",
            "add the account of the bastion's VPC, in quotes");
    }
    constexpr std::size_t kMaxTables = 4;  // that the template has routes for
    if (bastion.route_tables.size() > kMaxTables) {
      error(bastion.route_tables[kMaxTables].position, "more than 4 route tables",
            "name those of the subnets where kubectl runs");
    }
    const std::string& region = bastion.region.value;
    if (!region.empty() && region != settings_.region.value &&
        !bastion.security_group.value.empty()) {
      error(bastion.security_group.position,
            "a security group of another region cannot be named in a rule",
            "leave it out: the rule is then for the bastion's block");
    }
  }

  void check_gateway() {
    const config::EksGateway& gateway = settings_.gateway;
    const std::size_t zones = settings_.network.zones.size();
    if (gateway.min.value < 2 || gateway.min.value < zones) {
      error(gateway.min.is_default() ? gateway.position : gateway.min.position,
            "`min` is " + std::to_string(gateway.min.value) + ", with " + std::to_string(zones) +
                " zones: a zone that fails would take the last gateway with it",
            "write at least " + std::to_string(std::max<std::size_t>(2, zones)));
    }
    if (gateway.max.value < gateway.min.value) {
      error(gateway.max.is_default() ? gateway.min.position : gateway.max.position,
            "`max` " + std::to_string(gateway.max.value) + " is less than `min` " +
                std::to_string(gateway.min.value),
            "write at least " + std::to_string(gateway.min.value));
    } else if (gateway.max.value == gateway.min.value) {
      error(gateway.max.is_default() ? gateway.min.position : gateway.max.position,
            "`max` is as `min`: a new version would have no room beside the gateways it replaces",
            "write at least " + std::to_string(gateway.min.value + 1));
    }
    if (gateway.addresses.value == config::AddressMode::kEip) check_addresses(gateway);
    constexpr std::size_t kMaxTypes = 3;
    if (gateway.instance_types.size() > kMaxTypes) {
      error(gateway.instance_types[kMaxTypes].position, "more than 3 instance types",
            "keep the three that you would rather have");
    }
    const bool wants_arm = gateway.architecture.value == config::Architecture::kArm64;
    for (const auto& type : gateway.instance_types) {
      if (is_arm64(type.value) == wants_arm) continue;
      error(type.position,
            type.value + (wants_arm ? " is of x86-64, and `architecture` is arm64"
                                    : " is of arm64, and `architecture` is x86-64"),
            wants_arm ? "write a Graviton type as in c7g.large, or `architecture: x86-64` with "
                        "the program for it"
                      : "write a type as in c7i.large, or `architecture: arm64` with the program "
                        "for it");
    }
  }

  void check_addresses(const config::EksGateway& gateway) {
    constexpr std::size_t kQuota = 5;  // of Elastic IPs in a region, L-0263D0A3
    constexpr std::size_t kMost = 7;   // that the template makes
    const std::size_t count = address_count(gateway);
    if (count <= kQuota) return;
    const std::string many = std::to_string(gateway.max.value) +
                             " gateways, and one more while another drains, need " +
                             std::to_string(count) + " Elastic IPs";
    if (count > kMost) {
      error(gateway.max.position, many + ", and the template makes 7 at most",
            "write `max: 6`, or `addresses: nat`");
    } else {
      warn(gateway.max.position, many + ", and a region gives 5 unless asked for more",
           "ask for a higher quota (L-0263D0A3), or write `addresses: nat`");
    }
  }

  void check_nodes() {
    const config::EksNodes& nodes = settings_.nodes;
    const auto first_given = [&](std::initializer_list<const Placed<std::size_t>*> of) {
      for (const auto* each : of) {
        if (!each->is_default()) return each->position;
      }
      return Position{};
    };
    if (nodes.min.value > nodes.desired.value) {
      error(first_given({&nodes.desired, &nodes.min}),
            "`desired` " + std::to_string(nodes.desired.value) + " is less than `min` " +
                std::to_string(nodes.min.value),
            "write `desired: " + std::to_string(nodes.min.value) + "`");
    }
    if (nodes.desired.value > nodes.max.value) {
      error(first_given({&nodes.max, &nodes.desired}),
            "`max` " + std::to_string(nodes.max.value) + " is less than `desired` " +
                std::to_string(nodes.desired.value),
            "write `max: " + std::to_string(nodes.desired.value) + "`");
    }
    for (const auto& type : nodes.instance_types) {
      if (type.value.ends_with(".nano") || type.value.ends_with(".micro")) {
        error(type.position, type.value + " has room for 4 pods, which the add-ons take already",
              "write a larger one, as in t4g.medium");
      }
      if (is_arm64(type.value) != is_arm64(nodes.instance_types.front().value)) {
        error(type.position,
              type.value + " and " + nodes.instance_types.front().value +
                  " are of two architectures, and a group of nodes has one image",
              "keep to one");
      }
    }
  }

  void check_version() {
    // https://docs.aws.amazon.com/eks/latest/userguide/kubernetes-versions.html, read 2026-11.
    const std::string& version = settings_.version.value;
    if (version < "1.33") {
      error(settings_.version.position, "Kubernetes " + version + " gets no new clusters any more",
            "write \"1.35\"");
    } else if (version < "1.35") {
      warn(settings_.version.position,
           "Kubernetes " + version +
               " is out of standard support since or from 2 December 2026, "
               "and extended support costs six times as much",
           "write \"1.35\"");
    }
  }

  void check_rest() {
    if (settings_.alerts.email.value.empty() && settings_.alerts.topic.value.empty()) {
      warn({}, "no `alerts`: nobody is told of refused requests", "add `alerts: {email: …}`");
    }
    const std::string& topic = settings_.alerts.topic.value;
    if (!topic.empty() && topic.find(":" + settings_.region.value + ":") == std::string::npos) {
      error(settings_.alerts.topic.position, "the topic is of another region than the cluster",
            "write one of " + settings_.region.value);
    }
    constexpr std::size_t kMaxDns = 4;  // of a set of DHCP options
    if (settings_.dns.size() > kMaxDns) {
      error(settings_.dns[kMaxDns].position, "more than 4 DNS servers", "leave some out");
    }
    constexpr std::size_t kMaxTags = 40;  // a resource holds 50, and the stacks add their own
    if (settings_.tags.size() > kMaxTags) {
      error(settings_.tags[kMaxTags].first.position, "more than 40 tags", "leave some out");
    }
  }

  const EksSettings& settings_;
  std::vector<config::Problem> problems_;
};

// Takes the policy through the loading that the gateways have, so that what is accepted here is
// accepted there.
void check_allowlist(const EksSettings& settings, const config::ReadFile& read, Checked& out) {
  std::string text;
  if (!settings.domains.empty() || !settings.bundles.empty()) text = render_allowlist(settings);
  Position position;
  if (!settings.policy.value.empty()) {
    position = settings.policy.position;
    const auto path =
        (std::filesystem::path(settings.file).parent_path() / settings.policy.value).string();
    auto file = read(path);
    if (!file) {
      out.problems.push_back({.file = settings.file,
                              .position = position,
                              .message = path + ": " + file.error(),
                              .fix = "correct the path, which is relative to this file"});
      return;
    }
    auto parsed = config::parse_documents(*file, path);
    const bool is_bad = policy::has_errors(parsed.problems);
    for (auto& problem : parsed.problems) out.problems.push_back(std::move(problem));
    if (is_bad) return;
    text += (text.empty() ? "" : "---\n") + *file;
  }
  if (text.empty()) return;
  const auto loaded = config::load_policy({}, 0, {}, {{.name = settings.file, .text = text}});
  if (!policy::has_errors(out.problems)) {
    for (const auto& problem : loaded.problems) {
      // Positions are those of the rendered text, which nobody has seen.
      auto shown = problem;
      shown.position = position;
      if (std::ranges::find(out.problems, shown) == out.problems.end())
        out.problems.push_back(std::move(shown));
    }
  }
  if (text.size() > kMaxAllowlist) {
    out.problems.push_back(
        {.file = settings.file,
         .position = position,
         .message = "the policy has " + std::to_string(text.size()) +
                    " octets, and a parameter of a stack holds " + std::to_string(kMaxAllowlist),
         .fix = "shorten the list here, and push the whole with `ebbgate policy push` afterwards"});
  }
  out.allowlist = std::move(text);
}

}  // namespace

bool is_arm64(std::string_view instance_type) {
  // The letters after the generation's number: c7g, m6gd, x2gd. The `g` in front is for graphics.
  const std::string_view family = instance_type.substr(0, instance_type.find('.'));
  const std::size_t digit = family.find_first_of("0123456789");
  if (digit == std::string_view::npos) return false;
  return family == "a1" || family.substr(digit + 1).starts_with('g');
}

Checked check(const EksSettings& settings, const config::ReadFile& read) {
  Checked out{.problems = Checker(settings).run(), .allowlist = {}};
  check_allowlist(settings, read, out);
  return out;
}

}  // namespace ebbgate::deploy
