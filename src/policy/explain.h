// Why a request is allowed or refused, step by step, by the very code that decides. For the body
// of a 403, the admin API and `ebbgate explain`.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "policy/decide.h"

namespace ebbgate::policy {

enum class Outcome : std::uint8_t { kPassed, kRefused, kNotReached };

struct Step {
  std::string name;  // "subject", "deny", "allow"
  Outcome outcome = Outcome::kPassed;
  std::string text;                 // what was found, a sentence without its full stop
  std::optional<Citation> matched;  // what decided it
};

// The entry that came closest to allowing the request.
struct NearMiss {
  Citation citation;
  std::string text;  // "`.docker.io` (list:3:1) allows it on 443, not 80"
};

struct Explanation {
  Decision decision;
  std::vector<Step> steps;
  std::optional<NearMiss> nearest;
  std::string fix;   // what to change, a clause; empty where it is allowed
  std::string line;  // the pattern that would allow it: a line of a list, an element of `hosts`
};

// What a denial can say at little cost: only entries that the lookup itself meets (another port,
// method or path, expired, the parent or the apex of the name). It tells a client nothing of what
// others may do. Where a document closes the subject off, it is that one, without an entry.
[[nodiscard]] std::optional<NearMiss> near_miss(const Policy& policy, const Subject& subject,
                                                const Request& request, WallTime now);

// The whole story; looks through all patterns for the nearest where the lookup met none.
[[nodiscard]] Explanation explain(const Policy& policy, const Subject& subject,
                                  const Request& request, WallTime now);

}  // namespace ebbgate::policy
