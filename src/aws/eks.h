// EKS: the cluster's facts, and who may enter it.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "aws/client.h"

namespace ebbgate::aws::eks {

struct Cluster {
  std::string name;
  std::string arn;
  std::string version;
  std::string status;                 // CREATING, ACTIVE, …
  std::string endpoint;               // https://…; empty while it is made
  std::string certificate_authority;  // base64 of PEM
  std::string service_cidr;           // IPv4 or IPv6
  std::string vpc;
  std::string security_group;  // the cluster's own
  std::vector<std::string> subnets;
  std::string authentication_mode;  // API, API_AND_CONFIG_MAP, CONFIG_MAP
  bool has_private_endpoint = false;
  bool has_public_endpoint = false;
};
// Nothing: there is none of that name.
[[nodiscard]] net::Task<Outcome<std::optional<Cluster>>> describe_cluster(Client& client,
                                                                          std::string name,
                                                                          Deadline deadline);

struct AccessEntry {
  std::string cluster = {};
  std::string principal_arn = {};
  std::string type = "STANDARD";         // EC2_LINUX for the nodes of one's own groups
  std::vector<std::string> groups = {};  // of Kubernetes; STANDARD only
};
// An entry that exists already is a success; it is not changed.
[[nodiscard]] net::Task<Outcome<void>> create_access_entry(Client& client, AccessEntry entry,
                                                           Deadline deadline);
// Out: the principals' ARNs.
[[nodiscard]] net::Task<Outcome<std::vector<std::string>>> list_access_entries(Client& client,
                                                                               std::string cluster,
                                                                               Deadline deadline);
struct AccessPolicy {
  std::string cluster = {};
  std::string principal_arn = {};
  std::string policy_arn = {};               // arn:aws:eks::aws:cluster-access-policy/…
  std::vector<std::string> namespaces = {};  // empty: the whole cluster
};
[[nodiscard]] net::Task<Outcome<void>> associate_access_policy(Client& client, AccessPolicy policy,
                                                               Deadline deadline);

}  // namespace ebbgate::aws::eks
