#include "http/answer.h"

#include <algorithm>
#include <array>

#include "base/escape.h"
#include "http/detail/text.h"

namespace ebbgate::http {
namespace {

constexpr std::size_t kMaxDetail = 256;  // octets of a detail that a status line takes
constexpr std::size_t kMaxId = 64;

// As inside the quotes of a JSON string or of an sf-string (RFC 8941 3.3.3): for visible ASCII and
// spaces, which is all that escaped_prose() leaves, the two agree.
std::string quoted(std::string_view prose) {
  std::string out = "\"";
  for (const char c : prose) {
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  out += '"';
  return out;
}

void append_connection(std::string& out, Persistence persistence) {
  if (persistence == Persistence::kClose) out += "Connection: close\r\n";
}

void append_content(std::string& out, std::string_view type, std::string_view body,
                    bool without_body) {
  out.append("Content-Type: ").append(type).append("\r\n");
  out += "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n";
  if (!without_body) out += body;
}

// Whether a field may hold what only its sender is to know: TRACE leaves it out.
bool may_be_secret(const Field& field) {
  if (field.id == FieldId::kAuthorization || field.id == FieldId::kProxyAuthorization ||
      field.id == FieldId::kCookie) {
    return true;
  }
  static constexpr std::array<std::string_view, 9> kWords = {
      "auth", "cookie", "token", "key", "secret", "passw", "credential", "session", "signature"};
  return std::ranges::any_of(kWords, [&](std::string_view word) {
    return !std::ranges::search(field.name, word, {}, detail::token_fold).empty();
  });
}

// The q of a media range's parameters is 0 (RFC 9110 12.4.2).
bool is_unacceptable(std::string_view parameters) {
  while (!parameters.empty()) {
    const std::size_t end = std::min(parameters.find(';'), parameters.size());
    const std::string_view parameter = detail::trim(parameters.substr(0, end));
    if (parameter.starts_with("q=") || parameter.starts_with("Q=")) {
      return parameter.substr(2).find_first_not_of("0.") == std::string_view::npos;
    }
    parameters.remove_prefix(std::min(end + 1, parameters.size()));
  }
  return false;
}

}  // namespace

bool wants_json(const RequestHead& head) {
  if (!head.fields.has(FieldId::kAccept)) return false;
  for (const Field field : head.fields.all()) {
    if (field.id != FieldId::kAccept) continue;
    std::string_view list = field.value;
    while (const auto range = detail::next_element(list)) {
      const std::size_t end = std::min(range->find(';'), range->size());
      const std::string_view type = detail::trim(range->substr(0, end));
      constexpr std::string_view kJson = "application/json";
      if (std::ranges::equal(type, kJson, {},
                             [](char c) { return c == '/' ? c : detail::token_fold(c); })) {
        return !is_unacceptable(range->substr(end));
      }
    }
  }
  return false;
}

Answer answer_to(const Error& error, std::string_view id, const RequestHead* request) {
  Answer answer;
  const std::uint16_t status = info(error.reason).status;
  answer.status = status == 0 ? 500 : status;  // 0: there should be no answer at all
  answer.reason = error.reason;
  answer.detail = error.detail;
  answer.id = id;
  if (request != nullptr) {
    answer.body = wants_json(*request) ? Answer::Body::kJson : Answer::Body::kText;
    answer.without_body = request->method == Method::kHead;
  }
  return answer;
}

void append_answer(std::string& out, const Answer& answer) {
  const std::string_view reason = word(answer.reason);
  const std::string detail = escaped_prose(
      answer.detail.empty() ? info(answer.reason).summary : std::string_view(answer.detail),
      kMaxDetail);
  const std::string id = escaped(answer.id, kMaxId);
  const std::string status = std::to_string(answer.status);

  out += "HTTP/1.1 " + status + " ";
  out.append(reason).append(": ").append(detail).append(" (id ").append(id).append(")\r\n");
  out.append("Proxy-Status: ebbgate; error=").append(proxy_error_type(answer.reason));
  out += "; details=" + quoted(std::string(reason) + ": " + detail + " (id " + id + ")") + "\r\n";
  out += "Cache-Control: no-store\r\n";
  out += answer.more_fields;
  append_connection(out, answer.persistence);
  if (answer.body == Answer::Body::kJson) {
    append_content(out, "application/json",
                   "{\"status\":" + status + ",\"reason\":" + quoted(reason) +
                       ",\"detail\":" + quoted(detail) + ",\"id\":" + quoted(id) + "}\n",
                   answer.without_body);
  } else {
    append_content(out, "text/plain; charset=utf-8",
                   "The gateway (ebbgate) did not serve this request.\nreason: " +
                       std::string(reason) + "\ndetail: " + detail + "\nid:     " + id + "\n",
                   answer.without_body);
  }
}

std::string_view proxy_error_type(Reason reason) {
  switch (reason) {
    case Reason::kMalformedRequest:
    case Reason::kHeadTooLarge:
    case Reason::kHeadTimedOut:
      return "http_request_error";
    case Reason::kForbiddenAddress:
      return "destination_ip_prohibited";
    case Reason::kLoop:
      return "proxy_loop_detected";
    case Reason::kDnsFailed:
      return "dns_error";
    case Reason::kConnectFailed:
      return "destination_unavailable";
    case Reason::kTimedOut:
      return "connection_timeout";
    case Reason::kIdleTimeout:
      return "connection_read_timeout";
    case Reason::kOriginInvalid:
      return "http_protocol_error";
    case Reason::kOriginClosed:
      return "connection_terminated";
    case Reason::kOverCapacity:
    case Reason::kDraining:
      return "proxy_internal_response";
    case Reason::kInternal:
      return "proxy_internal_error";
    default:
      return "http_request_denied";
  }
}

void append_trace_answer(std::string& out, const RequestHead& head, Persistence persistence) {
  // A query may carry a signature or a token, so it stays out as well.
  const std::string_view target = head.target_text();
  std::string body(head.method_name());
  body.append(" ").append(target.substr(0, target.find('?')));
  body += head.version == Version::kHttp11 ? " HTTP/1.1\r\n" : " HTTP/1.0\r\n";
  for (const Field field : head.fields.all()) {
    if (!may_be_secret(field)) body.append(field.name).append(": ").append(field.value) += "\r\n";
  }
  body += "\r\n";
  out += "HTTP/1.1 200 OK\r\nCache-Control: no-store\r\n";
  append_connection(out, persistence);
  append_content(out, "message/http", body, false);
}

void append_options_answer(std::string& out, Persistence persistence) {
  out +=
      "HTTP/1.1 200 OK\r\nAllow: CONNECT, DELETE, GET, HEAD, OPTIONS, PATCH, POST, PUT, TRACE\r\n";
  append_connection(out, persistence);
  out += "Content-Length: 0\r\n\r\n";
}

}  // namespace ebbgate::http
