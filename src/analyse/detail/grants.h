// A policy taken apart into grants, the smallest pieces that can be compared: one name, or all
// names below one, or one block; on some ports; for one alternative of the subjects.
#pragma once

#include <bitset>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "analyse/detail/string_pool.h"
#include "base/clock.h"
#include "policy/policy.h"

namespace ebbgate::analyse::detail {

using Ports = std::vector<policy::PortRange>;  // ascending, apart

[[nodiscard]] Ports normalised(Ports ports);
[[nodiscard]] Ports without(const Ports& ports, const Ports& taken);

// An entry, with what its absent keys default to.
struct Rule {
  const policy::Document* document = nullptr;
  const policy::Entry* entry = nullptr;
  bool denies = false;
  Ports ports;  // of hosts without their own
  policy::SniRule sni = policy::SniRule::kRequire;
};

struct Grant {
  std::uint32_t rule = 0;
  std::uint32_t place = 0;                                // in the rule's hosts
  const policy::SubjectRule* who = nullptr;               // null: everyone
  policy::PatternKind kind = policy::PatternKind::kName;  // never kNameAndBelow: that is two
};

// In what one grant falls short of another.
enum Shortfall : unsigned {
  kNone = 0,
  kWho = 1,
  kTerms = 2,
  kRequests = 4,
  kExpiry = 8,
};

class Grants {
 public:
  // The policy has to stay. Entries that have expired by `now` are left out.
  Grants(const policy::Policy& policy, WallTime now);

  [[nodiscard]] const std::vector<Grant>& all() const { return grants_; }
  [[nodiscard]] const Rule& rule(const Grant& grant) const { return rules_[grant.rule]; }
  [[nodiscard]] Ports ports(const Grant& grant) const;
  [[nodiscard]] policy::Pattern pattern(const Grant& grant) const;
  [[nodiscard]] std::string where(const Grant& grant) const;

  // Calls visit(Grant) for each of this policy's grants, of the same effect, whose hosts include
  // all of those of `other`, a grant of `theirs`.
  void visit_covering(const Grants& theirs, const Grant& other,
                      const std::function<void(const Grant&)>& visit) const;

  // The first grant, of the same effect, whose hosts are some of those of `other`; null if none.
  [[nodiscard]] const Grant* find_inside(const Grants& theirs, const Grant& other) const;

 private:
  void add(const policy::Document& document, const policy::Entry& entry, bool denies,
           const policy::PolicySettings& settings);
  void add_grant(const Grant& grant);
  [[nodiscard]] std::string_view key(const Grant& grant) const;

  std::vector<Rule> rules_;
  std::vector<Grant> grants_;
  mutable StringPool keys_{0};
  std::vector<std::uint32_t> heads_;  // by key: a grant, plus 1
  std::vector<std::uint32_t> next_;   // by grant: another one with its key, plus 1
  std::bitset<129> prefixes_v4_;
  std::bitset<129> prefixes_v6_;
  mutable std::vector<std::uint32_t> by_reversed_name_;  // of grants, made when first asked for
};

// What keeps `ours` from covering `theirs`, hosts and ports aside.
[[nodiscard]] unsigned shortfall(const Rule& ours, const policy::SubjectRule* our_who,
                                 const Rule& theirs, const policy::SubjectRule* their_who);

}  // namespace ebbgate::analyse::detail
