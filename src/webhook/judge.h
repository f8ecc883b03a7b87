// Whether a policy may be written into the cluster: the validating webhook, which reads the
// resource with the parser of `ebbgate check` and says what that says.
#pragma once

#include <string_view>

#include "base/clock.h"
#include "webhook/review.h"

namespace ebbgate::webhook {

// Answers the review of an EgressPolicy or ClusterEgressPolicy. What is wrong is told with the path
// of the field; what is doubtful, such as an entry that has expired at `now`, as warnings.
[[nodiscard]] Reply judge(std::string_view review, WallTime now);

}  // namespace ebbgate::webhook
