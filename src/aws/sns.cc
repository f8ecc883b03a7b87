#include "aws/sns.h"

#include "aws/detail/call.h"

namespace ebbgate::aws::sns {

net::Task<Outcome<std::string>> publish(Client& client, Message message, Deadline deadline) {
  detail::Form form(Service::kSns, "Publish");
  form.add("TopicArn", message.topic_arn).add("Message", message.text);
  form.add_unless_empty("Subject", message.subject);
  for (std::size_t i = 0; i < message.attributes.size(); ++i) {
    const std::string entry = "MessageAttributes.entry." + std::to_string(i + 1) + ".";
    form.add(entry + "Name", message.attributes[i].first);
    form.add(entry + "Value.DataType", "String");
    form.add(entry + "Value.StringValue", message.attributes[i].second);
  }
  const detail::ReadXml<std::string> read =
      [](const detail::Element& result) -> std::optional<std::string> {
    std::string id = result.text_at("MessageId");
    if (id.empty()) return std::nullopt;
    return id;
  };
  return detail::query<std::string>(client, std::move(form), deadline, read);
}

}  // namespace ebbgate::aws::sns
