// The chunked transfer coding (RFC 9112 7.1), read while it passes: octets in, the stretches of
// them that go on out. Nothing is copied, and nothing goes on before it was found valid.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "base/result.h"
#include "http/field.h"

namespace ebbgate::http {

class ChunkedReader {
 public:
  enum class Output : std::uint8_t {
    kChunked,  // the same coding: for a peer that is sent Transfer-Encoding: chunked
    kDecoded,  // the body alone: for a peer of HTTP/1.0, or to be used here
  };
  explicit ChunkedReader(Output output, const Blame& blame) : output_(output), blame_(blame) {}

  struct Step {
    std::size_t consumed = 0;  // octets of `input` that are dealt with; 0: more input is needed
    std::string_view onwards;  // those among them that go on; may be empty
    bool done = false;         // the message ends after `consumed`
  };

  // Reads on. In: what came and was not consumed yet (a line that is incomplete stays with the
  // caller until it is whole; it is never longer than kMaxLine). Call until `consumed` is 0, the
  // input is used up, or `done`.
  // Chunk extensions do not go on (RFC 9112 7.1.1 has them ignored by who does not know them, and
  // readers disagree about where they end). A trailer field goes on unless it is one that must not
  // come so late: what authenticates, modifies or describes the message.
  // Refused: a size that is no hexadecimal number or exceeds 2^63-1 octets, any line end but CRLF,
  // an extension or trailer field past kMaxLine, trailers past kMaxTrailers, a trailer field that
  // breaks the grammar, or frames or routes the message or speaks of the connection:
  // Content-Length, Host, Transfer-Encoding, Connection and the others that end at this hop.
  [[nodiscard]] Result<Step> read(std::string_view input);

  [[nodiscard]] bool is_done() const { return at_ == At::kDone; }
  // Octets of the body so far, decoded.
  [[nodiscard]] std::uint64_t body_octets() const { return body_octets_; }

  static constexpr std::size_t kMaxLine = 4096;       // octets of one size line or trailer field
  static constexpr std::size_t kMaxTrailers = 16384;  // octets of all trailer fields

 private:
  enum class At : std::uint8_t { kSize, kSizeEnd, kData, kDataEnd, kTrailers, kDone };

  [[nodiscard]] Result<std::optional<std::string_view>> line(std::string_view input) const;
  [[nodiscard]] Result<std::size_t> size_line(std::string_view text);
  [[nodiscard]] Result<bool> trailer_line(std::string_view text);

  Output output_;
  Blame blame_;
  At at_ = At::kSize;
  std::uint64_t left_ = 0;  // octets of the current chunk that are still to come
  std::uint64_t body_octets_ = 0;
  std::size_t trailer_octets_ = 0;
};

}  // namespace ebbgate::http
