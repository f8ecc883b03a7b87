// SNS: where alerts go.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "aws/client.h"

namespace ebbgate::aws::sns {

struct Message {
  std::string topic_arn = {};
  std::string subject = {};  // ASCII, at most 100 characters; may be empty
  std::string text = {};     // at most 256 KiB, with the attributes
  std::vector<std::pair<std::string, std::string>> attributes = {};  // for programs; of type String
};
// Out: the id of the message. Codes: NotFound, AuthorizationError, KMSAccessDenied.
[[nodiscard]] net::Task<Outcome<std::string>> publish(Client& client, Message message,
                                                      Deadline deadline);

}  // namespace ebbgate::aws::sns
