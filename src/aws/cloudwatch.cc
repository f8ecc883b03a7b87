#include "aws/cloudwatch.h"

#include <array>
#include <charconv>

#include "aws/detail/call.h"

namespace ebbgate::aws::cloudwatch {
namespace {

[[nodiscard]] Alarm read_alarm(const detail::Element& element) {
  Alarm alarm{element.text_at("AlarmName"),
              element.text_at("StateValue"),
              element.text_at("StateReason"),
              element.text_at("StateUpdatedTimestamp"),
              {},
              element.text_at("ActionsEnabled") != "false"};
  for (const detail::Element* action : element.items("AlarmActions")) {
    alarm.actions.push_back(action->text);
  }
  return alarm;
}

// The shortest text that is this number again.
[[nodiscard]] std::string shortest(double number) {
  std::array<char, 32> text;
  const auto end = std::to_chars(text.data(), text.data() + text.size(), number);
  return {text.data(), end.ptr};
}

}  // namespace

net::Task<Outcome<void>> put_metric_data(Client& client, std::string metric_namespace,
                                         std::vector<Datum> data, Deadline deadline) {
  detail::Form form(Service::kCloudWatch, "PutMetricData");
  form.add("Namespace", metric_namespace);
  for (std::size_t i = 0; i < data.size(); ++i) {
    const std::string prefix = "MetricData.member." + std::to_string(i + 1) + ".";
    form.add(prefix + "MetricName", data[i].name);
    form.add(prefix + "Value", shortest(data[i].value));
    form.add(prefix + "Unit", data[i].unit);
    for (std::size_t d = 0; d < data[i].dimensions.size(); ++d) {
      const std::string dimension = prefix + "Dimensions.member." + std::to_string(d + 1) + ".";
      form.add(dimension + "Name", data[i].dimensions[d].first);
      form.add(dimension + "Value", data[i].dimensions[d].second);
    }
  }
  return detail::done(
      detail::query<detail::Nothing>(client, std::move(form), deadline, detail::read_no_result));
}

net::Task<Outcome<std::vector<Alarm>>> describe_alarms(Client& client, std::string name_prefix,
                                                       Deadline deadline) {
  detail::Form form(Service::kCloudWatch, "DescribeAlarms");
  form.add_unless_empty("AlarmNamePrefix", name_prefix);
  return detail::query_list<Alarm>(client, std::move(form), "MetricAlarms", deadline, read_alarm);
}

}  // namespace ebbgate::aws::cloudwatch
