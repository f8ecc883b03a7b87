// Auto Scaling: what the fleet is, and the gateway's say in when its instance ends.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "aws/client.h"

namespace ebbgate::aws::autoscaling {

struct Instance {
  std::string id;
  std::string group;
  std::string zone;
  std::string lifecycle_state;  // InService, Terminating:Wait, …
  std::string health;           // Healthy, Unhealthy (HEALTHY in some answers)
};
struct Group {
  std::string name;
  std::int64_t min = 0;
  std::int64_t max = 0;
  std::int64_t desired = 0;
  std::vector<Instance> instances;
  std::vector<std::string> target_group_arns;
};
// Empty `names`: all.
[[nodiscard]] net::Task<Outcome<std::vector<Group>>> describe_groups(Client& client,
                                                                     std::vector<std::string> names,
                                                                     Deadline deadline);
// Nothing: the instance is in no group.
[[nodiscard]] net::Task<Outcome<std::optional<Instance>>> describe_instance(Client& client,
                                                                            std::string id,
                                                                            Deadline deadline);

struct LifecycleAction {
  std::string group;
  std::string hook;
  std::string instance_id;
};
// Codes: ValidationError ("No active Lifecycle Action found …"): it is over already.
[[nodiscard]] net::Task<Outcome<void>> complete_lifecycle_action(Client& client,
                                                                 LifecycleAction action,
                                                                 Deadline deadline);
// Starts the hook's timeout anew.
[[nodiscard]] net::Task<Outcome<void>> record_heartbeat(Client& client, LifecycleAction action,
                                                        Deadline deadline);

}  // namespace ebbgate::aws::autoscaling
