#include "http/response_head.h"

#include "http/detail/control.h"
#include "http/detail/text.h"

namespace ebbgate::http {
namespace {

using detail::same_token;

constexpr std::string_view kVersionStart = "HTTP/1.";

// RFC 9112 6.3, in its order.
Result<void> read_body(const detail::Control& control, const Asked& asked, ResponseHead& head) {
  const bool interim = head.status < 200;
  if (interim || head.status == 204) {
    if (control.chunked || control.content_length.value_or(0) != 0) {
      return kOriginsFault("a response of that status has no body, but announces one");
    }
    return {};
  }
  if (asked.method == Method::kConnect && head.status < 300) return {};
  if (asked.method == Method::kHead || head.status == 304) {
    head.announced_length = control.content_length;
    return {};
  }
  if (control.chunked) {
    head.body = BodyFraming::chunked();
  } else if (control.content_length) {
    head.body = BodyFraming::of(*control.content_length);
  } else {
    head.body = BodyFraming::until_close();
  }
  return {};
}

// Whether one of the words of a WWW-Authenticate value names a scheme that authenticates the
// connection. It may be fooled by a realm of that name, and then only keeps a connection apart.
bool names_connection_scheme(std::string_view value) {
  while (!value.empty()) {
    const std::size_t end = std::min(value.find_first_of(" \t,"), value.size());
    const std::string_view term = value.substr(0, end);
    if (same_token(term, "negotiate") || same_token(term, "ntlm")) return true;
    value.remove_prefix(std::min(end + 1, value.size()));
  }
  return false;
}

Result<void> finish(const Asked& asked, ResponseHead& head) {
  const auto control = detail::read_control(head.fields, head.version, kOriginsFault);
  if (!control) return std::unexpected(control.error());
  if (head.status == 101 &&
      !(asked.upgrade && head.version == Version::kHttp11 && control->connection_upgrade &&
        control->upgrade_websocket && !control->upgrade_other)) {
    return kOriginsFault("the origin switches to a protocol that was not asked for");
  }
  if (auto read = read_body(*control, asked, head); !read) return read;
  head.persistent = head.status != 101 && head.body.kind != BodyFraming::Kind::kUntilClose &&
                    !control->close && (head.version == Version::kHttp11 || control->keep_alive);
  if (head.fields.has(FieldId::kWwwAuthenticate)) {
    for (const Field field : head.fields.all()) {
      if (field.id == FieldId::kWwwAuthenticate && names_connection_scheme(field.value)) {
        head.binds_connection = true;
      }
    }
  }
  return {};
}

}  // namespace

std::string_view ResponseHead::reason_phrase() const {
  return fields.octets().substr(reason_at, reason_size);
}

Result<void> ResponseReader::status_line(std::string_view line, std::string_view buffered) {
  // The old fields stay, for their memory.
  Fields fields = std::move(head_.fields);
  fields.clear();
  head_ = ResponseHead{};
  head_.fields = std::move(fields);

  // HTTP/1.1 200 reason
  constexpr std::size_t kStatusAt = 9;
  constexpr std::size_t kStatusEnd = kStatusAt + 3;
  if (line.size() < kStatusEnd || !line.starts_with(kVersionStart) || line[8] != ' ') {
    return kOriginsFault("the status line is not a version, a status and a reason");
  }
  if (line[7] != '0' && line[7] != '1') {
    return kOriginsFault("the HTTP version is neither 1.0 nor 1.1");
  }
  head_.version = line[7] == '0' ? Version::kHttp10 : Version::kHttp11;
  const auto status = detail::parse_decimal(line.substr(kStatusAt, 3));
  if (!status || *status < 100 || *status > 599 ||
      (line.size() > kStatusEnd && line[kStatusEnd] != ' ')) {
    return kOriginsFault("the status is not a number from 100 to 599");
  }
  head_.status = static_cast<std::uint16_t>(*status);
  const std::string_view reason = line.substr(std::min(kStatusEnd + 1, line.size()));
  if (detail::has_control(reason)) {
    return kOriginsFault("the reason phrase has a control character");
  }
  head_.reason_at = static_cast<std::uint32_t>(reason.data() - buffered.data());
  head_.reason_size = static_cast<std::uint32_t>(reason.size());
  return {};
}

Result<std::size_t> ResponseReader::read(std::string_view buffered, const Asked& asked) {
  // Told apart as soon as possible: an origin of another protocol may wait for us to go on.
  if (at_ == At::kStart && !buffered.starts_with(kVersionStart.substr(0, buffered.size()))) {
    return kOriginsFault("what the origin sends does not begin like HTTP/1");
  }
  while (true) {
    switch (lines_.next(buffered, limits_)) {
      case HeadLines::Found::kNothing:
        return 0;
      case HeadLines::Found::kBareLf:
        return kOriginsFault("a line ends in LF without CR");
      case HeadLines::Found::kTooLarge:
        return kOriginsFault("the response head is larger than " + std::to_string(limits_.octets) +
                             " octets");
      case HeadLines::Found::kLine:
        if (at_ == At::kStart) {
          if (auto read = status_line(lines_.line(), buffered); !read) {
            return std::unexpected(std::move(read.error()));
          }
          at_ = At::kFields;
        } else {
          if (head_.fields.size() == limits_.fields) {
            return kOriginsFault("the response has more than " + std::to_string(limits_.fields) +
                                 " fields");
          }
          auto field = parse_field_line(lines_.line(), kOriginsFault);
          if (!field) return std::unexpected(std::move(field.error()));
          head_.fields.add(*field, buffered);
        }
        break;
      case HeadLines::Found::kEnd:
        const std::size_t consumed = lines_.consumed();
        head_.fields.own(buffered.substr(0, consumed));
        if (auto read = finish(asked, head_); !read) {
          return std::unexpected(std::move(read.error()));
        }
        lines_ = {};
        at_ = At::kStart;
        return consumed;
    }
  }
}

}  // namespace ebbgate::http
