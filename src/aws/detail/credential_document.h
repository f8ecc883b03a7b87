// Credentials as the container and instance endpoints (JSON) and STS (XML) write them.
#pragma once

#include <optional>
#include <string_view>

#include "aws/detail/xml.h"
#include "aws/failure.h"
#include "aws/sigv4.h"

namespace ebbgate::aws::detail {

// In: AccessKeyId, SecretAccessKey, Token, Expiration, and of instances Code (`Success`).
// Failures: kCredentials, with the endpoint's Code and Message, never with a value of the others.
[[nodiscard]] Outcome<Credentials> read_credentials(std::string_view json);

// In: an element with `Credentials/{AccessKeyId,SecretAccessKey,SessionToken,Expiration}`.
[[nodiscard]] std::optional<Credentials> read_credentials(const Element& result);

}  // namespace ebbgate::aws::detail
