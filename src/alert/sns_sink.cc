#include "alert/sns_sink.h"

#include <chrono>
#include <utility>

#include "aws/sns.h"

namespace ebbgate::alert {
namespace {

constexpr Duration kCallTimeout = std::chrono::seconds(30);  // retries included

}  // namespace

SnsSink::SnsSink(aws::Client& client, std::string topic_arn)
    : client_(&client), topic_arn_(std::move(topic_arn)) {}

std::string SnsSink::name() const {
  return "the topic " + topic_arn_;
}

net::Task<Result<void>> SnsSink::send(Message message) {
  aws::sns::Message out{.topic_arn = topic_arn_,
                        .subject = std::move(message.subject),
                        .text = std::move(message.text)};
  out.attributes.emplace_back("ebbgate.alert", std::move(message.json));
  net::Task<aws::Outcome<std::string>> task =
      aws::sns::publish(*client_, std::move(out), client_->context().loop.after(kCallTimeout));
  const aws::Outcome<std::string> published = co_await task;
  if (!published) co_return std::unexpected(published.error().to_error("sns Publish"));
  co_return Result<void>();
}

}  // namespace ebbgate::alert
