#include "aws/autoscaling.h"

#include <charconv>

#include "aws/detail/call.h"

namespace ebbgate::aws::autoscaling {
namespace {

using detail::Element;
using detail::Form;

[[nodiscard]] Instance read_instance(const Element& element) {
  return {element.text_at("InstanceId"), element.text_at("AutoScalingGroupName"),
          element.text_at("AvailabilityZone"), element.text_at("LifecycleState"),
          element.text_at("HealthStatus")};
}

[[nodiscard]] std::int64_t number_at(const Element& element, std::string_view path) {
  const std::string text = element.text_at(path);
  std::int64_t number = 0;
  (void)std::from_chars(text.data(), text.data() + text.size(), number);
  return number;
}

[[nodiscard]] Group read_group(const Element& element) {
  Group group{element.text_at("AutoScalingGroupName"),
              number_at(element, "MinSize"),
              number_at(element, "MaxSize"),
              number_at(element, "DesiredCapacity"),
              {},
              {}};
  for (const Element* item : element.items("Instances")) {
    group.instances.push_back(read_instance(*item));
    group.instances.back().group = group.name;
  }
  for (const Element* item : element.items("TargetGroupARNs")) {
    group.target_group_arns.push_back(item->text);
  }
  return group;
}

[[nodiscard]] Form of_action(std::string operation, const LifecycleAction& action) {
  Form form(Service::kAutoScaling, std::move(operation));
  form.add("AutoScalingGroupName", action.group);
  form.add("LifecycleHookName", action.hook);
  form.add("InstanceId", action.instance_id);
  return form;
}

[[nodiscard]] net::Task<Outcome<void>> perform(Client& client, Form form, Deadline deadline) {
  return detail::done(
      detail::query<detail::Nothing>(client, std::move(form), deadline, detail::read_no_result));
}

}  // namespace

net::Task<Outcome<std::vector<Group>>> describe_groups(Client& client,
                                                       std::vector<std::string> names,
                                                       Deadline deadline) {
  Form form(Service::kAutoScaling, "DescribeAutoScalingGroups");
  form.add_list("AutoScalingGroupNames.member", names);
  return detail::query_list<Group>(client, std::move(form), "AutoScalingGroups", deadline,
                                   read_group);
}

net::Task<Outcome<std::optional<Instance>>> describe_instance(Client& client, std::string id,
                                                              Deadline deadline) {
  Form form(Service::kAutoScaling, "DescribeAutoScalingInstances");
  form.add_list("InstanceIds.member", {std::move(id)});
  net::Task<Outcome<std::vector<Instance>>> task = detail::query_list<Instance>(
      client, std::move(form), "AutoScalingInstances", deadline, read_instance);
  Outcome<std::vector<Instance>> instances = co_await task;
  if (!instances) co_return std::unexpected(std::move(instances.error()));
  if (instances->empty()) co_return std::nullopt;
  co_return std::move(instances->front());
}

net::Task<Outcome<void>> complete_lifecycle_action(Client& client, LifecycleAction action,
                                                   Deadline deadline) {
  Form form = of_action("CompleteLifecycleAction", action);
  form.add("LifecycleActionResult", "CONTINUE");
  return perform(client, std::move(form), deadline);
}

net::Task<Outcome<void>> record_heartbeat(Client& client, LifecycleAction action,
                                          Deadline deadline) {
  return perform(client, of_action("RecordLifecycleActionHeartbeat", action), deadline);
}

}  // namespace ebbgate::aws::autoscaling
