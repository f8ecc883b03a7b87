// What a change of policy means (`ebbgate diff`): two compiled policies in, what the second one
// lets pass that the first did not, and the other way round. An edit that moves, splits or sorts
// entries and means the same is no change.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "policy/policy.h"

namespace ebbgate::analyse {

// What the entry that changed differs in from the nearest one of the other policy.
enum class Aspect : std::uint8_t {
  kHosts,     // the other policy has nothing about these hosts
  kSuffix,    // it has only some of the names or addresses
  kPorts,     // it has them on other ports
  kSubjects,  // for others
  kTerms,     // with other sni, tls, ech or addresses
  kRequests,  // with other methods or paths
  kExpiry,    // until another time
};
[[nodiscard]] std::string_view word(Aspect aspect);  // "hosts", "suffix", …

struct Change {
  bool is_added = false;  // the new policy has it, the old one has not; else the reverse
  bool denies = false;    // it is part of a deny entry
  Aspect aspect = Aspect::kHosts;
  std::string pattern;  // what changed of the entry: `.a.example`, or only `a.example` of it
  std::vector<policy::PortRange> ports;  // those that the other policy does not cover
  std::vector<std::string> subjects;     // `cidr 10.0.0.0/8`; empty: everyone
  std::string where;                     // file:line:column in the policy that has it
  std::string nearest;                   // the nearest pattern of the other policy; may be empty
  std::string nearest_where;
  std::string difference;  // how that one stands there: `sni require`, `ports 443`

  // Whether more is let pass than before.
  [[nodiscard]] bool opens() const { return is_added != denies; }
  bool operator==(const Change&) const = default;
};

// A change of mode for the documents of one set of subjects: enforce, report, or absent.
struct ModeChange {
  std::vector<std::string> subjects;  // empty: everyone
  std::string before;
  std::string after;
  bool operator==(const ModeChange&) const = default;
};

struct PolicyDiff {
  std::vector<Change> changes;  // in the order of the new policy, then of the old one
  std::vector<ModeChange> modes;

  [[nodiscard]] bool is_empty() const { return changes.empty() && modes.empty(); }
};

// Entries that have expired by `now` count as absent. A block of addresses, or a list of methods,
// is covered by one of the other policy or not at all: two that only cover it together are reported
// as a change. diff(a, b) and diff(b, a) are the same but for `is_added`.
[[nodiscard]] PolicyDiff diff_policies(const policy::Policy& before, const policy::Policy& after,
                                       WallTime now);

}  // namespace ebbgate::analyse
