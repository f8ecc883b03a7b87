// Whether a cluster has what gateways outside of it ask it for: the types of policies, and rights
// for the group that the fleet's access entry puts them into. A fleet that is told of a cluster
// before never gets ready. Nothing here changes anything.
#pragma once

#include <string>

#include "kube/client.h"
#include "net/task.h"

namespace ebbgate::deploy {

// The group of deploy/kubernetes/overlays/eks-ec2-fleet, and of the template `gateway`.
inline constexpr const char* kGatewayGroup = "ebbgate-gateways";

// Out: what is missing, or why that cannot be told, as a sentence without its full stop; empty:
// the cluster is prepared. Whoever asks has to be allowed to create SubjectAccessReviews.
[[nodiscard]] net::Task<std::string> missing_for_gateways(kube::Client& api);

}  // namespace ebbgate::deploy
