// What the documents of one namespace are in a policy: an index of their own, that requests of its
// pods alone are looked up in, so that no namespace costs the clients of another any time.
#pragma once

#include <span>
#include <vector>

#include "policy/detail/pattern_index.h"

namespace ebbgate::policy::detail {

struct NamespacePart {
  std::span<const Document> documents;
  std::vector<const Document*> closing;  // those of them that close it
  PatternIndex index;
};

// Calls visit(Hit) for each pattern that is about the host: of the cluster's documents, and of
// those of the subject's namespace (Policy::part_for; null: it has none).
template <typename Visit>
void visit_patterns(const Policy& policy, const NamespacePart* own, const Host& host,
                    Visit&& visit) {
  policy.index().visit(host, visit);
  if (own != nullptr) own->index.visit(host, visit);
}

}  // namespace ebbgate::policy::detail
