#include "aws/cloudformation.h"

#include <algorithm>

#include "aws/detail/call.h"

namespace ebbgate::aws::cloudformation {
namespace {

using detail::Element;
using detail::Form;

constexpr std::size_t kMaxEvents = 5'000;

[[nodiscard]] Form form_of(std::string operation) {
  return Form(Service::kCloudFormation, std::move(operation));
}

[[nodiscard]] net::Task<Outcome<void>> perform(Client& client, Form form, Deadline deadline) {
  return detail::done(
      detail::query<detail::Nothing>(client, std::move(form), deadline, detail::read_no_result));
}

// `<list>.member.1.<key>=…&<list>.member.1.<value>=…`
void add_pairs(Form& form, const std::string& list, const Pairs& pairs, std::string_view key,
               std::string_view value, std::size_t first = 1) {
  for (const auto& [name, text] : pairs) {
    const std::string prefix = list + ".member." + std::to_string(first++) + ".";
    form.add(prefix + std::string(key), name).add(prefix + std::string(value), text);
  }
}

[[nodiscard]] Pairs read_pairs(const Element& element, std::string_view list, std::string_view key,
                               std::string_view value) {
  Pairs pairs;
  for (const Element* item : element.items(list)) {
    pairs.emplace_back(item->text_at(key), item->text_at(value));
  }
  return pairs;
}

[[nodiscard]] std::vector<std::string> read_texts(const Element& element, std::string_view list) {
  std::vector<std::string> texts;
  for (const Element* item : element.items(list)) texts.push_back(item->text);
  return texts;
}

[[nodiscard]] Stack read_stack(const Element& element) {
  return {element.text_at("StackName"),
          element.text_at("StackId"),
          element.text_at("StackStatus"),
          element.text_at("StackStatusReason"),
          element.text_at("CreationTime"),
          element.text_at("LastUpdatedTime"),
          read_pairs(element, "Parameters", "ParameterKey", "ParameterValue"),
          read_pairs(element, "Outputs", "OutputKey", "OutputValue"),
          read_pairs(element, "Tags", "Key", "Value"),
          element.is_true_at("EnableTerminationProtection")};
}

[[nodiscard]] StackEvent read_event(const Element& element) {
  return {element.text_at("EventId"),
          element.text_at("Timestamp"),
          element.text_at("LogicalResourceId"),
          element.text_at("PhysicalResourceId"),
          element.text_at("ResourceType"),
          element.text_at("ResourceStatus"),
          element.text_at("ResourceStatusReason"),
          element.text_at("ClientRequestToken")};
}

[[nodiscard]] StackResource read_resource(const Element& element) {
  return {element.text_at("LogicalResourceId"), element.text_at("PhysicalResourceId"),
          element.text_at("ResourceType"), element.text_at("ResourceStatus"),
          element.text_at("ResourceStatusReason")};
}

[[nodiscard]] Change read_change(const Element& element) {
  const Element* resource = element.at("ResourceChange");
  if (resource == nullptr) return {};
  Change change{resource->text_at("Action"),
                resource->text_at("LogicalResourceId"),
                resource->text_at("PhysicalResourceId"),
                resource->text_at("ResourceType"),
                resource->text_at("Replacement"),
                read_texts(*resource, "Scope"),
                {}};
  for (const Element* detail : resource->items("Details")) {
    std::string name = detail->text_at("Target/Name");
    if (!name.empty() && std::ranges::find(change.targets, name) == change.targets.end()) {
      change.targets.push_back(std::move(name));
    }
  }
  return change;
}

[[nodiscard]] bool is_missing_stack(const Failure& failure) {
  return failure.is("ValidationError") && failure.message.contains("does not exist");
}

}  // namespace

net::Task<Outcome<std::optional<Stack>>> describe_stack(Client& client, std::string name,
                                                        Deadline deadline) {
  Form form = form_of("DescribeStacks");
  form.add("StackName", name);
  net::Task<Outcome<std::vector<Stack>>> task =
      detail::query_list<Stack>(client, std::move(form), "Stacks", deadline, read_stack);
  Outcome<std::vector<Stack>> stacks = co_await task;
  if (!stacks && is_missing_stack(stacks.error())) co_return std::nullopt;
  if (!stacks) co_return std::unexpected(std::move(stacks.error()));
  // An answer without error and without stack is none that says there is none.
  if (stacks->empty() || stacks->front().status.empty()) {
    co_return detail::unreadable("DescribeStacks");
  }
  co_return std::move(stacks->front());
}

net::Task<Outcome<std::vector<Stack>>> describe_stacks(Client& client, Deadline deadline) {
  return detail::query_list<Stack>(client, form_of("DescribeStacks"), "Stacks", deadline,
                                   read_stack);
}

net::Task<Outcome<std::vector<StackEvent>>> describe_stack_events(Client& client, std::string stack,
                                                                  std::string after,
                                                                  Deadline deadline) {
  Form form = form_of("DescribeStackEvents");
  form.add("StackName", stack);
  const auto is_known = [after](const StackEvent& event) {
    return !after.empty() && event.id == after;
  };
  const std::function<bool(const std::vector<StackEvent>&)> is_enough =
      [is_known](const std::vector<StackEvent>& events) {
        return events.size() >= kMaxEvents || std::ranges::any_of(events, is_known);
      };
  net::Task<Outcome<std::vector<StackEvent>>> task = detail::query_list<StackEvent>(
      client, std::move(form), "StackEvents", deadline, read_event, is_enough);
  Outcome<std::vector<StackEvent>> events = co_await task;
  if (events) {
    events->erase(std::ranges::find_if(*events, is_known), events->end());
    if (events->size() > kMaxEvents) events->resize(kMaxEvents);
  }
  co_return events;
}

net::Task<Outcome<std::vector<StackResource>>> describe_stack_resources(Client& client,
                                                                        std::string stack,
                                                                        Deadline deadline) {
  Form form = form_of("DescribeStackResources");
  form.add("StackName", stack);
  return detail::query_list<StackResource>(client, std::move(form), "StackResources", deadline,
                                           read_resource);
}

net::Task<Outcome<std::string>> get_template(Client& client, std::string stack, Deadline deadline) {
  Form form = form_of("GetTemplate");
  form.add("StackName", stack).add("TemplateStage", "Original");
  const detail::ReadXml<std::string> read =
      [](const Element& result) -> std::optional<std::string> {
    const Element* body = result.at("TemplateBody");
    if (body == nullptr) return std::nullopt;
    return body->text;
  };
  return detail::query<std::string>(client, std::move(form), deadline, read);
}

net::Task<Outcome<ChangeSetIds>> create_change_set(Client& client, NewChangeSet set,
                                                   Deadline deadline) {
  Form form = form_of("CreateChangeSet");
  form.add("StackName", set.stack).add("ChangeSetName", set.name);
  form.add("ChangeSetType", set.is_create ? "CREATE" : "UPDATE");
  form.add_unless_empty("TemplateBody", set.template_body);
  form.add_unless_empty("TemplateURL", set.template_url);
  if (set.template_body.empty() && set.template_url.empty()) {
    form.add("UsePreviousTemplate", "true");
  }
  add_pairs(form, "Parameters", set.parameters, "ParameterKey", "ParameterValue");
  for (std::size_t i = 0; i < set.kept_parameters.size(); ++i) {
    const std::string prefix =
        "Parameters.member." + std::to_string(set.parameters.size() + i + 1) + ".";
    form.add(prefix + "ParameterKey", set.kept_parameters[i]);
    form.add(prefix + "UsePreviousValue", "true");
  }
  add_pairs(form, "Tags", set.tags, "Key", "Value");
  form.add_list("Capabilities.member", set.capabilities);
  form.add_unless_empty("RoleARN", set.role_arn);
  form.add_unless_empty("Description", set.description);
  form.add_unless_empty("ClientToken", set.client_token);
  const detail::ReadXml<ChangeSetIds> read =
      [](const Element& result) -> std::optional<ChangeSetIds> {
    ChangeSetIds ids{result.text_at("Id"), result.text_at("StackId")};
    if (ids.id.empty()) return std::nullopt;
    return ids;
  };
  return detail::query<ChangeSetIds>(client, std::move(form), deadline, read);
}

bool ChangeSet::is_empty() const {
  return status == "FAILED" && (status_reason.contains("didn't contain changes") ||
                                status_reason.contains("No updates are to be performed"));
}

net::Task<Outcome<ChangeSet>> describe_change_set(Client& client, std::string stack,
                                                  std::string name, Deadline deadline) {
  const detail::ReadXml<ChangeSet> read = [](const Element& result) -> std::optional<ChangeSet> {
    ChangeSet set{result.text_at("ChangeSetId"),
                  result.text_at("ChangeSetName"),
                  result.text_at("StackId"),
                  result.text_at("Status"),
                  result.text_at("StatusReason"),
                  result.text_at("ExecutionStatus"),
                  {},
                  result.text_at("NextToken")};
    for (const Element* change : result.items("Changes")) {
      set.changes.push_back(read_change(*change));
    }
    if (set.status.empty()) return std::nullopt;
    return set;
  };
  ChangeSet whole;
  for (int pages = 0; pages < 200; ++pages) {
    Form form = form_of("DescribeChangeSet");
    form.add("ChangeSetName", name).add_unless_empty("StackName", stack);
    form.add_unless_empty("NextToken", whole.next_page);
    net::Task<Outcome<ChangeSet>> task =
        detail::query<ChangeSet>(client, std::move(form), deadline, read);
    Outcome<ChangeSet> page = co_await task;
    if (!page) co_return page;
    std::vector<Change> changes = std::move(whole.changes);
    for (Change& change : page->changes) changes.push_back(std::move(change));
    whole = *std::move(page);
    whole.changes = std::move(changes);
    if (whole.next_page.empty()) co_return whole;
  }
  co_return detail::unreadable("DescribeChangeSet");
}

net::Task<Outcome<void>> execute_change_set(Client& client, std::string stack, std::string name,
                                            std::string client_token, Deadline deadline) {
  Form form = form_of("ExecuteChangeSet");
  form.add("ChangeSetName", name).add_unless_empty("StackName", stack);
  form.add_unless_empty("ClientRequestToken", client_token);
  return perform(client, std::move(form), deadline);
}

net::Task<Outcome<void>> delete_change_set(Client& client, std::string stack, std::string name,
                                           Deadline deadline) {
  Form form = form_of("DeleteChangeSet");
  form.add("ChangeSetName", name).add_unless_empty("StackName", stack);
  net::Task<Outcome<void>> task = perform(client, std::move(form), deadline);
  Outcome<void> outcome = co_await task;
  if (!outcome && (outcome.error().is("ChangeSetNotFound") || is_missing_stack(outcome.error()))) {
    co_return Outcome<void>();
  }
  co_return outcome;
}

net::Task<Outcome<void>> delete_stack(Client& client, std::string stack, std::string client_token,
                                      Deadline deadline) {
  Form form = form_of("DeleteStack");
  form.add("StackName", stack).add_unless_empty("ClientRequestToken", client_token);
  return perform(client, std::move(form), deadline);
}

net::Task<Outcome<void>> signal_resource(Client& client, std::string stack, std::string logical_id,
                                         std::string unique_id, Signal signal, Deadline deadline) {
  Form form = form_of("SignalResource");
  form.add("StackName", stack).add("LogicalResourceId", logical_id).add("UniqueId", unique_id);
  form.add("Status", signal == Signal::kSuccess ? "SUCCESS" : "FAILURE");
  return perform(client, std::move(form), deadline);
}

net::Task<Outcome<std::vector<std::string>>> validate_template(Client& client,
                                                               std::string template_body,
                                                               Deadline deadline) {
  using Capabilities = std::vector<std::string>;
  Form form = form_of("ValidateTemplate");
  form.add("TemplateBody", template_body);
  const detail::ReadXml<Capabilities> read = [](const Element& result) {
    return std::optional(read_texts(result, "Capabilities"));
  };
  return detail::query<Capabilities>(client, std::move(form), deadline, read);
}

}  // namespace ebbgate::aws::cloudformation
