// AWS Signature Version 4: a request goes in, the same request with its signature comes out; no
// clock, no network.
// docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

#include "aws/secret.h"
#include "base/clock.h"
#include "base/result.h"
#include "https/transport.h"

namespace ebbgate::aws {

struct Credentials {
  std::string access_key_id;
  Secret secret_access_key;
  Secret session_token;                // empty for those of a user
  std::optional<WallTime> expiration;  // nothing: they do not expire
  bool operator==(const Credentials&) const = default;
};

struct SigningScope {
  std::string region;   // eu-west-2
  std::string service;  // the signing name: `s3`, `monitoring`; `s3` has rules of its own
};

// RFC 3986 2.3: everything but unreserved characters as %XX; with `keep`, those bytes as well.
[[nodiscard]] std::string percent_encoded(std::string_view text, std::string_view keep = {});

// In: a request whose URL is absolute and percent-encoded as percent_encoded() does it, without
// fragment and userinfo.
// Out: with the headers Host, X-Amz-Date, X-Amz-Security-Token (where there is a token),
// X-Amz-Content-Sha256 (S3 only) and Authorization in place of any that were there. All headers
// are signed but User-Agent, Expect, X-Amzn-Trace-Id, Connection, Content-Length and
// Transfer-Encoding, which those between may change.
// Errors: kMalformedRequest for another URL, or a header that holds CR, LF or NUL.
[[nodiscard]] Result<https::Request> sign(https::Request request, const Credentials& credentials,
                                          const SigningScope& scope, WallTime now);

// The URL that carries the signature in its query and is good for `validity` (1 s to 7 days).
// Who uses it has to send the headers of `request`, all of which are signed. The body is empty.
[[nodiscard]] Result<std::string> presign(const https::Request& request,
                                          const Credentials& credentials, const SigningScope& scope,
                                          WallTime now, std::chrono::seconds validity);

}  // namespace ebbgate::aws
