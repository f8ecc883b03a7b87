// Request targets (RFC 9112 3.2).
#include "http/detail/text.h"
#include "http/request_head.h"

namespace ebbgate::http {
namespace {

// Visible ASCII but `#`: a fragment never leaves the client, and what lies outside ASCII is to be
// percent-encoded. The few visible characters that RFC 3986 has no use for (such as `|`) go on as
// they are: browsers send them, and no reader takes them for the target's end.
bool is_target_octet(char c) {
  return c > 0x20 && c < 0x7f && c != '#';
}

Result<RequestTarget> parse_absolute(Method method, std::string_view text) {
  const std::size_t colon = text.find(':');
  const std::string_view scheme = text.substr(0, colon);
  if (colon == std::string_view::npos || !detail::is_token(scheme)) {
    return kClientsFault("the request target is neither a path nor an absolute URI");
  }
  if (!detail::same_token(scheme, "http")) {
    return kClientsFault(detail::same_token(scheme, "https")
                             ? "https is asked for by CONNECT, not by an absolute URI"
                             : "the scheme of the request target is not http");
  }
  std::string_view rest = text.substr(colon + 1);
  if (!rest.starts_with("//")) return kClientsFault("the request target has no authority");
  rest.remove_prefix(2);
  const std::size_t end = std::min(rest.find_first_of("/?"), rest.size());
  auto authority = Authority::parse(rest.substr(0, end), kHttpPort);
  if (!authority) return std::unexpected(std::move(authority.error()));

  RequestTarget target{TargetForm::kAbsolute, std::move(*authority), {}};
  rest.remove_prefix(end);
  if (rest.empty() && method == Method::kOptions) {
    target.path = "*";
  } else if (rest.empty() || rest.front() == '?') {
    target.path = "/";
    target.path += rest;
  } else {
    target.path = rest;
  }
  return target;
}

}  // namespace

Result<RequestTarget> parse_target(Method method, std::string_view text) {
  if (text.empty()) return kClientsFault("the request target is empty");
  if (!std::ranges::all_of(text, is_target_octet)) {
    return kClientsFault("the request target has a character that no URI has, or a fragment");
  }
  if (method == Method::kConnect) {
    if (text.find('/') != std::string_view::npos) {
      return kClientsFault("the target of CONNECT is a host and a port, and no URI");
    }
    auto authority = Authority::parse(text);
    if (!authority) return std::unexpected(std::move(authority.error()));
    return RequestTarget{TargetForm::kAuthority, std::move(*authority), {}};
  }
  if (text.front() == '/') {
    return RequestTarget{TargetForm::kOrigin, std::nullopt, std::string(text)};
  }
  if (text == "*") {
    if (method != Method::kOptions) return kClientsFault("only OPTIONS may ask for *");
    return RequestTarget{TargetForm::kAsterisk, std::nullopt, "*"};
  }
  return parse_absolute(method, text);
}

}  // namespace ebbgate::http
