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
using detail::Delegations;
using detail::Portion;

constexpr std::size_t kMaxProblems = 100;  // of one document
constexpr std::size_t kMaxShown = 3;       // portions of a host in a message

std::string in_ticks(std::string_view text) {
  return "`" + escaped_prose(text) + "`";
}

std::size_t hosts_in(const std::vector<Entry>& entries) {
  std::size_t count = 0;
  for (const Entry& entry : entries) count += entry.hosts.size();
  return count;
}

// What one namespace has, and what is left to it while its documents are bound.
struct Share {
  std::vector<const DelegatedHosts*> delegated;
  std::size_t patterns;
  std::size_t work;
  std::string limit;  // on patterns, for people
};

// What is left of one document of a namespace: take_denials(), take_allowances(), take(). The first
// of all its documents comes before the second of any, so that they close it only where they have
// to.
class Binding {
 public:
  Binding(const Document& document, Share& share, std::span<const PortRange> default_ports)
      : document_(document),
        share_(share),
        default_ports_(default_ports),
        bound_{.name = document.resource_namespace + "/" + document.name,
               .file = document.file,
               .subjects = subjects(),
               .position = document.position,
               .resource_namespace = document.resource_namespace} {}

  void take_denials() {
    if (bound_.subjects.empty()) return;
    const std::size_t count = hosts_in(document_.deny);
    if (count > share_.patterns) return close();
    share_.patterns -= count;
    for (const Entry& entry : document_.deny) {
      Entry left = plain(entry);
      left.hosts = entry.hosts;
      bound_.deny.push_back(std::move(left));
    }
  }

  void take_allowances() {
    for (const Entry& entry : document_.allow) {
      Entry left = plain(entry);
      take_hosts(entry, left);
      if (!left.hosts.empty() && !bound_.closes) bound_.allow.push_back(std::move(left));
    }
  }

