// Whose word counts (semantics 11): the documents of a cluster and those of its namespaces go in,
// the documents that are in force come out. A namespace allows within what is delegated to it, for
// its own pods; what it denies counts always.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "policy/document.h"
#include "policy/problem.h"

namespace ebbgate::policy {

// What documents of namespaces may come to, so that no tenant fills the gateway's memory or keeps
// it busy. A pattern is a host of an entry; one that is delegated in parts is as many as its parts.
struct DelegationLimits {
  std::size_t patterns_of_namespace = 50'000;
  std::size_t patterns_of_all = 1'000'000;  // of all namespaces together
  std::size_t work_of_namespace = 500'000;  // see detail::DelegatedHosts::kPartWork
};

// What became of one document of a namespace: how many hosts of its `allow` count.
struct Acceptance {
  std::size_t whole = 0;   // as they are written
  std::size_t partly = 0;  // on fewer names or ports than they say
  std::size_t none = 0;
  // It denies more than there is room for: as what does not count of it might deny what others
  // allow, nothing passes of its namespace. The first of `problems` says so.
  bool closes = false;
  // Why not, with the place of each host; the first hundred. All are warnings: the rest counts.
  std::vector<PolicyProblem> problems;

  [[nodiscard]] bool is_whole() const { return partly == 0 && none == 0 && problems.empty(); }
};

struct Delegated {
  // The cluster's documents as they were, then what is left of the others: named
  // `namespace/name`, with subjects that are pods of the namespace, and with the hosts that count.
  // One of which nothing is left is not among them; one that closes its namespace only does that.
  std::vector<Document> documents;
  std::vector<Acceptance> acceptances;  // of each of `namespaced`, in its order
};

// `namespaced`: documents with a resource_namespace. Of their entries only what a namespace may say
// is taken: hosts, ports, methods, paths, expiry and the words for people.
// `default_ports`: of hosts and delegations that name none (PolicySettings).
//
// A host of an entry counts where one delegation holds it, so that
//   example.com     within .example.com           is example.com
//   .example.com    within api.example.com:443    is api.example.com:443
//   .example.com    within *.example.com          is *.example.com
// and of its ports those that are delegated with that name.
//
// Of what is beyond the limits no allowance counts. In a namespace, denials have room first, then
// allowances, both by the names of documents; of namespaces, those that write the fewest hosts.
[[nodiscard]] Delegated apply_delegation(std::vector<Document> cluster,
                                         std::span<const Document> namespaced,
                                         std::span<const PortRange> default_ports,
                                         const DelegationLimits& limits = {});

}  // namespace ebbgate::policy
