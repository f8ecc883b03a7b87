// Secrets Manager: the place where the original architecture keeps its list.
#pragma once

#include <string>

#include "aws/client.h"

namespace ebbgate::aws::secretsmanager {

struct SecretValue {
  std::string name;
  std::string arn;
  std::string version_id;
  Secret value;  // SecretString, or the octets of SecretBinary
};
// `id` is a name or an ARN; the current version. Codes: ResourceNotFoundException,
// AccessDeniedException, DecryptionFailure.
[[nodiscard]] net::Task<Outcome<SecretValue>> get_secret_value(Client& client, std::string id,
                                                               Deadline deadline);

}  // namespace ebbgate::aws::secretsmanager
