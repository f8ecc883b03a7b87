#include "http/request_head.h"

#include <utility>

#include "http/detail/control.h"
#include "http/detail/text.h"

namespace ebbgate::http {
namespace {

using detail::same_token;

Method method_of(std::string_view name) {
  static constexpr std::pair<std::string_view, Method> kMethods[] = {
      {"GET", Method::kGet},         {"CONNECT", Method::kConnect}, {"HEAD", Method::kHead},
      {"POST", Method::kPost},       {"PUT", Method::kPut},         {"DELETE", Method::kDelete},
      {"OPTIONS", Method::kOptions}, {"TRACE", Method::kTrace},     {"PATCH", Method::kPatch}};
  for (const auto& [known, method] : kMethods) {
    if (name == known) return method;
  }
  return Method::kOther;
}

// The first octets are looked at before a line is there: a client that speaks another protocol may
// never send a line, and waits for an answer.
Result<void> check_beginning(std::string_view octets) {
  if (octets.empty() || octets.front() == '\r' || octets.front() == '\n' ||
      detail::token_fold(octets.front()) != 0) {
    return {};
  }
  constexpr char kTlsHandshake = 0x16;  // RFC 8446 5.1
  return kClientsFault(octets.front() == kTlsHandshake
                           ? "the client speaks TLS where HTTP in clear is expected"
                           : "what the client sends does not begin like HTTP");
}

Result<HostField> parse_host(std::string_view value) {
  auto authority = Authority::parse(value, kHttpPort);
  if (!authority) return kClientsFault("in the Host field, " + authority.error().detail);
  const bool has_port =
      value.back() != ']' && value.back() != ':' && value.find(':') != std::string_view::npos;
  return HostField{std::move(authority->host),
                   has_port ? std::optional(authority->port) : std::nullopt};
}

// Exactly one Host, or in HTTP/1.0 at most one (RFC 9112 3.2).
Result<void> read_host(RequestHead& head) {
  std::optional<std::string_view> value;
  if (head.fields.has(FieldId::kHost)) {
    for (const Field field : head.fields.all()) {
      if (field.id != FieldId::kHost) continue;
      if (value) return kClientsFault("there is more than one Host field");
      value = field.value;
    }
  }
  if (!value) {
    if (head.version == Version::kHttp10) return {};
    return kClientsFault("there is no Host field");
  }
  if (head.target.form == TargetForm::kAuthority && *value == head.target_text()) {
    head.host = HostField{head.target.authority->host, head.target.authority->port};
    return {};
  }
  auto host = parse_host(*value);
  if (!host) return std::unexpected(std::move(host.error()));
  head.host = std::move(*host);
  return {};
}

Result<void> read_body(const detail::Control& control, RequestHead& head) {
  if (control.chunked) {
    head.body = BodyFraming::chunked();
  } else if (control.content_length) {
    head.body = BodyFraming::of(*control.content_length);
  }
  if (head.body.is_empty()) return {};
  if (head.method == Method::kConnect) return kClientsFault("CONNECT has no body");
  if (head.method == Method::kTrace) return kClientsFault("TRACE has no body");
  return {};
}

// Only websocket, and only in the one shape that RFC 6455 4.1 gives it.
Result<void> read_upgrade(const detail::Control& control, RequestHead& head) {
  if (control.upgrade_other) return kClientsFault("Upgrade asks for another thing than websocket");
  if (!control.upgrade_websocket || head.version == Version::kHttp10) return {};  // RFC 9110 7.8
  if (!control.connection_upgrade) {
    return kClientsFault("there is an Upgrade field that Connection does not name");
  }
  if (head.method != Method::kGet || !head.body.is_empty()) {
    return kClientsFault("an upgrade to websocket is a GET without a body");
  }
  head.upgrade = true;
  return {};
}

// Max-Forwards is for TRACE and OPTIONS; other methods carry it along unread (RFC 9110 7.6.2).
Result<void> read_max_forwards(std::string_view value, RequestHead& head) {
  if (head.method != Method::kTrace && head.method != Method::kOptions) return {};
  if (head.max_forwards) return kClientsFault("there is more than one Max-Forwards");
  head.max_forwards = detail::parse_decimal(value);
  if (!head.max_forwards) return kClientsFault("Max-Forwards is no decimal number");
  return {};
}

Result<void> read_others(RequestHead& head) {
  for (const Field field : head.fields.all()) {
    std::string_view value = field.value;
    switch (field.id) {
      case FieldId::kExpect:
        if (!same_token(value, "100-continue")) {
          return kClientsFault("Expect asks for another thing than 100-continue");
        }
        head.expects_continue = head.version == Version::kHttp11;  // RFC 9110 10.1.1
        break;
      case FieldId::kTe:
        while (const auto coding = detail::next_element(value)) {
          if (same_token(*coding, "trailers")) head.accepts_trailers = true;
        }
        break;
      case FieldId::kAuthorization: {
        const std::string_view scheme = value.substr(0, value.find(' '));
        if (same_token(scheme, "negotiate") || same_token(scheme, "ntlm")) {
          head.binds_connection = true;
        }
        break;
      }
      case FieldId::kMaxForwards:
        if (auto read = read_max_forwards(value, head); !read) return read;
        break;
      default:
        break;
    }
  }
  return {};
}

Result<void> finish(RequestHead& head) {
  const auto control = detail::read_control(head.fields, head.version, kClientsFault);
  if (!control) return std::unexpected(control.error());
  if (auto read = read_host(head); !read) return read;
  if (auto read = read_body(*control, head); !read) return read;
  if (auto read = read_upgrade(*control, head); !read) return read;
  // A proxy keeps no connection with a client of HTTP/1.0 (RFC 9112 9.3).
  head.persistent = head.version == Version::kHttp11 && !control->close;
  return read_others(head);
}

}  // namespace

std::string_view RequestHead::method_name() const {
  return fields.octets().substr(method_at, method_size);
}

std::string_view RequestHead::target_text() const {
  return fields.octets().substr(target_at, target_size);
}

Result<void> RequestReader::request_line(std::string_view line, std::string_view buffered) {
  if (line == "PRI * HTTP/2.0") {
    return kClientsFault("the client speaks HTTP/2 where HTTP/1.1 is expected");
  }
  const std::size_t method_end = std::min(line.find(' '), line.size());
  const std::string_view name = line.substr(0, method_end);
  if (!detail::is_token(name)) return kClientsFault("the method is no token");
  const std::string_view rest = line.substr(std::min(method_end + 1, line.size()));
  const std::size_t target_end = rest.find(' ');
  if (target_end == std::string_view::npos) {
    return kClientsFault("the request line is not a method, a target and a version");
  }
  const std::string_view text = rest.substr(0, target_end);
  const std::string_view version = rest.substr(target_end + 1);

  const auto offset = [buffered](std::string_view part) {
    return static_cast<std::uint32_t>(part.data() - buffered.data());
  };
  head_.method = method_of(name);
  head_.method_at = offset(name);
  head_.method_size = static_cast<std::uint32_t>(name.size());
  head_.target_at = offset(text);
  head_.target_size = static_cast<std::uint32_t>(text.size());

  if (version == "HTTP/1.1") {
    head_.version = Version::kHttp11;
  } else if (version == "HTTP/1.0") {
    head_.version = Version::kHttp10;
  } else {
    return kClientsFault(version.starts_with("HTTP/")
                             ? "the HTTP version is neither 1.0 nor 1.1"
                             : "the request line does not end in a space and an HTTP version");
  }
  auto target = parse_target(head_.method, text);
  if (!target) return std::unexpected(std::move(target.error()));
  head_.target = std::move(*target);
  return {};
}

void RequestReader::begin() {
  // The old fields stay, for their memory.
  Fields fields = std::move(head_.fields);
  fields.clear();
  head_ = RequestHead{};
  head_.fields = std::move(fields);
}

Result<std::size_t> RequestReader::read(std::string_view buffered) {
  if (at_ == At::kStart) begin();
  auto consumed = read_lines(buffered);
  // What there is of a refused head is for the log.
  if (!consumed) head_.fields.own(buffered.substr(0, lines_.consumed()));
  return consumed;
}

Result<std::size_t> RequestReader::read_lines(std::string_view buffered) {
  while (true) {
    if (at_ != At::kFields) {
      if (auto begun = check_beginning(buffered.substr(lines_.consumed())); !begun) {
        return std::unexpected(std::move(begun.error()));
      }
    }
    switch (lines_.next(buffered, limits_)) {
      case HeadLines::Found::kNothing:
        return 0;
      case HeadLines::Found::kBareLf:
        return kClientsFault("a line ends in LF without CR");
      case HeadLines::Found::kTooLarge:
        return fail(
            Reason::kHeadTooLarge, Side::kClient,
            "the request head is larger than " + std::to_string(limits_.octets) + " octets");
      case HeadLines::Found::kLine:
        if (at_ != At::kFields) {
          if (auto read = request_line(lines_.line(), buffered); !read) {
            return std::unexpected(std::move(read.error()));
          }
          at_ = At::kFields;
        } else {
          if (head_.fields.size() == limits_.fields) {
            return fail(Reason::kHeadTooLarge, Side::kClient,
                        "the request has more than " + std::to_string(limits_.fields) + " fields");
          }
          auto field = parse_field_line(lines_.line(), kClientsFault);
          if (!field) return std::unexpected(std::move(field.error()));
          head_.fields.add(*field, buffered);
        }
        break;
      case HeadLines::Found::kEnd:
        if (at_ == At::kStart) {
          at_ = At::kRequestLine;
          break;
        }
        if (at_ == At::kRequestLine) {
          return kClientsFault("more than one empty line stands before the request line");
        }
        const std::size_t consumed = lines_.consumed();
        head_.fields.own(buffered.substr(0, consumed));
        if (auto read = finish(head_); !read) return std::unexpected(std::move(read.error()));
        lines_ = {};
        at_ = At::kStart;
        return consumed;
    }
  }
}

Result<Authority> asked_of_proxy(const RequestHead& head) {
  if (!head.target.authority) {
    return kClientsFault(
        "the request names no host in its target: a proxy is asked by CONNECT or an absolute URI");
  }
  return *head.target.authority;
}

Result<Authority> asked_of_origin(const RequestHead& head, Port port) {
  if (head.target.authority) {
    return kClientsFault("the request target names a host, as only a proxy is asked");
  }
  if (!head.host) return kClientsFault("there is no Host field to judge");
  if (head.host->port && *head.host->port != port) {
    return kClientsFault("the Host field names another port than the connection goes to");
  }
  return Authority{head.host->host, port};
}

}  // namespace ebbgate::http
