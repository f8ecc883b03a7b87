#include "policy/delegation.h"

#include <algorithm>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "base/escape.h"
#include "policy/detail/delegated_hosts.h"

namespace ebbgate::policy {
namespace {

using detail::DelegatedHosts;
using detail::Portion;

constexpr std::size_t kMaxProblems = 100;  // of one document
constexpr std::size_t kMaxShown = 3;       // portions of a host in a message

std::string in_ticks(std::string_view text) {
  return "`" + escaped_prose(text) + "`";
}

// What is left of one document of a namespace.
class Binding {
 public:
  Binding(const Document& document, const DelegatedHosts& delegated)
      : document_(document), delegated_(delegated), budget_(DelegatedHosts::kMaxWork) {}

  // Nothing where nothing is left.
  std::optional<Document> bind() {
    Document bound{.name = document_.resource_namespace + "/" + document_.name,
                   .file = document_.file,
                   .position = document_.position,
                   .resource_namespace = document_.resource_namespace};
    bound.subjects = subjects();
    for (const Entry& entry : document_.allow) {
      Entry left = plain(entry);
      take_hosts(entry, left);
      if (!left.hosts.empty()) bound.allow.push_back(std::move(left));
    }
    for (const Entry& entry : document_.deny) {
      Entry left = plain(entry);
      left.hosts = entry.hosts;
      bound.deny.push_back(std::move(left));
    }
    if (bound.subjects.empty() || (bound.allow.empty() && bound.deny.empty())) return std::nullopt;
    return bound;
  }

  Acceptance take_acceptance() { return std::move(acceptance_); }

 private:
  // Those of the document that are pods of its namespace; that namespace where it names none.
  std::vector<SubjectRule> subjects() {
    const std::string& own = document_.resource_namespace;
    if (document_.subjects.empty()) {
      return {SubjectRule{.pod_namespace = own, .position = document_.position}};
    }
    std::vector<SubjectRule> bound;
    for (const SubjectRule& rule : document_.subjects) {
      if (rule.cidr || rule.user || rule.certificate) {
        say(rule.position, "a subject that is no pod does not count in a namespace",
            "name pods by `serviceAccount` or `podLabels`");
      } else if (rule.pod_namespace && *rule.pod_namespace != own) {
        say(rule.position,
            "a subject in " + in_ticks(*rule.pod_namespace) + " does not count in " + in_ticks(own),
            "leave `namespace` out");
      } else {
        bound.push_back(rule);
        bound.back().pod_namespace = own;
      }
    }
    return bound;
  }

  // The entry without its hosts, and without what only the cluster may say.
  static Entry plain(const Entry& entry) {
    return {.hosts = {},
            .bundle = entry.bundle,
            .ports = entry.ports,
            .methods = entry.methods,
            .paths = entry.paths,
            .sni = {},
            .addresses = {},
            .expires = entry.expires,
            .owner = entry.owner,
            .reason = entry.reason,
            .ticket = entry.ticket,
            .position = entry.position};
  }

  void take_hosts(const Entry& entry, Entry& left) {
    for (std::size_t i = 0; i < entry.hosts.size(); ++i) {
      const Pattern host = entry.hosts[i];
      const Position position = entry.hosts.position(i);
      if (budget_ == 0) {
        ++acceptance_.none;
        say(position, host.str() + " does not count: the hosts before it stand for too many",
            "write narrower hosts");
        continue;
      }
      const Portion portion = delegated_.portion_of(host, entry.ports, budget_);
      if (portion.is_whole) {
        ++acceptance_.whole;
        left.hosts.add(host, position);
        continue;
      }
      for (const Pattern& part : portion.parts) left.hosts.add(part, position);
      if (portion.parts.empty()) {
        ++acceptance_.none;
        refuse(host, position, portion.is_elsewhere);
      } else {
        ++acceptance_.partly;
        narrow(host, position, portion.parts);
      }
    }
    left.hosts.shrink_to_fit();
  }

  void refuse(const Pattern& host, Position position, bool is_on_other_ports) {
    const std::string to = in_ticks(document_.resource_namespace);
    if (delegated_.empty()) {
      say(position, host.str() + " does not count: nothing is delegated to " + to,
          "ask for a ClusterEgressPolicy with `delegate`");
    } else if (is_on_other_ports) {
      say(position, host.str() + " does not count: it is delegated to " + to + " on other ports",
          "name one of those");
    } else {
      say(position, host.str() + " does not count: it is not delegated to " + to,
          "ask for a ClusterEgressPolicy with `delegate`");
    }
  }

  void narrow(const Pattern& host, Position position, const std::vector<Pattern>& parts) {
    std::string message = host.str() + " counts only as";
    for (std::size_t i = 0; i < std::min(parts.size(), kMaxShown); ++i) {
      message += (i == 0 ? " " : ", ") + parts[i].str();
    }
    if (parts.size() > kMaxShown) {
      message += " and " + std::to_string(parts.size() - kMaxShown) + " more";
    }
    say(position,
        message + ": that is what is delegated to " + in_ticks(document_.resource_namespace),
        "write that");
  }

  void say(Position position, std::string message, std::string fix) {
    if (acceptance_.problems.size() >= kMaxProblems) return;
    acceptance_.problems.push_back({.severity = Severity::kWarning,
                                    .file = document_.file,
                                    .position = position,
                                    .message = std::move(message),
                                    .fix = std::move(fix)});
  }

  const Document& document_;
  const DelegatedHosts& delegated_;
  std::size_t budget_;
  Acceptance acceptance_;
};

}  // namespace

Delegated apply_delegation(std::vector<Document> cluster, std::span<const Document> namespaced,
                           std::span<const PortRange> default_ports) {
  Delegated out;
  out.documents = std::move(cluster);
  const std::size_t of_cluster = out.documents.size();
  // Namespaces to which the same documents delegate share what is made of these.
  std::map<std::vector<std::size_t>, DelegatedHosts> known;
  for (const Document& document : namespaced) {
    // The cluster's documents move as the others are appended; what is made of them stays.
    const auto cluster_documents = std::span(out.documents).first(of_cluster);
    auto which = detail::delegating_to(document.resource_namespace, cluster_documents);
    auto found = known.find(which);
    if (found == known.end()) {
      DelegatedHosts delegated(cluster_documents, which, default_ports);
      found = known.emplace(std::move(which), std::move(delegated)).first;
    }
    Binding binding(document, found->second);
    if (auto bound = binding.bind()) out.documents.push_back(*std::move(bound));
    out.acceptances.push_back(binding.take_acceptance());
  }
  return out;
}

}  // namespace ebbgate::policy
