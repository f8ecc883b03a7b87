// Where alerts go. SNS is one; whoever brings another implements this.
#pragma once

#include <string>

#include "alert/message.h"
#include "base/result.h"
#include "net/task.h"

namespace ebbgate::alert {

class Sink {
 public:
  virtual ~Sink() = default;
  // For messages to the operator: `the topic arn:…`.
  [[nodiscard]] virtual std::string name() const = 0;
  // Out: it was taken. Errors: it was not, after what retries the sink makes itself.
  [[nodiscard]] virtual net::Task<Result<void>> send(Message message) = 0;
};

}  // namespace ebbgate::alert
