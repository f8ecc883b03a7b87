// The names of AWS's own services as NO_PROXY has to know them (semantics 9): which name a VPC
// endpoint answers for, and which entries would send an AWS name around the proxy.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace ebbgate::noproxy {

// The names that become private ones in a VPC with an endpoint for `service`, the last part of
// `com.amazonaws.<region>.<service>`; a leading dot means every name below.
// Error: kMalformedRequest where the service is none that is known here, or the region is none.
[[nodiscard]] Result<std::vector<std::string>> private_names(std::string_view service,
                                                             std::string_view region);

// Whether `name`, without a leading dot, is or covers public names of AWS services, which lead
// nowhere from a private subnet unless there is an endpoint. Names within a VPC are none of them:
// EKS clusters' endpoints, load balancers, databases, caches, file systems, VPC endpoints.
[[nodiscard]] bool is_public_aws_name(std::string_view name);

}  // namespace ebbgate::noproxy