  // Nothing where nothing is left.
  std::optional<Document> take() {
    const bool is_empty = bound_.allow.empty() && bound_.deny.empty() && !bound_.closes;
    if (bound_.subjects.empty() || is_empty) return std::nullopt;
    return std::move(bound_);
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

  void close() {
    acceptance_.closes = bound_.closes = true;
    bound_.subjects = {
        SubjectRule{.pod_namespace = document_.resource_namespace, .position = document_.position}};
    const std::string count = std::to_string(hosts_in(document_.deny));
    acceptance_.problems.insert(
        acceptance_.problems.begin(),
        {.severity = Severity::kWarning,
         .file = document_.file,
         .position = document_.position,
         .message = "there is no room for the " + count + " hosts that it denies: " + share_.limit +
                    "; nothing that its pods ask for is let pass",
         .fix = "deny fewer and wider hosts"});
  }

  void take_hosts(const Entry& entry, Entry& left) {
    for (std::size_t i = 0; i < entry.hosts.size(); ++i) {
      const Pattern host = entry.hosts[i];
      const Position position = entry.hosts.position(i);
      if (share_.patterns == 0 || share_.work == 0) {
        ++acceptance_.none;
        refuse_for_room(host, position);
        continue;
      }
      const auto ports = detail::ports_of(host, entry.ports, default_ports_);
      Portion portion = detail::portion_of(share_.delegated, host, ports, share_.work);
      if (portion.is_whole) {
        ++acceptance_.whole;
        --share_.patterns;
        left.hosts.add(host, position);
        continue;
      }
      if (portion.parts.empty()) {
        ++acceptance_.none;
        refuse(host, position, portion.is_elsewhere);
        continue;
      }
      ++acceptance_.partly;
      const std::size_t room = std::min(portion.parts.size(), share_.patterns);
      portion.parts.erase(portion.parts.begin() + static_cast<std::ptrdiff_t>(room),
                          portion.parts.end());
      share_.patterns -= room;
      for (const Pattern& part : portion.parts) left.hosts.add(part, position);
      narrow(host, position, portion.parts);
    }
    left.hosts.shrink_to_fit();
  }

  void refuse_for_room(const Pattern& host, Position position) {
    if (is_full()) return;
    const std::string why = share_.patterns == 0 ? "there is no room for it: " + share_.limit
                                                 : "the hosts before it in " +
                                                       in_ticks(document_.resource_namespace) +
                                                       " stand for too many";
    say(position, host.str() + " does not count: " + why, "write fewer hosts");
  }

  void refuse(const Pattern& host, Position position, bool is_on_other_ports) {
    if (is_full()) return;
    const std::string to = in_ticks(document_.resource_namespace);
    if (share_.delegated.empty()) {
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
    if (is_full()) return;
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

  [[nodiscard]] bool is_full() const { return acceptance_.problems.size() >= kMaxProblems; }

  void say(Position position, std::string message, std::string fix) {
    if (is_full()) return;
    acceptance_.problems.push_back({.severity = Severity::kWarning,
                                    .file = document_.file,
                                    .position = position,
                                    .message = std::move(message),
                                    .fix = std::move(fix)});
  }

  const Document& document_;
  Share& share_;
  std::span<const PortRange> default_ports_;
  Acceptance acceptance_;
  Document bound_;
};

// The documents of one namespace.
struct Group {
  std::string_view name;
  std::vector<std::size_t> numbers;
  std::size_t hosts = 0;  // in all their entries
};

// Those with the fewest hosts first; in each the documents by name.
std::vector<Group> grouped(std::span<const Document> namespaced) {
  std::map<std::string_view, Group> by_name;
  for (std::size_t i = 0; i < namespaced.size(); ++i) {
    const Document& document = namespaced[i];
    Group& group = by_name[document.resource_namespace];
    group.name = document.resource_namespace;
    group.numbers.push_back(i);
    group.hosts += hosts_in(document.allow) + hosts_in(document.deny);
  }
  std::vector<Group> groups;
  for (auto& row : by_name) {
    std::ranges::sort(row.second.numbers, {}, [&](std::size_t number) -> const std::string& {
      return namespaced[number].name;
    });
    groups.push_back(std::move(row.second));
  }
  std::ranges::sort(groups, {},
                    [](const Group& group) { return std::pair(group.hosts, group.name); });
  return groups;
}

std::string limit_on(std::string_view whose, std::size_t patterns) {
  return "the policies of " + std::string(whose) + " may have " + std::to_string(patterns) +
         " hosts in all";
}

}  // namespace

Delegated apply_delegation(std::vector<Document> cluster, std::span<const Document> namespaced,
                           std::span<const PortRange> default_ports,
                           const DelegationLimits& limits) {
  Delegated out;
  out.acceptances.resize(namespaced.size());
  std::vector<std::optional<Document>> bound(namespaced.size());
  Delegations delegations(cluster, default_ports);
  std::size_t room = limits.patterns_of_all;
  for (const Group& group : grouped(namespaced)) {
    const bool is_short = room < limits.patterns_of_namespace;
    Share share{.delegated = delegations.to(group.name),
                .patterns = is_short ? room : limits.patterns_of_namespace,
                .work = limits.work_of_namespace,
                .limit = is_short ? limit_on("all namespaces", limits.patterns_of_all)
                                  : limit_on(in_ticks(group.name), limits.patterns_of_namespace)};
    const std::size_t before = share.patterns;
    std::vector<Binding> bindings;
    for (const std::size_t number : group.numbers) {
      bindings.emplace_back(namespaced[number], share, default_ports).take_denials();
    }
    for (std::size_t i = 0; i < bindings.size(); ++i) {
      bindings[i].take_allowances();
      bound[group.numbers[i]] = bindings[i].take();
      out.acceptances[group.numbers[i]] = bindings[i].take_acceptance();
    }
    room -= before - share.patterns;
  }
  out.documents = std::move(cluster);
  for (std::optional<Document>& document : bound) {
    if (document) out.documents.push_back(*std::move(document));
  }
  return out;
}

}  // namespace ebbgate::policy
