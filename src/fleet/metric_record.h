// The fleet's metrics as one record in the Embedded Metric Format, of which CloudWatch makes
// metrics
// (docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html).
// A plain function.
#pragma once

#include <cstdint>
#include <string>

namespace ebbgate::fleet {

struct MetricValues {
  std::int64_t active_tunnels = 0;
  std::uint64_t requests = 0;  // since the last record
  std::uint64_t denied = 0;
  std::int64_t policy_age_seconds = -1;  // negative: there is no policy yet
};

// docs/fleet.md lists what is in it.
[[nodiscard]] std::string metric_record(const MetricValues& values,
                                        const std::string& metric_namespace,
                                        const std::string& group, const std::string& instance_id,
                                        std::int64_t time_ms);

}  // namespace ebbgate::fleet
