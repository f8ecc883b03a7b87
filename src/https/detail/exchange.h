// One request and its response on a connection (RFC 9112), whoever made the connection.
#pragma once

#include <string>

#include "base/result.h"
#include "https/detail/connection.h"
#include "https/transport.h"
#include "https/url.h"
#include "net/loop.h"
#include "net/task.h"

namespace ebbgate::https::detail {

// The octets of the request. Refused as kMalformedRequest: a method or a field name that is no
// token, a control character in a value, Transfer-Encoding or another length than the body's.
[[nodiscard]] Result<std::string> request_octets(const Request& request, const Url& url,
                                                 const std::string& user_agent);

// Whether doing it twice has the effect of doing it once (RFC 9110 9.2.2).
[[nodiscard]] bool is_idempotent(std::string_view method);

struct Exchange {
  net::Loop& loop;
  Connection& connection;
  const Request& request;
  const std::string& octets;  // of the request
  Deadline deadline;          // for all of it; with a sink: to the head
  BodySink* sink = nullptr;   // takes the body of a success
  bool has_answer = false;    // an octet of the answer has come
  bool is_reusable = false;   // the connection takes another request afterwards
};

// Errors: kTimedOut, kDraining, kOriginInvalid; kOriginClosed where the connection ended before an
// octet of the answer; kConnectFailed where the other side refuses in TLS's own words.
[[nodiscard]] net::Task<Result<Response>> exchange(Exchange& exchange);

}  // namespace ebbgate::https::detail
