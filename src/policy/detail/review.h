// What a person should hear about documents before they come into force: errors that make them
// unfit, and warnings about entries that do less or more than they seem to.
#pragma once

#include <span>
#include <vector>

#include "policy/policy.h"

namespace ebbgate::policy::detail {

// Appends the errors of documents that were not made by a parser that refuses them.
void check_documents(std::span<const Document> documents, std::vector<PolicyProblem>& problems);

// Appends the warnings about a compiled policy, in the order of its documents; at most a hundred of
// one kind for one document, and then how many more there are.
void review(const Policy& policy, std::vector<PolicyProblem>& problems);

}  // namespace ebbgate::policy::detail
