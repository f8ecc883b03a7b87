// Every pattern that has a say in a request, not only the one that decides it: what tells which
// entries of a policy are used.
#pragma once

#include <functional>

#include "policy/decide.h"

namespace ebbgate::policy {

// Calls `visit` for each pattern, of allow and of deny entries, that matches the request with all
// that its entry asks for, at `now`, in no particular order.
void visit_matches(const Policy& policy, const Subject& subject, const Request& request,
                   WallTime now, const std::function<void(PatternId)>& visit);

}  // namespace ebbgate::policy
