// Writing a policy to where gateways read it: a parameter, an object, or, for a policy that is
// longer than a parameter may be, an object and the parameter that names it by version and digest.
#pragma once

#include <optional>
#include <string>

#include "aws/client.h"
#include "base/clock.h"
#include "base/result.h"
#include "config/source_url.h"
#include "net/task.h"

namespace ebbgate::source {

inline constexpr std::size_t kMaxParameter = 8192;  // octets, in the tier Advanced

struct Publication {
  config::SourceUrl to;                  // ssm:// or s3://
  std::optional<config::SourceUrl> via;  // s3://: where the text of a parameter goes
  std::string text;
  // Base64; empty: none. It goes to the same name with .sig after it, or into the parameter that
  // names the object.
  std::string signature = {};
};

// What makes it impossible before anybody is asked; nothing: it can be tried.
[[nodiscard]] std::optional<std::string> publication_fault(const Publication& publication);

// Out: what readers will call this state ("version 8"). Errors: the service's word, and which
// permission is missing. The object is written first, and so is a signature: a reader never meets a
// pointer to nothing, nor a policy whose signature is still to come.
[[nodiscard]] net::Task<Result<std::string>> publish(aws::Client& client, Publication publication,
                                                     Deadline deadline);

}  // namespace ebbgate::source
