#include "policy/matches.h"

#include "policy/detail/evaluate.h"

namespace ebbgate::policy {

void visit_matches(const Policy& policy, const Subject& subject, const Request& request,
                   WallTime now, const std::function<void(PatternId)>& visit) {
  const auto observe = [&](const detail::Hit& hit, detail::Fit fit) {
    if (fit == detail::Fit::kFits) visit(hit.id);
  };
  static_cast<void>(detail::evaluate(policy, subject, request, now, observe));
}

}  // namespace ebbgate::policy
