// The head of a response (RFC 9112 4): read as strictly as a request's, since an origin must not
// choose where its message ends for one reader and not for the other.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "base/result.h"
#include "http/field.h"
#include "http/framing.h"
#include "http/head_lines.h"

namespace ebbgate::http {

// What a response has to be read against.
struct Asked {
  Method method = Method::kGet;
  bool upgrade = false;  // whether the request that was sent asks for a websocket
};

struct ResponseHead {
  Version version = Version::kHttp11;
  std::uint16_t status = 0;  // 100 to 599
  BodyFraming body;
  bool persistent = false;        // whether the origin will take another request after the body
  bool binds_connection = false;  // a Negotiate or NTLM challenge: see RequestHead
  // What Content-Length says where the message has no body: of HEAD and 304 only, to be passed on.
  std::optional<std::uint64_t> announced_length;
  Fields fields;

  // An interim response: another one follows (RFC 9110 15.2). 101 is none: HTTP ends with it.
  [[nodiscard]] bool is_interim() const { return status < 200 && status != 101; }
  [[nodiscard]] std::string_view reason_phrase() const;  // may be empty; may hold obs-text

  std::uint32_t reason_at = 0, reason_size = 0;  // where it stands in fields.octets()
};

// Reads heads from the buffer of one origin connection.
class ResponseReader {
 public:
  explicit ResponseReader(HeadLimits limits = {}) : limits_(limits) {}

  // As RequestReader::read. Refused as kOriginInvalid: what breaks the grammar, a head past the
  // limits, versions other than 1.0 and 1.1, a status outside 100 to 599, Content-Length beside
  // Transfer-Encoding, codings other than chunked, a body announced where there is none (1xx, 204),
  // and 101 that nobody asked for. A status line without a reason may lack the space before it.
  [[nodiscard]] Result<std::size_t> read(std::string_view buffered, const Asked& asked);

  // Good until the next call of read().
  [[nodiscard]] const ResponseHead& head() const { return head_; }
  [[nodiscard]] ResponseHead take() { return std::move(head_); }

 private:
  enum class At : std::uint8_t { kStart, kFields };
  [[nodiscard]] Result<void> status_line(std::string_view line, std::string_view buffered);

  HeadLimits limits_;
  HeadLines lines_;
  At at_ = At::kStart;
  ResponseHead head_;
};

}  // namespace ebbgate::http
