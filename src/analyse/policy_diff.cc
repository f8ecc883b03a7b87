#include "analyse/policy_diff.h"

#include <algorithm>
#include <array>
#include <bit>
#include <map>
#include <optional>
#include <utility>

#include "analyse/detail/grants.h"
#include "analyse/time_text.h"
#include "base/escape.h"

namespace ebbgate::analyse {
namespace {

using detail::Grant;
using detail::Grants;
using detail::Ports;
using policy::PatternKind;

constexpr std::array<std::string_view, 7> kAspects = {"hosts", "suffix",   "ports", "subjects",
                                                      "terms", "requests", "expiry"};

std::string str(const policy::SubjectRule& rule) {
  std::string out;
  const auto add = [&](std::string_view field, const std::string& value) {
    if (!out.empty()) out += ' ';
    out += std::string(field) + ' ' + escaped(value);
  };
  if (rule.cidr) add("cidr", rule.cidr->str());
  if (rule.user) add("user", *rule.user);
  if (rule.certificate) add("certificate", *rule.certificate);
  if (rule.pod_namespace) add("namespace", *rule.pod_namespace);
  if (rule.service_account) add("serviceAccount", *rule.service_account);
  for (const auto& [label, value] : rule.pod_labels) add("podLabel", label + '=' + value);
  return out;
}

std::string str(const Ports& ports) {
  std::string out;
  for (const policy::PortRange& range : ports) out += (out.empty() ? "" : ", ") + range.str();
  return out;
}

std::string joined(const std::vector<std::string>& texts, std::string_view otherwise) {
  std::string out;
  for (const std::string& text : texts) out += (out.empty() ? "" : ", ") + text;
  return out.empty() ? std::string(otherwise) : out;
}

std::string str(policy::SniRule rule) {
  constexpr std::array<const char*, 3> kWords = {"require", "optional", "off"};
  return kWords[static_cast<std::size_t>(rule)];
}

// How the nearest grant stands in the other policy, in what it falls short.
std::string difference_of(const detail::Rule& rule, const policy::SubjectRule* who,
                          const detail::Rule& other, unsigned short_of) {
  std::vector<std::string> parts;
  const policy::Entry& entry = *rule.entry;
  if ((short_of & detail::kWho) != 0) parts.push_back("only for " + str(*who));
  if ((short_of & detail::kTerms) != 0) {
    if (rule.sni != other.sni) parts.push_back("sni " + str(rule.sni));
    if (entry.tls != other.entry->tls) {
      parts.emplace_back(entry.tls == policy::TlsRule::kOff ? "tls off" : "tls require");
    }
    if (entry.ech != other.entry->ech) {
      parts.emplace_back(entry.ech == policy::EchRule::kDeny ? "ech deny" : "ech allow");
    }
    if (entry.addresses != other.entry->addresses) {
      std::vector<std::string> blocks;
      for (const Cidr& block : entry.addresses) blocks.push_back(block.str());
      parts.push_back("addresses " + joined(blocks, "none"));
    }
  }
  if ((short_of & detail::kRequests) != 0) {
    if (!entry.methods.empty()) parts.push_back("methods " + joined(entry.methods, ""));
    if (!entry.paths.empty()) parts.push_back("paths " + escaped_prose(joined(entry.paths, "")));
  }
  if ((short_of & detail::kExpiry) != 0) {
    const auto expires = std::chrono::floor<std::chrono::milliseconds>(*entry.expires);
    parts.push_back("expires " + rfc3339(expires.time_since_epoch().count()));
  }
  return joined(parts, "");
}

Aspect aspect_of(unsigned short_of) {
  if ((short_of & detail::kWho) != 0) return Aspect::kSubjects;
  if ((short_of & detail::kTerms) != 0) return Aspect::kTerms;
  if ((short_of & detail::kRequests) != 0) return Aspect::kRequests;
  return Aspect::kExpiry;
}

// The pattern without its ports.
std::string shown_whole(const policy::Pattern& pattern) {
  switch (pattern.kind()) {
    case PatternKind::kAddresses:
      return pattern.addresses().str();
    case PatternKind::kName:
      return pattern.name();
    case PatternKind::kNameAndBelow:
      return "." + pattern.name();
    case PatternKind::kBelow:
      return "*." + pattern.name();
  }
  return pattern.name();
}

// The pattern without its ports, and of `.a.example` only the half that the grant is.
std::string shown(const Grants& grants, const Grant& grant) {
  const policy::Pattern pattern = grants.pattern(grant);
  if (grant.kind == PatternKind::kAddresses) return pattern.addresses().str();
  return (grant.kind == PatternKind::kBelow ? "*." : "") + pattern.name();
}

// Whether another grant of the same policy makes this one needless, so that only that one is told
// of. Of two that are the same, the first is the one.
bool is_redundant(const Grants& grants, const Grant& grant, const Ports& ports) {
  const detail::Rule& rule = grants.rule(grant);
  bool found = false;
  grants.visit_covering(grants, grant, [&](const Grant& wide) {
    if (&wide == &grant || !detail::without(ports, grants.ports(wide)).empty()) return;
    const detail::Rule& wider = grants.rule(wide);
    if (detail::shortfall(wider, wide.who, rule, grant.who) != detail::kNone) return;
    const bool is_same = grants.pattern(wide).name() == grants.pattern(grant).name() &&
                         grants.pattern(wide).addresses() == grants.pattern(grant).addresses() &&
                         detail::shortfall(rule, grant.who, wider, wide.who) == detail::kNone &&
                         detail::without(grants.ports(wide), grants.ports(grant)).empty();
    if (!is_same || &wide < &grant) found = true;
  });
  return found;
}

// What of `grant` the other policy does not cover; nothing where it covers all.
std::optional<Change> uncovered(const Grants& ours, const Grant& grant, const Grants& theirs) {
  const detail::Rule& rule = ours.rule(grant);
  Ports left = ours.ports(grant);
  std::vector<std::pair<const Grant*, unsigned>> covering;
  theirs.visit_covering(ours, grant, [&](const Grant& wide) {
    const unsigned short_of = detail::shortfall(theirs.rule(wide), wide.who, rule, grant.who);
    if (short_of == detail::kNone) left = detail::without(left, theirs.ports(wide));
    covering.emplace_back(&wide, short_of);
  });
  if (left.empty() || is_redundant(ours, grant, left)) return std::nullopt;

  // Nearest is what covers some of these ports if it were not for the fewest other things.
  const Grant* nearest = nullptr;
  unsigned nearest_short = 0;
  std::pair<bool, int> least;
  for (const auto& [wide, short_of] : covering) {
    const bool is_elsewhere = detail::without(left, theirs.ports(*wide)) == left;
    const std::pair distance(is_elsewhere, std::popcount(short_of));
    if (nearest != nullptr && distance >= least) continue;
    nearest = wide;
    nearest_short = short_of;
    least = distance;
  }

  Change change{.denies = rule.denies,
                .pattern = {},
                .ports = std::move(left),
                .subjects = {},
                .where = ours.where(grant),
                .nearest = {},
                .nearest_where = {},
                .difference = {}};
  if (nearest == nullptr) {
    nearest = theirs.find_inside(ours, grant);
    if (nearest != nullptr) change.aspect = Aspect::kSuffix;
  } else if (nearest_short == detail::kNone) {
    change.aspect = Aspect::kPorts;
    change.difference = "on " + str(theirs.ports(*nearest));
  } else {
    change.aspect = aspect_of(nearest_short);
    change.difference = difference_of(theirs.rule(*nearest), nearest->who, rule, nearest_short);
  }
  if (nearest != nullptr) {
    change.nearest = shown_whole(theirs.pattern(*nearest));
    change.nearest_where = theirs.where(*nearest);
  }
  return change;
}

bool is_same_but_for_hosts(const Change& a, const Change& b) {
  return a.ports == b.ports && a.aspect == b.aspect && a.nearest_where == b.nearest_where &&
         a.difference == b.difference;
}

// Appends the changes of all grants of `ours`; those of one pattern become one where they agree.
void append_uncovered(const Grants& ours, const Grants& theirs, bool is_added,
                      std::vector<Change>& changes) {
  struct Last {
    std::uint32_t rule, place;
    const policy::SubjectRule* who;
    PatternKind kind;
  };
  std::optional<Last> last;
  for (const Grant& grant : ours.all()) {
    auto change = uncovered(ours, grant, theirs);
    if (!change) continue;
    change->is_added = is_added;
    change->pattern = shown(ours, grant);
    if (grant.who != nullptr) change->subjects.push_back(str(*grant.who));
    // The apex comes right before what is below it.
    const bool is_other_half = last && last->rule == grant.rule && last->place == grant.place &&
                               last->who == grant.who && last->kind == PatternKind::kName &&
                               grant.kind == PatternKind::kBelow;
    if (is_other_half) {
      Change& apex = changes.back();
      const bool is_vague = apex.aspect == Aspect::kHosts && change->aspect == Aspect::kSuffix &&
                            apex.ports == change->ports;
      if (is_vague || is_same_but_for_hosts(apex, *change)) {
        change->pattern.erase(0, 1);
        apex = *std::move(change);
        last->kind = PatternKind::kBelow;
        continue;
      }
    }
    changes.push_back(*std::move(change));
    last = Last{grant.rule, grant.place, grant.who, grant.kind};
  }
}

// Changes that are the same for several subjects of one document become one.
void merge_subjects(std::vector<Change>& changes) {
  std::map<std::pair<std::string, std::string>, std::vector<std::size_t>> by_place;
  std::vector<Change> merged;
  for (Change& change : changes) {
    if (change.subjects.empty()) {
      merged.push_back(std::move(change));
      continue;
    }
    auto& seen = by_place[{change.where, change.pattern}];
    const auto same = std::ranges::find_if(seen, [&](std::size_t i) {
      return merged[i].is_added == change.is_added && is_same_but_for_hosts(merged[i], change);
    });
    if (same != seen.end()) {
      merged[*same].subjects.push_back(std::move(change.subjects.front()));
    } else {
      seen.push_back(merged.size());
      merged.push_back(std::move(change));
    }
  }
  changes = std::move(merged);
}

using Modes = std::map<std::vector<std::string>, policy::Mode>;

Modes modes_of(const policy::Policy& policy) {
  Modes modes;
  for (const policy::Document& document : policy.documents()) {
    std::vector<std::string> subjects;
    for (const policy::SubjectRule& rule : document.subjects) subjects.push_back(str(rule));
    std::ranges::sort(subjects);
    const auto [known, is_new] = modes.try_emplace(std::move(subjects), document.mode);
    // One that enforces is enough.
    if (!is_new && document.mode == policy::Mode::kEnforce) known->second = document.mode;
  }
  return modes;
}

std::vector<ModeChange> diff_modes(const policy::Policy& before, const policy::Policy& after) {
  const Modes old_modes = modes_of(before);
  const Modes new_modes = modes_of(after);
  const auto word_of = [](const Modes& modes, const std::vector<std::string>& subjects) {
    const auto found = modes.find(subjects);
    if (found == modes.end()) return "absent";
    return found->second == policy::Mode::kReport ? "report" : "enforce";
  };
  Modes all = old_modes;
  all.insert(new_modes.begin(), new_modes.end());
  std::vector<ModeChange> changes;
  for (const auto& [subjects, mode] : all) {
    const std::string_view was = word_of(old_modes, subjects);
    const std::string_view is = word_of(new_modes, subjects);
    if (was == is || (was != "report" && is != "report")) continue;
    changes.push_back({subjects, std::string(was), std::string(is)});
  }
  return changes;
}

}  // namespace

std::string_view word(Aspect aspect) {
  return kAspects[static_cast<std::size_t>(aspect)];
}

PolicyDiff diff_policies(const policy::Policy& before, const policy::Policy& after, WallTime now) {
  const Grants was(before, now);
  const Grants is(after, now);
  PolicyDiff diff;
  append_uncovered(is, was, true, diff.changes);
  append_uncovered(was, is, false, diff.changes);
  merge_subjects(diff.changes);
  diff.modes = diff_modes(before, after);
  return diff;
}

}  // namespace ebbgate::analyse
