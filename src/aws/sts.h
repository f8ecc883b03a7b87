// The security token service: who am I, a role of another account, and the token with which EKS
// lets one in.
#pragma once

#include <string>

#include "aws/client.h"

namespace ebbgate::aws::sts {

struct Identity {
  std::string account;
  std::string arn;
  std::string user_id;
};
[[nodiscard]] net::Task<Outcome<Identity>> get_caller_identity(Client& client, Deadline deadline);

struct Role {
  std::string arn;
  std::string session_name;
  std::string external_id = {};
};
[[nodiscard]] net::Task<Outcome<Credentials>> assume_role(Client& client, Role role,
                                                          Deadline deadline);

struct EksToken {
  Secret token;         // `k8s-aws-v1.…`, for the header Authorization: Bearer
  WallTime expiration;  // 14 minutes from its making, as `aws eks get-token` has it
};
// The presigned GetCallerIdentity that EKS sends on to STS; pure.
[[nodiscard]] Outcome<EksToken> make_eks_token(const Credentials& credentials,
                                               const std::string& region,
                                               const std::string& cluster, WallTime now);
// The same, with the client's credentials, region and time.
[[nodiscard]] net::Task<Outcome<EksToken>> eks_token(Client& client, std::string cluster);

}  // namespace ebbgate::aws::sts
