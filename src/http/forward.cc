#include "http/forward.h"

#include <array>
#include <charconv>

#include "http/detail/text.h"

namespace ebbgate::http {
namespace {

constexpr std::size_t kRoomForOurs = 256;  // octets: about what we add to a head

void append_number(std::string& out, std::uint64_t number) {
  std::array<char, 20> digits;
  const auto [end, error] = std::to_chars(digits.data(), digits.data() + digits.size(), number);
  out.append(digits.data(), end);
}

void append_field(std::string& out, std::string_view name, std::string_view value) {
  out.append(name).append(": ").append(value).append("\r\n");
}

void append_framing(std::string& out, const BodyFraming& body) {
  if (body.kind == BodyFraming::Kind::kLength) {
    out += "Content-Length: ";
    append_number(out, body.length);
    out += "\r\n";
  } else if (body.kind == BodyFraming::Kind::kChunked) {
    out += "Transfer-Encoding: chunked\r\n";
  }
}

// `received` is the version of the message that is passed on (RFC 9110 7.6.3).
void append_via(std::string& out, Version received, std::string_view pseudonym) {
  out += received == Version::kHttp11 ? "Via: 1.1 " : "Via: 1.0 ";
  out.append(pseudonym).append("\r\n");
}

// Whether an element of a Via value was added by `pseudonym`: its second word.
bool via_names(std::string_view value, std::string_view pseudonym) {
  while (const auto element = detail::next_element(value)) {
    const std::size_t blank = element->find_first_of(" \t");
    if (blank == std::string_view::npos) continue;
    const std::string_view by = detail::trim(element->substr(blank));
    if (detail::same_token(by.substr(0, by.find_first_of(" \t")), pseudonym)) return true;
  }
  return false;
}

}  // namespace

Result<void> check_loop(const RequestHead& head, std::string_view pseudonym) {
  if (!head.fields.has(FieldId::kVia)) return {};
  for (const Field field : head.fields.all()) {
    if (field.id == FieldId::kVia && via_names(field.value, pseudonym)) {
      return fail(Reason::kLoop, Side::kClient, "the request came through this gateway before");
    }
  }
  return {};
}

void append_forwarded(std::string& out, const RequestHead& head, const Authority& authority,
                      std::string_view pseudonym, Persistence persistence) {
  out.reserve(out.size() + head.fields.octets().size() + kRoomForOurs);
  out.append(head.method_name()).append(" ").append(head.target.path).append(" HTTP/1.1\r\n");
  append_field(out, "Host", authority.port == kHttpPort ? authority.host.str() : authority.str());
  for (const Field field : head.fields.all()) {
    if (field.hop_by_hop || field.id == FieldId::kHost || field.id == FieldId::kContentLength) {
      continue;
    }
    if (field.id == FieldId::kMaxForwards && head.max_forwards) continue;
    if (field.id == FieldId::kExpect && !head.expects_continue) continue;
    if (field.id == FieldId::kTrailer && head.body.kind != BodyFraming::Kind::kChunked) continue;
    append_field(out, field.name, field.value);
  }
  append_framing(out, head.body);
  if (head.max_forwards) {
    out += "Max-Forwards: ";
    append_number(out, *head.max_forwards == 0 ? 0 : *head.max_forwards - 1);
    out += "\r\n";
  }
  append_via(out, head.version, pseudonym);
  if (head.upgrade) {
    out += "Connection: Upgrade\r\nUpgrade: websocket\r\n";
  } else if (persistence == Persistence::kClose) {
    out += head.accepts_trailers ? "Connection: close, TE\r\n" : "Connection: close\r\n";
  } else if (head.accepts_trailers) {
    out += "Connection: TE\r\n";
  }
  if (head.accepts_trailers && !head.upgrade) out += "TE: trailers\r\n";
  out += "\r\n";
}

BodyFraming forwarded_body(const ResponseHead& head, Version version) {
  const bool undo_chunks =
      version == Version::kHttp10 && head.body.kind == BodyFraming::Kind::kChunked;
  return undo_chunks ? BodyFraming::until_close() : head.body;
}

void append_forwarded(std::string& out, const ResponseHead& head, BodyFraming body,
                      std::string_view pseudonym, Persistence persistence) {
  out.reserve(out.size() + head.fields.octets().size() + kRoomForOurs);
  out += "HTTP/1.1 ";
  append_number(out, head.status);
  out.append(" ").append(head.reason_phrase()).append("\r\n");
  for (const Field field : head.fields.all()) {
    if (field.hop_by_hop || field.id == FieldId::kContentLength) continue;
    if (field.id == FieldId::kTrailer && body.kind != BodyFraming::Kind::kChunked) continue;
    append_field(out, field.name, field.value);
  }
  append_framing(out, head.announced_length ? BodyFraming::of(*head.announced_length) : body);
  append_via(out, head.version, pseudonym);
  if (head.status == 101) {
    out += "Connection: Upgrade\r\nUpgrade: websocket\r\n";
  } else if (!head.is_interim() &&
             (persistence == Persistence::kClose || body.kind == BodyFraming::Kind::kUntilClose)) {
    out += "Connection: close\r\n";
  }
  out += "\r\n";
}

}  // namespace ebbgate::http
