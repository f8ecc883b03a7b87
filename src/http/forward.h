// A head as it goes on to the next hop (RFC 9110 7.6): what ends here is removed, what belongs to
// the next connection is made anew, and nothing else changes.
#pragma once

#include <string>
#include <string_view>

#include "base/authority.h"
#include "base/result.h"
#include "http/request_head.h"
#include "http/response_head.h"

namespace ebbgate::http {

// Refuses, as kLoop, a request that has `pseudonym` in its Via already (RFC 9110 7.6.3).
[[nodiscard]] Result<void> check_loop(const RequestHead& head, std::string_view pseudonym);

// Appends the request that goes to the origin: origin-form, HTTP/1.1, Host from `authority` (port
// 80 is not written), the body framed as it came, Max-Forwards less one, Via with `pseudonym`;
// without the fields that end here and without Proxy-Authorization. An upgrade to websocket and
// TE: trailers are said again. head.method is not CONNECT, and a Max-Forwards of 0 was answered
// by append_options_answer() or append_trace_answer().
void append_forwarded(std::string& out, const RequestHead& head, const Authority& authority,
                      std::string_view pseudonym, Persistence persistence);

// How the body of that response goes on to a client of `version`: as it came, but HTTP/1.0 has no
// chunks, so it ends with the connection there.
[[nodiscard]] BodyFraming forwarded_body(const ResponseHead& head, Version version);

// Appends the response that goes to the client, framed as `body`; the client's connection then
// closes or not as `persistence` says. A body until close implies kClose. Interim responses go to
// clients of HTTP/1.1 only.
void append_forwarded(std::string& out, const ResponseHead& head, BodyFraming body,
                      std::string_view pseudonym, Persistence persistence);

}  // namespace ebbgate::http
