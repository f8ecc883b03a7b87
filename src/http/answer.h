// What the gateway says itself: refusals and failures (semantics 4), the answers to TRACE and
// OPTIONS that may go no further (RFC 9110 7.6.2), and the word that opens a tunnel.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"
#include "http/request_head.h"

namespace ebbgate::http {

// To CONNECT, once the origin is connected (RFC 9110 9.3.6).
inline constexpr std::string_view kTunnelEstablished =
    "HTTP/1.1 200 Connection established\r\n\r\n";

struct Answer {
  enum class Body : std::uint8_t { kText, kJson };
  std::uint16_t status = 500;
  Reason reason = Reason::kInternal;
  std::string detail;  // for a person; may hold octets that a client sent, shown as %XX
  std::string id;      // of the request, as it stands in the log
  Body body = Body::kText;
  bool without_body = false;  // the request's method was HEAD
  Persistence persistence = Persistence::kClose;
  std::string more_fields;  // whole field lines with their CRLF, such as Proxy-Authenticate

  bool operator==(const Answer&) const = default;
};

// The answer that an error causes; `request` is null where there is no head to ask what form the
// client accepts. The connection is to be closed unless the caller says otherwise.
[[nodiscard]] Answer answer_to(const Error& error, std::string_view id,
                               const RequestHead* request = nullptr);

// Whether the request's Accept names application/json.
[[nodiscard]] bool wants_json(const RequestHead& head);

// Appends it: the reason phrase holds the reason's word, the detail and the id, because Go prints
// nothing else of a refused CONNECT; the body and Proxy-Status (RFC 9209) say the same.
void append_answer(std::string& out, const Answer& answer);

// The error type of RFC 9209 2.3 for a reason.
[[nodiscard]] std::string_view proxy_error_type(Reason reason);

// The final recipient's answer to TRACE (RFC 9110 9.3.8): the head as it came, but no field that
// carries credentials (Authorization, Proxy-Authorization, Cookie).
void append_trace_answer(std::string& out, const RequestHead& head, Persistence persistence);

// The answer to OPTIONS that may go no further (RFC 9110 9.3.7).
void append_options_answer(std::string& out, Persistence persistence);

}  // namespace ebbgate::http
