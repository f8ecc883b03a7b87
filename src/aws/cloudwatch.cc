#include "aws/cloudwatch.h"

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

}  // namespace

net::Task<Outcome<std::vector<Alarm>>> describe_alarms(Client& client, std::string name_prefix,
                                                       Deadline deadline) {
  detail::Form form(Service::kCloudWatch, "DescribeAlarms");
  form.add_unless_empty("AlarmNamePrefix", name_prefix);
  return detail::query_list<Alarm>(client, std::move(form), "MetricAlarms", deadline, read_alarm);
}

}  // namespace ebbgate::aws::cloudwatch
