// The resources of Kubernetes on their way into a policy: each is read by itself and keeps its own
// last good form from one loading to the next; what became of each is told at the end.
#pragma once

#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "config/load_policy.h"
#include "config/resource.h"
#include "policy/delegation.h"

namespace ebbgate::config::detail {

// A form without errors.
struct GoodForm {
  policy::Document document;  // before anything is delegated to it
  ResourceText text;          // that its positions are of
  std::string digest;
};

struct ResourceForm {
  ResourceId id;                         // of what was looked at last
  std::string digest;                    // of that
  std::vector<ResourceProblem> errors;   // of that; empty: it is the good form
  std::shared_ptr<const GoodForm> good;  // the last; null: there never was one
  std::int64_t good_generation = 0;
  // The warnings about the good form in the last loading, and their places: most stay the same.
  std::vector<Problem> warnings;
  std::vector<ResourceProblem> located_warnings;
};

// By ResourceId::str(). A form is never changed, so that loadings share it.
class ResourceForms {
 public:
  std::map<std::string, std::shared_ptr<const ResourceForm>, std::less<>> by_name;
};

class Digest;

// One loading of them: read(), bind(), finish(), in this order.
class ResourceLoading {
 public:
  ResourceLoading(std::span<const PolicyResource> resources, const LoadedPolicy& last);

  [[nodiscard]] bool empty() const { return rows_.empty(); }

  // Reads what `last` does not know, and appends the good forms of the cluster's to `documents`.
  void read(std::vector<policy::Document>& documents);
  // A resource of the cluster has no good form: there can be no policy.
  [[nodiscard]] bool is_invalid() const { return is_invalid_; }
  // All that tells this set of forms from another one.
  void add_to(Digest& digest) const;

  // In: every document of the cluster. Out: all that is in force, with those of namespaces as far
  // as something is delegated to them, and those that close a namespace.
  [[nodiscard]] std::vector<policy::Document> bind(std::vector<policy::Document> cluster,
                                                   std::span<const policy::PortRange> ports);

  // Moves the problems that are about resources out of out.problems, and tells what became of each.
  void finish(LoadedPolicy& out);

 private:
  struct Row {
    const PolicyResource* resource;
    std::string name;
    std::shared_ptr<const ResourceForm> form;
    std::size_t allow = 0;
    std::size_t deny = 0;
    policy::Acceptance acceptance = {};  // of a namespaced one
    std::vector<Problem> warnings = {};
  };

  [[nodiscard]] static bool is_namespaced(const Row& row) {
    return !row.resource->id.in_namespace.empty();
  }
  void take(Row& row, const ResourceForms& known) const;
  void take_warnings(std::vector<Problem>& problems);
  static void locate_warnings(Row& row);
  [[nodiscard]] static ResourceOutcome outcome_of(const Row& row);

  const LoadedPolicy& last_;
  std::vector<Row> rows_;  // by name
  bool is_invalid_ = false;
};

}  // namespace ebbgate::config::detail
