// Where a message ends and whether the connection lives on (RFC 9112 6.3 and 9.3): the facts about
// one message that both heads share.
#pragma once

#include <cstdint>

namespace ebbgate::http {

enum class Version : std::uint8_t { kHttp10, kHttp11 };

enum class Method : std::uint8_t {
  kGet,
  kHead,
  kPost,
  kPut,
  kDelete,
  kConnect,
  kOptions,
  kTrace,
  kPatch,
  kOther,
};

// How the body of one message is delimited.
struct BodyFraming {
  enum class Kind : std::uint8_t { kNone, kLength, kChunked, kUntilClose };
  Kind kind = Kind::kNone;
  std::uint64_t length = 0;  // octets; of kLength only, where it may be 0

  [[nodiscard]] static constexpr BodyFraming none() { return {}; }
  [[nodiscard]] static constexpr BodyFraming of(std::uint64_t octets) {
    return {Kind::kLength, octets};
  }
  [[nodiscard]] static constexpr BodyFraming chunked() { return {Kind::kChunked, 0}; }
  [[nodiscard]] static constexpr BodyFraming until_close() { return {Kind::kUntilClose, 0}; }

  // Whether no octet of a body follows the head.
  [[nodiscard]] constexpr bool is_empty() const {
    return kind == Kind::kNone || (kind == Kind::kLength && length == 0);
  }
  bool operator==(const BodyFraming&) const = default;
};

// What becomes of a connection after the message that is being written.
enum class Persistence : std::uint8_t { kKeepAlive, kClose };

// How large a head may be. Past `octets`, and past `fields`, it is refused: a request with
// kHeadTooLarge, a response with kOriginInvalid.
struct HeadLimits {
  std::uint32_t octets = 64 * 1024;
  std::uint32_t fields = 256;
};

}  // namespace ebbgate::http
