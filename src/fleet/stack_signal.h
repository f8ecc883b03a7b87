// What cfn-signal does, from inside: CloudFormation, which waits for each new instance while it
// makes or updates the fleet, is told once whether the gateway became ready.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "aws/client.h"
#include "aws/cloudformation.h"
#include "fleet/say.h"

namespace ebbgate::fleet {

struct StackSignalOptions {
  std::string stack;  // empty: there is none to be told
  std::string resource;
  std::string instance_id;
  Duration patience = std::chrono::minutes(10);  // 0: for ever
  Duration poll = std::chrono::milliseconds(250);
};

// Waits until `unready` gives no cause any more, then calls `on_ready` once and signals success. If
// that takes longer than the patience, it signals a failure, says the causes, and goes on waiting
// for `on_ready`. `unready` is called on the loop.
[[nodiscard]] net::Task<void> signal_readiness(aws::Client& client, StackSignalOptions options,
                                               std::function<std::vector<std::string>()> unready,
                                               std::function<void()> on_ready, Say say);

}  // namespace ebbgate::fleet
