// Secrets Manager: the place where the original architecture keeps its list.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "aws/client.h"

namespace ebbgate::aws::secretsmanager {

struct SecretValue {
  std::string name;
  std::string arn;
  std::string version_id;
  Secret value;  // SecretString, or the octets of SecretBinary
  // When this version was made, in milliseconds since 1970; nothing where the service does not say.
  std::optional<std::int64_t> created = std::nullopt;
};
// `id` is a name or an ARN; the current version. Codes: ResourceNotFoundException,
// AccessDeniedException, DecryptionFailure.
[[nodiscard]] net::Task<Outcome<SecretValue>> get_secret_value(Client& client, std::string id,
                                                               Deadline deadline);

}  // namespace ebbgate::aws::secretsmanager
