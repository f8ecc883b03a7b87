// From settings to the policy in force: reads the files that they name, each plain list and each
// YAML document, and compiles all into one value. `run`, every reload and `check` go through here.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "config/problem.h"
#include "config/settings.h"
#include "policy/policy.h"

namespace ebbgate::config {

struct LoadedPolicy {
  std::shared_ptr<const policy::Policy> policy;  // null where has_errors(problems)
  std::string version;                           // 12 hex digits: SHA-256 of all that was read
  std::vector<Problem> problems;
};

// A directory stands for its files *.yaml, *.yml and *.list in the order of their names; names that
// begin with a dot are left out. Where it is a mounted ConfigMap, all its files are of one
// revision. `hash_seed`: see PolicySettings; it is no part of the version.
[[nodiscard]] LoadedPolicy load_policy(const Settings& settings, std::uint64_t hash_seed = 0);

// How many elements of `allow` and `deny` expire within a week, and how many have.
struct ExpiryCounts {
  std::size_t expiring = 0;
  std::size_t expired = 0;
  bool operator==(const ExpiryCounts&) const = default;
};
[[nodiscard]] ExpiryCounts count_expiries(const policy::Policy& policy, WallTime now);

// Warnings for the entries that have expired, and for those that will within a week.
[[nodiscard]] std::vector<Problem> expiry_warnings(const policy::Policy& policy, WallTime now);

}  // namespace ebbgate::config
