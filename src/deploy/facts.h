// What is asked of the account before and between the stacks; nothing here changes anything.
#pragma once

#include <string>
#include <vector>

#include "aws/client.h"
#include "config/eks.h"
#include "deploy/plan.h"

namespace ebbgate::deploy {

// The zones of the region, by name, into `facts`; and what is wrong with those of the settings,
// with the place in the file.
[[nodiscard]] net::Task<aws::Outcome<std::vector<config::Problem>>> learn_zones(
    aws::Client& client, const config::EksSettings& settings, Facts& facts, Deadline deadline);

// Where each step's stack is by now.
struct StackNow {
  std::string step;
  std::optional<aws::cloudformation::Stack> stack;
  std::string template_body;  // empty where there is no stack
};
[[nodiscard]] net::Task<aws::Outcome<std::vector<StackNow>>> learn_stacks(aws::Client& client,
                                                                          const Plan& plan,
                                                                          Facts& facts,
                                                                          Deadline deadline);

// Whether the control plane's log group, whose name EKS dictates, has to be made: an earlier
// cluster of this name may have left it behind. Once the stack stands, it stays as it was decided.
[[nodiscard]] net::Task<aws::Outcome<void>> learn_control_plane_log(aws::Client& client,
                                                                    const Plan& plan, Facts& facts,
                                                                    Deadline deadline);

// The blocks of the cluster's VPC and the endpoints that exist in it, once the stack `vpc` stands.
// Endpoints of services that NO_PROXY has no name for are left out.
[[nodiscard]] net::Task<aws::Outcome<void>> learn_network(aws::Client& client,
                                                          const config::EksSettings& settings,
                                                          Facts& facts, Deadline deadline);

// The name of the parameter that holds the fleet's policy, where carrying out the order would write
// over a policy that others have put there since (`ebbgate policy push`): it wants another document
// than the stack was made of, and what is there is neither. Empty: nothing is lost.
[[nodiscard]] net::Task<aws::Outcome<std::string>> learn_pushed_policy(aws::Client& client,
                                                                       const StackOrder& order,
                                                                       Deadline deadline);

// Whether the account has room for the fleet's addresses; a sentence where it has not, or where
// that cannot be told.
[[nodiscard]] net::Task<std::string> learn_address_room(aws::Client& client,
                                                        const config::EksSettings& settings,
                                                        const Facts& facts, Deadline deadline);

}  // namespace ebbgate::deploy
