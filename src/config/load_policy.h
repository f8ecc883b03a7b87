// From settings to the policy in force: reads the files that they name, each plain list and each
// YAML document, and compiles all into one value. `run`, every reload and `check` go through here.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "config/problem.h"
#include "config/settings.h"
#include "policy/policy.h"

namespace ebbgate::config {

// What a loading came to, and what the next one needs of it.
struct LoadedPolicy {
  std::shared_ptr<const policy::Policy> policy;  // null where it cannot be in force
  std::string version;                           // 12 hex digits: SHA-256 of all that it is made of
  std::vector<Problem> problems;
  std::vector<std::string> kept;                // files with errors: their last good form stays
  std::map<std::string, std::string> versions;  // of each file that the policy is made of
};

// A policy's text that is no file: what a remote source has given.
struct PolicyText {
  std::string name;  // in positions and messages it stands where a file's name would
  std::string text;
  bool is_list = false;  // a plain list of patterns, not YAML
};

// A directory stands for its files *.yaml, *.yml and *.list in the order of their names; names that
// begin with a dot are left out. Where it is a mounted ConfigMap, all its files are of one
// revision. `hash_seed`: see PolicySettings; it is no part of the version.
//
// `last` is the loading in force, at a reload: a file with errors, or that cannot be read, is then
// what it was there (semantics 11). One that has no such last good form makes the whole invalid:
// without it the others could let pass what it denies.
[[nodiscard]] LoadedPolicy load_policy(const Settings& settings, std::uint64_t hash_seed = 0,
                                       const LoadedPolicy& last = {},
                                       const std::vector<PolicyText>& texts = {});

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
