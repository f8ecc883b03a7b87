#include "analyse/detail/grants.h"

#include <algorithm>
#include <numeric>
#include <ranges>

namespace ebbgate::analyse::detail {
namespace {

using policy::PatternKind;
using policy::PortRange;

// Whether the first name comes before the second, read from the right: names below one another are
// neighbours.
bool is_before(std::string_view a, std::string_view b) {
  return std::ranges::lexicographical_compare(a | std::views::reverse, b | std::views::reverse);
}

bool is_below(std::string_view name, std::string_view parent) {
  return name.size() > parent.size() && name.ends_with(parent) &&
         name[name.size() - parent.size() - 1] == '.';
}

// libstdc++ 12 has no ranges::contains.
template <typename T>
bool has(const std::vector<T>& all, const T& one) {
  return std::ranges::find(all, one) != all.end();
}

bool includes(const policy::SubjectRule& ours, const policy::SubjectRule& theirs) {
  const auto is_same = [](const auto& mine, const auto& other) { return !mine || mine == other; };
  if (ours.cidr && !(theirs.cidr && ours.cidr->contains(*theirs.cidr))) return false;
  return is_same(ours.user, theirs.user) && is_same(ours.certificate, theirs.certificate) &&
         is_same(ours.pod_namespace, theirs.pod_namespace) &&
         is_same(ours.service_account, theirs.service_account) &&
         std::ranges::all_of(ours.pod_labels,
                             [&](const auto& label) { return has(theirs.pod_labels, label); });
}

bool includes_terms(const Rule& ours, const Rule& theirs) {
  if (ours.denies) return true;
  const policy::Entry& mine = *ours.entry;
  const policy::Entry& other = *theirs.entry;
  // The rules are in the order from strict to lax; of ECH from lax to strict. A tunnel that may be
  // anything may have any name.
  const bool is_hello =
      mine.tls == policy::TlsRule::kOff ||
      (other.tls == policy::TlsRule::kRequire && ours.sni >= theirs.sni && mine.ech <= other.ech);
  return is_hello && std::ranges::all_of(other.addresses, [&](const Cidr& block) {
           return std::ranges::any_of(mine.addresses,
                                      [&](const Cidr& wide) { return wide.contains(block); });
         });
}

bool includes_requests(const policy::Entry& ours, const policy::Entry& theirs) {
  const auto has_method = [&](const std::string& method) { return has(ours.methods, method); };
  const auto has_path = [&](const std::string& path) {
    return std::ranges::any_of(ours.paths, [&](std::string_view prefix) {
      return path.starts_with(prefix) &&
             (path.size() == prefix.size() || prefix.ends_with('/') || path[prefix.size()] == '/');
    });
  };
  const bool methods = ours.methods.empty() ||
                       (!theirs.methods.empty() && std::ranges::all_of(theirs.methods, has_method));
  const bool paths =
      ours.paths.empty() || (!theirs.paths.empty() && std::ranges::all_of(theirs.paths, has_path));
  return methods && paths;
}

}  // namespace

Ports normalised(Ports ports) {
  std::ranges::sort(ports);
  Ports out;
  for (const PortRange& range : ports) {
    if (!out.empty() && range.first <= out.back().last + 1) {
      out.back().last = std::max(out.back().last, range.last);
    } else {
      out.push_back(range);
    }
  }
  return out;
}

Ports without(const Ports& ports, const Ports& taken) {
  Ports out;
  for (PortRange range : ports) {
    bool is_left = true;
    for (const PortRange& hole : taken) {
      if (hole.last < range.first || hole.first > range.last) continue;
      if (hole.first > range.first) {
        out.push_back({range.first, static_cast<std::uint16_t>(hole.first - 1)});
      }
      if (hole.last >= range.last) {
        is_left = false;
        break;
      }
      range.first = static_cast<std::uint16_t>(hole.last + 1);
    }
    if (is_left) out.push_back(range);
  }
  return out;
}

unsigned shortfall(const Rule& ours, const policy::SubjectRule* our_who, const Rule& theirs,
                   const policy::SubjectRule* their_who) {
  unsigned short_of = kNone;
  if (our_who != nullptr && !(their_who != nullptr && includes(*our_who, *their_who))) {
    short_of |= kWho;
  }
  if (!includes_terms(ours, theirs)) short_of |= kTerms;
  if (!includes_requests(*ours.entry, *theirs.entry)) short_of |= kRequests;
  const auto& mine = ours.entry->expires;
  const auto& other = theirs.entry->expires;
  if (mine && !(other && *mine >= *other)) short_of |= kExpiry;
  return short_of;
}

Grants::Grants(const policy::Policy& policy, WallTime now) {
  const auto is_alive = [&](const policy::Entry& entry) {
    return !entry.expires || now < *entry.expires;
  };
  for (const policy::Document& document : policy.documents()) {
    for (const policy::Entry& entry : document.allow) {
      if (is_alive(entry)) add(document, entry, false, policy.settings());
    }
    for (const policy::Entry& entry : document.deny) {
      if (is_alive(entry)) add(document, entry, true, policy.settings());
    }
  }
}

void Grants::add(const policy::Document& document, const policy::Entry& entry, bool denies,
                 const policy::PolicySettings& settings) {
  Rule rule{.document = &document,
            .entry = &entry,
            .denies = denies,
            .ports = entry.ports,
            .sni = entry.sni.value_or(settings.sni)};
  if (rule.ports.empty()) rule.ports = denies ? Ports{{1, 65535}} : settings.default_ports;
  rule.ports = normalised(std::move(rule.ports));
  rules_.push_back(std::move(rule));

  const auto add_for = [&](const policy::SubjectRule* who) {
    for (std::uint32_t place = 0; place < entry.hosts.size(); ++place) {
      Grant grant{.rule = static_cast<std::uint32_t>(rules_.size() - 1),
                  .place = place,
                  .who = who,
                  .kind = entry.hosts.kind(place)};
      const bool is_two = grant.kind == PatternKind::kNameAndBelow;
      if (is_two) grant.kind = PatternKind::kName;
      add_grant(grant);
      if (is_two) grant.kind = PatternKind::kBelow;
      if (is_two) add_grant(grant);
    }
  };
  if (document.subjects.empty()) add_for(nullptr);
  for (const policy::SubjectRule& who : document.subjects) add_for(&who);
}

void Grants::add_grant(const Grant& grant) {
  if (grant.kind == PatternKind::kAddresses) {
    const Cidr block = pattern(grant).addresses();
    (block.network().is_v4() ? prefixes_v4_ : prefixes_v6_).set(block.prefix());
  }
  const std::uint32_t id = keys_.find_or_add(key(grant));
  if (id >= heads_.size()) heads_.resize(id + 1);
  grants_.push_back(grant);
  next_.push_back(heads_[id]);
  heads_[id] = static_cast<std::uint32_t>(grants_.size());
}

std::string_view Grants::key(const Grant& grant) const {
  return rules_[grant.rule].entry->hosts.key(grant.place);
}

Ports Grants::ports(const Grant& grant) const {
  const policy::PatternList& hosts = rules_[grant.rule].entry->hosts;
  if (hosts.has_ports(grant.place)) return {hosts.ports(grant.place)};
  return rules_[grant.rule].ports;
}

policy::Pattern Grants::pattern(const Grant& grant) const {
  return rules_[grant.rule].entry->hosts[grant.place];
}

std::string Grants::where(const Grant& grant) const {
  const Rule& of = rules_[grant.rule];
  return policy::str(of.document->file, of.entry->hosts.position(grant.place));
}

void Grants::visit_covering(const Grants& theirs, const Grant& other,
                            const std::function<void(const Grant&)>& visit) const {
  const bool denies = theirs.rule(other).denies;
  const auto visit_key = [&](std::string_view wanted, auto fits) {
    const auto id = keys_.find(wanted);
    if (!id || *id >= heads_.size()) return;
    for (std::uint32_t at = heads_[*id]; at != 0; at = next_[at - 1]) {
      const Grant& grant = grants_[at - 1];
      if (rules_[grant.rule].denies == denies && fits(grant)) visit(grant);
    }
  };
  if (other.kind == PatternKind::kAddresses) {
    const Cidr block = theirs.pattern(other).addresses();
    const auto& prefixes = block.network().is_v4() ? prefixes_v4_ : prefixes_v6_;
    for (unsigned prefix = 0; prefix <= block.prefix(); ++prefix) {
      if (!prefixes[prefix]) continue;
      policy::PatternList wider;
      const auto pattern = policy::Pattern::parse(Cidr::of(block.network(), prefix).str());
      if (!pattern) continue;
      wider.add(*pattern);
      visit_key(wider.key(0),
                [](const Grant& grant) { return grant.kind == PatternKind::kAddresses; });
    }
    return;
  }
  std::string_view name = theirs.key(other);
  visit_key(name, [&](const Grant& grant) { return grant.kind == other.kind; });
  for (std::size_t dot = name.find('.'); dot != std::string_view::npos; dot = name.find('.')) {
    name.remove_prefix(dot + 1);
    visit_key(name, [](const Grant& grant) { return grant.kind == PatternKind::kBelow; });
  }
}

const Grant* Grants::find_inside(const Grants& theirs, const Grant& other) const {
  const bool denies = theirs.rule(other).denies;
  const auto is_same_effect = [&](const Grant& grant) {
    return rules_[grant.rule].denies == denies;
  };
  if (other.kind == PatternKind::kAddresses) {
    const Cidr block = theirs.pattern(other).addresses();
    const auto found = std::ranges::find_if(grants_, [&](const Grant& grant) {
      return grant.kind == PatternKind::kAddresses && is_same_effect(grant) &&
             block.contains(pattern(grant).addresses());
    });
    return found == grants_.end() ? nullptr : &*found;
  }
  if (other.kind != PatternKind::kBelow) return nullptr;
  if (by_reversed_name_.empty()) {
    by_reversed_name_.resize(grants_.size());
    std::iota(by_reversed_name_.begin(), by_reversed_name_.end(), 0U);
    std::erase_if(by_reversed_name_,
                  [&](std::uint32_t i) { return grants_[i].kind == PatternKind::kAddresses; });
    std::ranges::sort(by_reversed_name_, [&](std::uint32_t a, std::uint32_t b) {
      return is_before(key(grants_[a]), key(grants_[b]));
    });
  }
  const std::string above = "." + std::string(theirs.key(other));
  auto found = std::ranges::lower_bound(by_reversed_name_, std::string_view(above), is_before,
                                        [&](std::uint32_t i) { return key(grants_[i]); });
  for (; found != by_reversed_name_.end(); ++found) {
    const Grant& grant = grants_[*found];
    if (!is_below(key(grant), theirs.key(other))) return nullptr;
    if (is_same_effect(grant)) return &grant;
  }
  return nullptr;
}

}  // namespace ebbgate::analyse::detail
