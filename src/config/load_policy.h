// From settings to the policy in force: reads the files that they name, each plain list and each
// YAML document, and compiles all into one value. `run`, every reload and `check` go through here.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/clock.h"
#include "config/problem.h"
#include "config/resource.h"
#include "config/settings.h"
#include "policy/policy.h"

namespace ebbgate::config {

// A policy of the Kubernetes API, as the API has it.
struct PolicyResource {
  ResourceId id;
  std::shared_ptr<const std::string> text;  // JSON; never null
};

enum class ResourceState : std::uint8_t {
  kInForce,  // as it is
  kKept,     // it is invalid: its last good form is in force
  kClosed,   // it is invalid and never was valid, or denies more than there is room for: nothing of
             // its namespace passes
  kMissing,  // the same of a ClusterEgressPolicy: there is no policy without it
  kHeldUp,   // it is valid, and comes into force with what the policy is still waiting for
};

// What became of one resource.
struct ResourceOutcome {
  ResourceId id;  // with the generation that was looked at
  ResourceState state = ResourceState::kInForce;
  std::int64_t generation_in_force = 0;  // 0: none
  // Errors of what was looked at; of a valid one the warnings, and what is not delegated to it.
  std::vector<ResourceProblem> problems;
  std::size_t allow = 0;  // entries of the form in force that count, be it in part
  std::size_t deny = 0;
  // Hosts of its `allow` by what is delegated: as they are written, in part, not at all. All of a
  // ClusterEgressPolicy's are whole.
  std::size_t whole = 0;
  std::size_t partly = 0;
  std::size_t none = 0;
  std::string digest;  // of the form in force; empty: none
};

namespace detail {
class ResourceForms;
}  // namespace detail

// What a loading came to, and what the next one needs of it.
struct LoadedPolicy {
  std::shared_ptr<const policy::Policy> policy;  // null where it cannot be in force
  std::string digest;                            // SHA-256 in hex, of all that it is made of
  std::string version;                           // the first 12 digits of that, for people
  std::vector<Problem> problems;
  std::vector<std::string> kept;                // files with errors: their last good form stays
  std::map<std::string, std::string> versions;  // of each file that the policy is made of

  std::vector<ResourceOutcome> resources;  // in the order of their names
  std::string resources_digest;            // 32 hex digits: of the forms of all; empty without any
  // Their last good forms, of a loading that came to no policy too.
  std::shared_ptr<const detail::ResourceForms> forms;
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
//
// `resources`: each is a document of its own, with its own last good form; what was parsed for
// `last` is not parsed again. Those of namespaces allow what is delegated to them by the documents
// of files and texts and by ClusterEgressPolicies. One that never was good closes its namespace;
// a ClusterEgressPolicy that never was makes the whole invalid. Their problems are in the outcomes
// only. With `settings.kube`, documents of files and texts may be about pods.
[[nodiscard]] LoadedPolicy load_policy(const Settings& settings, std::uint64_t hash_seed = 0,
                                       const LoadedPolicy& last = {},
                                       const std::vector<PolicyText>& texts = {},
                                       std::span<const PolicyResource> resources = {});

// The same for a command that looks at policies and serves nobody: documents may be about pods,
// whether or not a gateway with these settings would know them; and one whose metadata names a
// namespace is the resource that it is in a cluster, for its pods and within what is delegated.
[[nodiscard]] LoadedPolicy look_at_policy(const Settings& settings, std::uint64_t hash_seed = 0,
                                          const std::vector<PolicyText>& texts = {});

// What the outcomes of a loading that was not put in force are instead: what was in force still is.
void hold_up(std::vector<ResourceOutcome>& outcomes, std::span<const ResourceOutcome> in_force);

// How many elements of `allow` and `deny` expire within a week, and how many have.
struct ExpiryCounts {
  std::size_t expiring = 0;
  std::size_t expired = 0;
  bool operator==(const ExpiryCounts&) const = default;
};
[[nodiscard]] ExpiryCounts count_expiries(const policy::Policy& policy, WallTime now);

// Warnings for the entries that have expired, and for those that will within a week.
[[nodiscard]] std::vector<Problem> expiry_warnings(const policy::Policy& policy, WallTime now);

// The same for a loading that came to a policy; those about resources go to the outcomes instead.
[[nodiscard]] std::vector<Problem> take_expiry_warnings(LoadedPolicy& loaded, WallTime now);

}  // namespace ebbgate::config
