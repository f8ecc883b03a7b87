// CloudWatch's alarms. Metrics come to it in the log, in the Embedded Metric Format.
#pragma once

#include <string>
#include <vector>

#include "aws/client.h"

namespace ebbgate::aws::cloudwatch {

struct Alarm {
  std::string name;
  std::string state;  // OK, ALARM, INSUFFICIENT_DATA
  std::string state_reason;
  std::string state_updated;  // ISO 8601
  std::vector<std::string> actions;
  bool actions_enabled = true;
};
[[nodiscard]] net::Task<Outcome<std::vector<Alarm>>> describe_alarms(Client& client,
                                                                     std::string name_prefix,
                                                                     Deadline deadline);

}  // namespace ebbgate::aws::cloudwatch
