// Which instance this is: what the settings say, and for the rest the metadata service and the
// Auto Scaling group.
#pragma once

#include <string>

#include "aws/client.h"
#include "aws/imds.h"
#include "fleet/say.h"
#include "net/task.h"

namespace ebbgate::fleet {

struct Instance {
  std::string id;
  std::string group;           // of Auto Scaling; empty: it is in none, as far as is known
  std::string stack;           // of CloudFormation; empty: none to be told
  std::string stack_resource;  // the group's logical id there
  bool operator==(const Instance&) const = default;
};

// Fills in what is empty of id, stack and stack_resource, and the group where the
// instance's tags can be seen in its metadata. Asks until the metadata service answers, since a
// gateway without an identity can do nothing here; says so once. Ends early, with an empty id, at
// the hard stop only.
[[nodiscard]] net::Task<Instance> identify(aws::Context& context, aws::Imds& imds, Instance known,
                                           Say say);

// The group that the instance is in, asked of the service until it answers; empty where the
// instance is in none, or may not ask, which is said. Also at the hard stop.
[[nodiscard]] net::Task<std::string> find_group(aws::Client& client, std::string instance_id,
                                                Say say);

}  // namespace ebbgate::fleet
