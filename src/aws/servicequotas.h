// Service quotas: whether the account may have as many addresses as the fleet wants.
#pragma once

#include <string>

#include "aws/client.h"

namespace ebbgate::aws::servicequotas {

// `service` and `code` such as `ec2`, `L-0263D0A3` (Elastic IPs). Out: the account's value, or the
// default one where it has none of its own.
[[nodiscard]] net::Task<Outcome<double>> get_quota(Client& client, std::string service,
                                                   std::string code, Deadline deadline);

}  // namespace ebbgate::aws::servicequotas
