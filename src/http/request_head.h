// The head of a request (RFC 9112 3): what the client asks for, read once into values that cannot
// be misread later. Whatever two readers could take for different messages is refused here.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/authority.h"
#include "base/result.h"
#include "http/field.h"
#include "http/framing.h"
#include "http/head_lines.h"

namespace ebbgate::http {

// The four forms of a request target (RFC 9112 3.2).
enum class TargetForm : std::uint8_t { kOrigin, kAbsolute, kAuthority, kAsterisk };

struct RequestTarget {
  TargetForm form = TargetForm::kOrigin;
  // Of kAbsolute (port 80 where the URI names none) and kAuthority.
  std::optional<Authority> authority;
  // What the origin is asked for: path and query in origin-form, or `*`. Empty for kAuthority.
  std::string path;

  bool operator==(const RequestTarget&) const = default;
};

// A request target of `method`: authority-form for CONNECT and only there, `*` for OPTIONS only,
// absolute-form with the scheme http. Refused as kMalformedRequest: all else, userinfo, a fragment,
// octets outside visible ASCII. An absolute URI with an empty path asks for `/`, and with OPTIONS
// for
// `*` (RFC 9112 3.2.4).
[[nodiscard]] Result<RequestTarget> parse_target(Method method, std::string_view text);

// The value of Host: a port only where it was written.
struct HostField {
  Host host;
  std::optional<Port> port;
  bool operator==(const HostField&) const = default;
};

struct RequestHead {
  Method method = Method::kOther;
  Version version = Version::kHttp11;
  RequestTarget target;
  std::optional<HostField> host;  // always there in HTTP/1.1
  BodyFraming body;               // kNone, kLength or kChunked
  bool persistent = false;        // whether the client would send another request (RFC 9112 9.3)
  bool expects_continue = false;  // Expect: 100-continue, of HTTP/1.1
  bool upgrade = false;           // asks for the websocket protocol; no other upgrade is accepted
  bool accepts_trailers = false;  // TE: trailers
  // Carries Negotiate or NTLM credentials, which authenticate a connection and not a request: the
  // origin connection that it goes on is this client's from now on.
  bool binds_connection = false;
  std::optional<std::uint64_t> max_forwards;  // of TRACE and OPTIONS only (RFC 9110 7.6.2)
  Fields fields;

  [[nodiscard]] std::string_view method_name() const;
  [[nodiscard]] std::string_view target_text() const;  // as the client wrote it

  // Where they stand in fields.octets(), which may begin with an empty line.
  std::uint32_t method_at = 0, method_size = 0, target_at = 0, target_size = 0;
};

// Reads heads, one after the other, from the buffer of one connection.
class RequestReader {
 public:
  explicit RequestReader(HeadLimits limits = {}) : limits_(limits) {}

  // In: the octets received since the last head (and its body) ended; while a head is incomplete
  // the next call gets the same octets and more. Out: how many of them the head takes, 0 while it
  // is incomplete; once not 0, head() is it, and the next call begins the next head. One empty line
  // before the request line is ignored (RFC 9112 2.2), a second one refused. Refused:
  // kHeadTooLarge, and kMalformedRequest with a sentence that says what is wrong. What cannot
  // become a request is refused as soon as it is seen, not only at the head's end.
  [[nodiscard]] Result<std::size_t> read(std::string_view buffered);

  // Good until the next call of read(). After a refusal it has what was read until then, for the
  // log only: method_name() and target_text() may be empty, and nothing else in it is to be
  // trusted.
  [[nodiscard]] const RequestHead& head() const { return head_; }
  [[nodiscard]] RequestHead take() { return std::move(head_); }

 private:
  enum class At : std::uint8_t { kStart, kRequestLine, kFields };
  void begin();
  [[nodiscard]] Result<std::size_t> read_lines(std::string_view buffered);
  [[nodiscard]] Result<void> request_line(std::string_view line, std::string_view buffered);

  HeadLimits limits_;
  HeadLines lines_;
  At at_ = At::kStart;
  RequestHead head_;
};

// Whom a request asks for, on a listener that clients know as a proxy: the target's authority.
// Refused as kMalformedRequest: origin-form and `*`.
[[nodiscard]] Result<Authority> asked_of_proxy(const RequestHead& head);

// Whom a request asks for that believes to be talking to the origin on `port`, inside a tunnel or
// in transparent mode: the Host field. Refused as kMalformedRequest: any form but origin-form and
// `*`, a Host that is missing or names another port (none means `port`).
[[nodiscard]] Result<Authority> asked_of_origin(const RequestHead& head, Port port);

}  // namespace ebbgate::http
