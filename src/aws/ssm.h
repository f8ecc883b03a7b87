// Systems Manager parameters: where a fleet's policy is kept, or where it says what is.
#pragma once

#include <cstdint>
#include <string>

#include "aws/client.h"

namespace ebbgate::aws::ssm {

struct Parameter {
  std::string name;
  std::string arn;
  std::string type;   // String, StringList, SecureString
  std::string value;  // decrypted
  std::int64_t version = 0;
  bool operator==(const Parameter&) const = default;
};
// `name` may end in `:VERSION`. Codes: ParameterNotFound, ParameterVersionNotFound,
// AccessDeniedException.
[[nodiscard]] net::Task<Outcome<Parameter>> get_parameter(Client& client, std::string name,
                                                          Deadline deadline);

struct PutParameter {
  std::string name = {};
  std::string value = {};  // 4 KiB in the tier Standard, 8 KiB in Advanced
  std::string type = "String";
  std::string tier = "Intelligent-Tiering";  // Advanced only where the value needs it
  bool overwrite = true;
};
// Out: the new version. Codes: ParameterAlreadyExists, ParameterMaxVersionLimitExceeded.
[[nodiscard]] net::Task<Outcome<std::int64_t>> put_parameter(Client& client, PutParameter put,
                                                             Deadline deadline);

}  // namespace ebbgate::aws::ssm
