#include "deploy/kube/coredns.h"

#include <map>

namespace ebbgate::deploy {
namespace {

using policy::Pattern;
using policy::PatternKind;

struct Zone {
  bool has_apex = false;
  bool has_below = false;
};
using Zones = std::map<std::string, Zone, std::less<>>;

// Whether a name above this one stands for all below it, this one among them.
bool is_covered(const Zones& zones, std::string_view name) {
  for (std::size_t dot = name.find('.'); dot != std::string_view::npos; dot = name.find('.')) {
    name.remove_prefix(dot + 1);
    const auto above = zones.find(name);
    if (above != zones.end() && above->second.has_below) return true;
  }
  return false;
}

// The name, absolute, for a regular expression. A backslash would be the Corefile's, too.
std::string expression_of(std::string_view name) {
  std::string out;
  for (const char c : name) out += c == '.' ? std::string("[.]") : std::string(1, c);
  return out + "[.]$";
}

// What of the zone does not exist. Plugins are asked in an order of their own, `template` first.
std::string without(const std::string& name, std::string_view expression) {
  return "    template ANY ANY " + name + " {\n        match \"" + std::string(expression) +
         "\"\n        rcode NXDOMAIN\n        fallthrough\n    }\n";
}

}  // namespace

std::string corefile(std::span<const Pattern> names, std::string_view cluster_domain) {
  Zones zones;
  for (const Pattern& each : names) {
    if (each.kind() == PatternKind::kAddresses) continue;
    Zone& zone = zones[each.name()];
    zone.has_apex |= each.kind() != PatternKind::kBelow;
    zone.has_below |= each.kind() != PatternKind::kName;
  }
  std::string out = "# The cluster's own names.\n" + std::string(cluster_domain) +
                    ":53 in-addr.arpa:53 ip6.arpa:53 {\n"
                    "    errors\n"
                    "    health {\n        lameduck 5s\n    }\n"
                    "    ready\n"
                    "    kubernetes " +
                    std::string(cluster_domain) +
                    " in-addr.arpa ip6.arpa {\n        pods insecure\n    }\n"
                    "    prometheus :9153\n"
                    "    cache 30\n"
                    "    loadbalance\n"
                    "}\n"
                    "# Names that are needed, and no other.\n";
  for (const auto& [name, zone] : zones) {
    if (is_covered(zones, name)) continue;
    out += name + ":53 {\n    errors\n    prometheus :9153\n    cache 30\n";
    if (!zone.has_below) out += without(name, "[.]" + expression_of(name));
    if (!zone.has_apex) out += without(name, "^" + expression_of(name));
    out += "    forward . /etc/resolv.conf\n}\n";
  }
  out +=
      "# Everything else does not exist.\n"
      ".:53 {\n"
      "    errors\n"
      "    prometheus :9153\n"
      "    template ANY ANY {\n        rcode NXDOMAIN\n    }\n"
      "    reload\n"
      "}\n";
  return out;
}

}  // namespace ebbgate::deploy
