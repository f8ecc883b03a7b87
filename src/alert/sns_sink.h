// Alerts to an SNS topic: the text for people, and the JSON as the message attribute
// `ebbgate.alert`.
#pragma once

#include <string>

#include "alert/sink.h"
#include "aws/client.h"

namespace ebbgate::alert {

class SnsSink final : public Sink {
 public:
  // `client` outlives it.
  SnsSink(aws::Client& client, std::string topic_arn);
  [[nodiscard]] std::string name() const override;
  [[nodiscard]] net::Task<Result<void>> send(Message message) override;

 private:
  aws::Client* client_;
  std::string topic_arn_;
};

}  // namespace ebbgate::alert
