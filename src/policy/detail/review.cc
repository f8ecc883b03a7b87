#include "policy/detail/review.h"

#include <algorithm>
#include <optional>

#include "policy/detail/namespace_part.h"
#include "policy/detail/public_suffix.h"

namespace ebbgate::policy::detail {
namespace {

constexpr std::size_t kMaxOfOneKind = 100;
// A name that stands in so many entries is looked at no further: the check stays linear.
constexpr std::size_t kMaxCandidates = 256;

// The warnings of one kind about one document.
class Warnings {
 public:
  Warnings(const Document& document, std::string_view kind, std::vector<PolicyProblem>& problems)
      : document_(document), kind_(kind), problems_(problems) {}

  void add(Position position, std::string message, std::string fix) {
    if (++count_ > kMaxOfOneKind) return;
    problems_.push_back({.severity = Severity::kWarning,
                         .file = document_.file,
                         .position = position,
                         .message = std::move(message),
                         .fix = std::move(fix)});
  }

  void finish() {
    if (count_ <= kMaxOfOneKind) return;
    const std::size_t more = count_ - kMaxOfOneKind;
    count_ = 0;
    add({}, std::to_string(more) + " more entries are " + std::string(kind_), {});
  }

 private:
  const Document& document_;
  std::string_view kind_;
  std::vector<PolicyProblem>& problems_;
  std::size_t count_ = 0;
};

std::span<const PortRange> ports_of(const Rule& rule, std::size_t place, PortRange& own) {
  if (!rule.entry->hosts.has_ports(place)) return rule.ports;
  own = rule.entry->hosts.ports(place);
  return {&own, 1};
}

// Whether one of `wide` contains each of `narrow`. Nothing at all stands for every port.
bool contains_all(std::span<const PortRange> wide, std::span<const PortRange> narrow) {
  if (wide.empty()) return true;
  if (narrow.empty()) return false;
  return std::ranges::all_of(narrow, [&](const PortRange& range) {
    return std::ranges::any_of(wide, [&](const PortRange& w) { return w.contains(range); });
  });
}

// Finds the patterns of a rule that another one of the same rule makes needless.
class RedundancyCheck {
 public:
  RedundancyCheck(const PatternIndex& index, const Rule& rule) : index_(index), rule_(rule) {}

  // A pattern of the rule that covers all of the one at `place`; of two equal ones, the first.
  [[nodiscard]] std::optional<std::size_t> covering(std::size_t place) const {
    const PatternList& hosts = rule_.entry->hosts;
    std::optional<std::size_t> found;
    std::size_t budget = kMaxCandidates;
    const auto consider = [&](const Hit& hit, bool covers_names) {
      if (covers_names && hit.rule == &rule_ && is_needless(place, hit.place)) found = hit.place;
      return !found && --budget > 0;
    };
    const PatternKind kind = hosts.kind(place);
    if (kind == PatternKind::kAddresses) {
      const Cidr block = block_of(hosts.key(place));
      index_.visit_blocks(block.network(), [&](const Hit& hit) {
        return consider(hit, block_of(hit.key()).contains(block));
      });
      return found;
    }
    index_.visit_suffixes(hosts.key(place), [&](const Hit& hit, bool is_same_name) {
      const PatternKind wide = hit.kind();
      return consider(hit, is_same_name ? wide == kind || wide == PatternKind::kNameAndBelow
                                        : wide != PatternKind::kName);
    });
    return found;
  }

 private:
  // Whether `wide`, which has all the names of `narrow`, makes it needless.
  [[nodiscard]] bool is_needless(std::size_t narrow, std::size_t wide) const {
    if (narrow == wide || !covers_ports(wide, narrow)) return false;
    const PatternList& hosts = rule_.entry->hosts;
    const bool is_equal = hosts.key(wide) == hosts.key(narrow) &&
                          hosts.kind(wide) == hosts.kind(narrow) && covers_ports(narrow, wide);
    return !is_equal || wide < narrow;
  }
  [[nodiscard]] bool covers_ports(std::size_t wide, std::size_t narrow) const {
    PortRange own_wide;
    PortRange own_narrow;
    return contains_all(ports_of(rule_, wide, own_wide), ports_of(rule_, narrow, own_narrow));
  }

