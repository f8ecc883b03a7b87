// An answer of a service that is no success: status, headers and body in, a Failure out.
#pragma once

#include <initializer_list>
#include <string>
#include <string_view>

#include "aws/client.h"
#include "aws/failure.h"

namespace ebbgate::aws::detail {

// Never fails itself: where the body says nothing that can be read, the code is the status
// (`503`). The message is cut before the strings of a signature, which hold the session token.
[[nodiscard]] Failure read_service_error(Protocol protocol, const https::Response& response);

// How a transport's error is seen from here.
[[nodiscard]] Failure network_failure(const Error& error);

// Takes the secrets out of what will be shown, wherever a service echoes them, and only then cuts
// it, since half a secret is not found.
void redact(Failure& failure, std::initializer_list<const Secret*> secrets);

inline constexpr std::size_t kMaxMessage = 512;  // octets

}  // namespace ebbgate::aws::detail
