// CloudWatch metrics and alarms.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "aws/client.h"

namespace ebbgate::aws::cloudwatch {

struct Datum {
  std::string name;
  double value = 0;
  std::string unit = "Count";
  std::vector<std::pair<std::string, std::string>> dimensions;
};
// At most 1,000 data in one call.
[[nodiscard]] net::Task<Outcome<void>> put_metric_data(Client& client, std::string metric_namespace,
                                                       std::vector<Datum> data, Deadline deadline);

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
