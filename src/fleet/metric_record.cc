#include "fleet/metric_record.h"

#include <string_view>
#include <vector>

#include "base/escape.h"

namespace ebbgate::fleet {
namespace {

// Names that came through the settings or from AWS: printable, yet perhaps with what JSON minds.
std::string quoted(const std::string& text) {
  std::string out = "\"";
  for (const char c : escaped_prose(text)) {
    if (c == '"' || c == '\\') out.push_back('\\');
    out.push_back(c);
  }
  return out + '"';
}

}  // namespace

std::string metric_record(const MetricValues& values, const std::string& metric_namespace,
                          const std::string& group, const std::string& instance_id,
                          std::int64_t time_ms) {
  struct Metric {
    std::string_view name;
    std::string_view unit;
    std::string value;
  };
  std::vector<Metric> metrics = {
      {"ActiveTunnels", "Count", std::to_string(values.active_tunnels)},
      {"Requests", "Count", std::to_string(values.requests)},
      {"Denied", "Count", std::to_string(values.denied)},
      {"GatewayUp", "Count", "1"},
  };
  if (values.policy_age_seconds >= 0) {
    metrics.push_back({"PolicyAgeSeconds", "Seconds", std::to_string(values.policy_age_seconds)});
  }
  std::string definitions;
  std::string members;
  for (const Metric& metric : metrics) {
    if (!definitions.empty()) definitions += ',';
    definitions += R"({"Name":")" + std::string(metric.name) + R"(","Unit":")" +
                   std::string(metric.unit) + R"("})";
    members += ",\"" + std::string(metric.name) + "\":" + metric.value;
  }
  return R"({"_aws":{"Timestamp":)" + std::to_string(time_ms) +
         R"(,"CloudWatchMetrics":[{"Namespace":)" + quoted(metric_namespace) +
         R"(,"Dimensions":[["AutoScalingGroupName"]],"Metrics":[)" + definitions +
         R"(]}]},"AutoScalingGroupName":)" + quoted(group) + R"(,"InstanceId":)" +
         quoted(instance_id) + members + "}";
}

}  // namespace ebbgate::fleet