  const PatternIndex& index_;
  const Rule& rule_;
};

void warn_of_redundancy(const PatternIndex& index, const Rule& rule, Warnings& warnings) {
  const RedundancyCheck check(index, rule);
  const PatternList& hosts = rule.entry->hosts;
  for (std::size_t i = 0; i < hosts.size(); ++i) {
    const auto wider = check.covering(i);
    if (!wider) continue;
    const Position at = hosts.position(*wider);
    const std::string where = at.line == 0 ? "" : " on line " + std::to_string(at.line);
    warnings.add(hosts.position(i),
                 hosts[i].str() + " is redundant: " + hosts[*wider].str() + where + " covers it",
                 "remove one of the two");
  }
}

void warn_of_strangers(const Rule& rule, Warnings& warnings) {
  const PatternList& hosts = rule.entry->hosts;
  for (std::size_t i = 0; i < hosts.size(); ++i) {
    if (hosts.kind(i) != PatternKind::kNameAndBelow && hosts.kind(i) != PatternKind::kBelow) {
      continue;
    }
    const auto strangers = strangers_below(hosts.key(i));
    if (!strangers) continue;
    std::string fix = "list the names that are needed";
    if (rule.entry->ech == EchRule::kAllow) fix += ", or at least say `ech: deny`";
    warnings.add(hosts.position(i), hosts[i].str() + " lets in " + *strangers, std::move(fix));
  }
}

void warn_of_unseen(const Rule& rule, Warnings& warnings) {
  const Entry& entry = *rule.entry;
  if (entry.methods.empty() && entry.paths.empty()) return;
  const std::string keys = entry.paths.empty()     ? "`methods`"
                           : entry.methods.empty() ? "`paths`"
                                                   : "`methods` and `paths`";
  if (rule.denies) {
    warnings.add(entry.position,
                 "a deny entry with " + keys + " refuses every opaque tunnel to its hosts",
                 "deny the hosts as a whole, or none of them");
  } else {
    warnings.add(entry.position, "an entry with " + keys + " never admits an opaque tunnel",
                 "leave them out where clients use CONNECT");
  }
}

}  // namespace

void check_documents(std::span<const Document> documents, std::vector<PolicyProblem>& problems) {
  for (const Document& document : documents) {
    const auto error = [&](Position position, std::string message, std::string fix) {
      problems.push_back({.severity = Severity::kError,
                          .file = document.file,
                          .position = position,
                          .message = std::move(message),
                          .fix = std::move(fix)});
    };
    for (const auto* entries : {&document.allow, &document.deny}) {
      for (const Entry& entry : *entries) {
        if (entry.hosts.empty()) error(entry.position, "an entry has no hosts", "list some");
      }
    }
    const std::string& own = document.resource_namespace;
    const auto is_own = [&](const SubjectRule& rule) { return rule.pod_namespace == own; };
    if (!own.empty() &&
        (document.subjects.empty() || !std::ranges::all_of(document.subjects, is_own))) {
      error(document.position, "a document of a namespace is about others than its pods",
            "name its pods as the subjects");
    }
    for (const SubjectRule& rule : document.subjects) {
      const bool asks_for_pod = rule.service_account || !rule.pod_labels.empty();
      if (asks_for_pod && !rule.pod_namespace) {
        error(rule.position, "`serviceAccount` and `podLabels` mean nothing without `namespace`",
              "add the namespace");
      } else if (!rule.cidr && !rule.user && !rule.certificate && !rule.pod_namespace) {
        error(rule.position, "a subject asks for nothing, and so would be everyone",
              "name a cidr, or leave `subjects` out");
      }
    }
  }
}

void review(const Policy& policy, std::vector<PolicyProblem>& problems) {
  const std::vector<Rule>& rules = policy.rules();
  std::size_t r = 0;
  for (std::uint32_t d = 0; d < policy.documents().size(); ++d) {
    const Document& document = policy.documents()[d];
    Warnings redundant(document, "redundant", problems);
    Warnings strangers(document, "for suffixes that let in strangers", problems);
    Warnings unseen(document, "limited to clear requests", problems);
    for (; r < rules.size() && rules[r].document == d; ++r) {
      warn_of_redundancy(policy.index_of(document), rules[r], redundant);
      if (!rules[r].denies) warn_of_strangers(rules[r], strangers);
      warn_of_unseen(rules[r], unseen);
    }
    redundant.finish();
    strangers.finish();
    unseen.finish();
  }
}

}  // namespace ebbgate::policy::detail
