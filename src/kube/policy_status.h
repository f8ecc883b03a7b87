// What a policy resource's status says of it, as plain functions: what the gateways made of the
// resource and how many of them go by it go in, the status for server-side apply comes out, and
// the event that people should hear of. docs/kubernetes.md lists the reasons.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "config/resource.h"
#include "kube/object_set.h"

namespace ebbgate::kube {

enum class ResourceState : std::uint8_t {
  kAccepted,
  kPartlyDelegated,  // valid; some of what it allows is not delegated to its namespace
  kNotDelegated,     // valid; nothing of what it allows is
  kLastGoodKept,     // invalid; an earlier generation of it stays in force
  kNeverGood,        // invalid, and it never was valid: a namespaced one closes its namespace
};

using config::ResourceProblem;

// What became of one resource in a load.
struct ResourceReport {
  ObjectId id = {};  // without a namespace: a ClusterEgressPolicy
  std::string uid = {};
  std::int64_t generation = 0;           // that was read
  std::int64_t generation_in_force = 0;  // another one in kLastGoodKept; 0: none
  ResourceState state = ResourceState::kAccepted;
  std::size_t allow = 0;  // entries that count, be it in part
  std::size_t deny = 0;
  std::vector<ResourceProblem> problems = {};
  bool operator==(const ResourceReport&) const = default;

  [[nodiscard]] bool is_invalid() const {
    return state == ResourceState::kLastGoodKept || state == ResourceState::kNeverGood;
  }
};

// Of what a gateway goes by: the same on two gateways that go by the same generations of the same
// resources. 16 hexadecimal digits; for telling apart, not against anybody who forges one.
[[nodiscard]] std::string digest_of(std::span<const ResourceReport> reports);

// How many of the gateways that serve go by the generation in force. Of a resource that is invalid,
// some may keep a good form that others never knew.
struct Coverage {
  std::size_t in_force = 0;
  std::size_t gateways = 0;
  std::size_t closed = 0;  // have no form of it
  std::int64_t kept = 0;   // the generation that `in_force` of them keep; 0: none, or it is valid
  bool operator==(const Coverage&) const = default;
};

// Out: the body for server-side apply of `status`, within the limits of the CRD; empty where
// `object`, the resource's present JSON text, says all of it already. A condition whose status
// stays keeps its time; `now` is for the others.
[[nodiscard]] std::string status_patch(const ResourceReport& report, Coverage coverage,
                                       std::string_view object, WallTime now);

// What people were told by an event.
struct Told {
  std::string outcome = {};  // in one word, the event's reason; empty: nothing yet
  std::int64_t generation = 0;
  bool operator==(const Told&) const = default;
};
// By the resource's present status, which is written once the event was.
[[nodiscard]] Told told_by(std::string_view object);
[[nodiscard]] Told outcome_of(const ResourceReport& report, Coverage coverage);

// `gateway`: who tells. Out: what to POST to `namespaces/<event_namespace()>/events` of
// events.k8s.io/v1; empty where it was told: once for each generation and outcome. That all is well
// is told only where it was not before. The name of the event is made of what it tells: a second
// one is a conflict.
[[nodiscard]] std::string event_for(const ResourceReport& report, Coverage coverage,
                                    const Told& told, std::string_view gateway, WallTime now);
[[nodiscard]] std::string event_namespace(const ResourceReport& report);

// Valid UTF-8 of at most `max` octets: what is not, and control characters, as %XX.
[[nodiscard]] std::string plain_text(std::string_view text, std::size_t max);

}  // namespace ebbgate::kube
