// A message body from one connection to another, as it streams: what was read ahead first, then
// block by block, each written before the next is read (back-pressure).
#pragma once

#include <cstdint>
#include <string>

#include "base/result.h"
#include "http/chunked.h"
#include "http/framing.h"
#include "net/stream.h"
#include "net/task.h"
#include "proxy/read_buffer.h"

namespace ebbgate::proxy {

// Where a body transfer broke off.
enum class Broke : std::uint8_t { kNot, kSource, kSink };

struct BodyTransfer {
  net::Stream& source;
  ReadBuffer& buffer;  // what was read of the source, and will be
  net::Stream& sink;
  http::BodyFraming framing;  // as the source sends it
  http::ChunkedReader::Output output = http::ChunkedReader::Output::kChunked;
  http::Blame blame;    // for what breaks the chunked coding
  Duration idle;        // for each read and each write
  std::string pending;  // goes to the sink first, such as the message's head
  // Once true, no further read or write begins. Stream::cancel() ends the one under way, and finds
  // none where that has just ended and the transfer is about to begin the next.
  const bool* is_unwanted = nullptr;

  std::uint64_t sent = 0;  // octets written to the sink, `pending` included
  Broke broke = Broke::kNot;
  std::errc io_error{};
};

// Transfers the whole body; `transfer` is good until the task ends. Errors: `blame` for a body that
// breaks its framing or ends too early; kIdleTimeout; kClientClosed or kOriginClosed by who broke
// off, which `transfer.broke` says, too.
[[nodiscard]] net::Task<Result<void>> transfer_body(BodyTransfer& transfer);

}  // namespace ebbgate::proxy
