// The way to the API of an EKS cluster, from whatever runs with a role of AWS: where it is and how
// it proves itself, by DescribeCluster; as whom we come, by tokens that need no program.
#pragma once

#include <string>

#include "aws/client.h"
#include "base/clock.h"
#include "base/result.h"
#include "kube/access.h"
#include "net/loop.h"
#include "net/task.h"

namespace ebbgate::source {

// The role needs eks:DescribeCluster, and an access entry of the cluster. Its tokens hold for 14
// minutes and are made anew after ten. The client outlives what comes out, and so do loop and
// clock. Errors: of the call; kInternal for a cluster that is not there, or not yet.
[[nodiscard]] net::Task<Result<kube::Access>> eks_access(net::Loop& loop, const Clock& clock,
                                                         aws::Client& client, std::string name,
                                                         Deadline deadline);

}  // namespace ebbgate::source
