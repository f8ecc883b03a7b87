// The tables of the keys of eks.yaml, from the innermost map outwards, and the reading by them.
#include "config/eks.h"

#include <array>
#include <utility>

#include "config/bundles.h"
#include "config/detail/aws_values.h"
#include "config/detail/key.h"
#include "config/detail/rows.h"

namespace ebbgate::config {
namespace detail {
namespace {

Parsed<AddressMode> address_mode(std::string_view text) {
  return word<AddressMode>(text, std::array<std::string_view, 2>{"eip", "nat"});
}
Parsed<Architecture> architecture(std::string_view text) {
  return word<Architecture>(text, std::array<std::string_view, 2>{"arm64", "x86-64"});
}
Parsed<NodeOs> node_os(std::string_view text) {
  return word<NodeOs>(text, std::array<std::string_view, 2>{"al2023", "bottlerocket"});
}
Parsed<AccessMode> access_mode(std::string_view text) {
  return word<AccessMode>(text, std::array<std::string_view, 2>{"api", "configmap"});
}

Parsed<IpAddress> dns_server(std::string_view text) {
  if (const auto address = IpAddress::parse(text)) return *address;
  return std::unexpected(Fault{quoted(text) + " is not the address of a DNS server",
                               "write an address without a port, as in 10.0.0.2"});
}

template <std::size_t kLeast, std::size_t kMost>
Parsed<std::size_t> count(std::string_view text) {
  return parse_count(text, kLeast, kMost);
}

// A row that keeps the value and its place.
template <Name kName, auto kMember, auto kParse, typename T>
void placed(Reader& reader, const Value& value, T& out) {
  take<kParse>(reader, value, kName.shown(), [&](auto parsed) {
    (out.*kMember).value = std::move(parsed);
    (out.*kMember).position = value.position();
  });
}

template <Name kName, auto kMember, auto kParse, typename T>
void placed_list(Reader& reader, const Value& value, T& out) {
  if (!reader.want_list(value, kName.shown())) return;
  for (const Value& item : value.children()) {
    take<kParse>(reader, item, "an element of " + kName.shown(), [&](auto parsed) {
      (out.*kMember).push_back({std::move(parsed), item.position()});
    });
  }
}

// Other programs read an unquoted 1.30 as the number 1.3, and an account loses its leading zeros.
template <Name kName, auto kMember, auto kParse, typename T>
void placed_quoted(Reader& reader, const Value& value, T& out) {
  if (value.kind() == NodeKind::kPlain) {
    reader.error(value.position(),
                 kName.shown() + " is not in quotes, so that others read a number",
                 "write \"" + std::string(value.text()) + "\"");
    return;
  }
  placed<kName, kMember, kParse>(reader, value, out);
}

constexpr std::array kBastionKeys = std::to_array<Key<EksBastion>>({
    {{.name = "vpc", .is_required = true}, placed<"vpc", &EksBastion::vpc, parse_vpc_id>},
    {{.name = "cidr", .is_required = true}, placed<"cidr", &EksBastion::cidr, parse_cidr>},
    {{.name = "role", .is_required = true}, placed<"role", &EksBastion::role, parse_role_arn>},
    {{.name = "securityGroup"},
     placed<"securityGroup", &EksBastion::security_group, parse_security_group_id>},
    {{.name = "routeTables", .is_required = true},
     placed_list<"routeTables", &EksBastion::route_tables, parse_route_table_id>},
    {{.name = "account"}, placed_quoted<"account", &EksBastion::account, parse_account>},
    {{.name = "region"}, placed<"region", &EksBastion::region, parse_region>},
    {{.name = "peerRole"}, placed<"peerRole", &EksBastion::peer_role, parse_role_arn>},
});

// What is given replaces the default whole; `[]` is a wish too.
void read_endpoints(Reader& reader, const Value& value, EksNetwork& network) {
  network.endpoints.clear();
  if (value.kind() == NodeKind::kList && value.children().empty()) return;
  placed_list<"endpoints", &EksNetwork::endpoints, parse_text>(reader, value, network);
}

constexpr std::array kNetworkKeys = std::to_array<Key<EksNetwork>>({
    {{.name = "cidr"}, placed<"cidr", &EksNetwork::cidr, parse_cidr>},
    {{.name = "zones", .is_required = true}, placed_list<"zones", &EksNetwork::zones, parse_zone>},
    {{.name = "serviceCidr"}, placed<"serviceCidr", &EksNetwork::services, parse_cidr>},
    {{.name = "endpoints"}, read_endpoints},
});

constexpr std::array kGatewayKeys = std::to_array<Key<EksGateway>>({
    {{.name = "min"}, placed<"min", &EksGateway::min, count<1, 100>>},
    {{.name = "max"}, placed<"max", &EksGateway::max, count<1, 200>>},
    {{.name = "port"}, placed<"port", &EksGateway::port, count<1024, 65535>>},
    {{.name = "instanceTypes"},
     placed_list<"instanceTypes", &EksGateway::instance_types, parse_instance_type>},
    {{.name = "architecture"}, placed<"architecture", &EksGateway::architecture, architecture>},
    {{.name = "addresses"}, placed<"addresses", &EksGateway::addresses, address_mode>},
    {{.name = "bucket", .is_required = true}, placed<"bucket", &EksGateway::bucket, parse_bucket>},
    {{.name = "key", .is_required = true}, placed<"key", &EksGateway::key, parse_text>},
    {{.name = "sha256", .is_required = true}, placed<"sha256", &EksGateway::sha256, parse_sha256>},
    {{.name = "kube"}, placed<"kube", &EksGateway::kube, parse_switch>},
});

constexpr std::array kNodeKeys = std::to_array<Key<EksNodes>>({
    {{.name = "min"}, placed<"min", &EksNodes::min, count<0, 450>>},
    {{.name = "max"}, placed<"max", &EksNodes::max, count<1, 450>>},
    {{.name = "desired"}, placed<"desired", &EksNodes::desired, count<0, 450>>},
    {{.name = "instanceTypes"},
     placed_list<"instanceTypes", &EksNodes::instance_types, parse_instance_type>},
    {{.name = "os"}, placed<"os", &EksNodes::os, node_os>},
    {{.name = "disk"}, placed<"disk", &EksNodes::disk, count<20, 16384>>},
});

constexpr std::array kAlertKeys = std::to_array<Key<EksAlerts>>({
    {{.name = "email", .is_one_of = true}, placed<"email", &EksAlerts::email, parse_email>},
    {{.name = "topic", .is_one_of = true}, placed<"topic", &EksAlerts::topic, parse_topic_arn>},
});

void read_network(Reader& reader, const Value& value, EksSettings& settings) {
  reader.object<EksNetwork>(value, "`network`", kNetworkKeys, settings.network);
}

void read_bastion(Reader& reader, const Value& value, EksSettings& settings) {
  EksBastion& bastion = settings.bastion.emplace();
  bastion.position = value.position();
  reader.object<EksBastion>(value, "`bastion`", kBastionKeys, bastion);
}

void read_gateway(Reader& reader, const Value& value, EksSettings& settings) {
  settings.gateway.position = value.position();
  reader.object<EksGateway>(value, "`gateway`", kGatewayKeys, settings.gateway);
}

void read_nodes(Reader& reader, const Value& value, EksSettings& settings) {
  reader.object<EksNodes>(value, "`nodes`", kNodeKeys, settings.nodes);
}

void read_alerts(Reader& reader, const Value& value, EksSettings& settings) {
  reader.object<EksAlerts>(value, "`alerts`", kAlertKeys, settings.alerts);
}

void read_bundle_parameters(Reader& reader, const Value& value, EksBundle& bundle) {
  if (!reader.want_map(value, "`parameters`")) return;
  for (const auto& [name, argument] : value.members()) {
    if (!reader.want_text(argument, in_ticks(name.text()))) continue;
    bundle.arguments.emplace_back(name.text(), argument.text());
  }
}

constexpr std::array kBundleKeys = std::to_array<Key<EksBundle>>({
    {{.name = "bundle", .is_required = true}, one<"bundle", &EksBundle::name, parse_text>},
    {{.name = "parameters"}, read_bundle_parameters},
});

// An element is a bundle's name, or a map with its parameters.
void read_bundles(Reader& reader, const Value& value, EksSettings& settings) {
  if (!reader.want_list(value, "`bundles`")) return;
  for (const Value& item : value.children()) {
    EksBundle bundle;
    bundle.position = item.position();
    if (item.is_text()) {
      bundle.name = item.text();
    } else {
      reader.object<EksBundle>(item, "an element of `bundles`", kBundleKeys, bundle);
    }
    if (bundle.name.empty()) continue;
    if (policy::find_bundle(builtin_bundles(), bundle.name) == nullptr) {
      const std::string_view near = nearest_bundle(bundle.name);
      reader.error(
          bundle.position, "there is no bundle " + quoted(bundle.name),
          near.empty() ? "`ebbgate bundles list` names them" : "write " + std::string(near));
      continue;
    }
    settings.bundles.push_back(std::move(bundle));
  }
}

void read_tags(Reader& reader, const Value& value, EksSettings& settings) {
  if (!reader.want_map(value, "`tags`")) return;
  for (const auto& [name, text] : value.members()) {
    take<parse_tag_key>(reader, name, "the key of a tag", [&](std::string key) {
      take<parse_text>(reader, text, in_ticks(key), [&](std::string tag) {
        settings.tags.push_back({{std::move(key), name.position()}, std::move(tag)});
      });
    });
  }
}

constexpr std::array kEksKeys = std::to_array<Key<EksSettings>>({
    {{.name = "name", .is_required = true}, placed<"name", &EksSettings::name, parse_cluster_name>},
    {{.name = "region", .is_required = true}, placed<"region", &EksSettings::region, parse_region>},
    {{.name = "version"}, placed_quoted<"version", &EksSettings::version, parse_k8s_version>},
    {{.name = "access"}, placed<"access", &EksSettings::access, access_mode>},
    {{.name = "network", .is_required = true}, read_network},
    {{.name = "bastion"}, read_bastion},
    {{.name = "domains", .is_one_of = true},
     placed_list<"domains", &EksSettings::domains, policy::Pattern::parse>},
    {{.name = "bundles", .is_one_of = true}, read_bundles},
    {{.name = "policy", .is_one_of = true}, placed<"policy", &EksSettings::policy, parse_text>},
    {{.name = "dns"}, placed_list<"dns", &EksSettings::dns, dns_server>},
    {{.name = "gateway", .is_required = true}, read_gateway},
    {{.name = "nodes"}, read_nodes},
    {{.name = "alerts"}, read_alerts},
    {{.name = "tags"}, read_tags},
});

}  // namespace
}  // namespace detail

LoadedEks parse_eks(std::string_view text, const std::string& file) {
  LoadedEks out;
  out.settings.file = file;
  const auto yaml = detail::Yaml::parse(text, file);
  if (!yaml) {
    out.problems = yaml.error();
    return out;
  }
  const DocumentOptions options;
  detail::Reader reader(out.settings.file, options);
  const std::vector<detail::Value> roots = yaml->documents();
  if (roots.size() == 1) {
    reader.object<EksSettings>(roots.front(), "the file", detail::kEksKeys, out.settings);
  } else if (roots.empty()) {
    reader.error({}, "the file holds nothing", "deploy/eks.yaml is an example");
  } else {
    reader.error(roots[1].position(), "the file holds a second document",
                 "keep each cluster in a file of its own");
  }
  out.problems = reader.take_problems();
  return out;
}

}  // namespace ebbgate::config
