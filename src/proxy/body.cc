#include "proxy/body.h"

#include <algorithm>
#include <system_error>
#include <utility>

namespace ebbgate::proxy {
namespace {

constexpr std::size_t kGathered = 16 * 1024;  // octets that are worth a write of their own

Error broken(BodyTransfer& transfer, Broke side, std::errc error) {
  transfer.broke = side;
  transfer.io_error = error;
  if (error == std::errc::timed_out) return {Reason::kIdleTimeout, Side::kOrigin, {}};
  if (error == std::errc::operation_canceled) return {Reason::kDraining, Side::kSelf, {}};
  const bool source_is_client = transfer.blame.side == Side::kClient;
  const bool is_client = (side == Broke::kSource) == source_is_client;
  return {is_client ? Reason::kClientClosed : Reason::kOriginClosed,
          is_client ? Side::kClient : Side::kOrigin, std::make_error_code(error).message()};
}

bool is_unwanted(const BodyTransfer& transfer) {
  return transfer.is_unwanted != nullptr && *transfer.is_unwanted;
}

net::Task<Result<void>> write_out(BodyTransfer& transfer, std::string_view bytes) {
  if (is_unwanted(transfer)) {
    co_return std::unexpected(broken(transfer, Broke::kSink, std::errc::operation_canceled));
  }
  const Deadline deadline = transfer.sink.loop().after(transfer.idle);
  const auto written = co_await transfer.sink.write_all(bytes, deadline);
  if (!written) co_return std::unexpected(broken(transfer, Broke::kSink, written.error()));
  transfer.sent += bytes.size();
  co_return {};
}

// Writes `pending` and then `bytes`, in one call where that is cheap.
net::Task<Result<void>> write_with_pending(BodyTransfer& transfer, std::string_view bytes) {
  if (transfer.pending.empty()) co_return co_await write_out(transfer, bytes);
  transfer.pending += bytes;
  const std::string together = std::exchange(transfer.pending, {});
  co_return co_await write_out(transfer, together);
}

// Reads on. Out: whether octets came; false is the end of the stream.
net::Task<Result<bool>> read_on(BodyTransfer& transfer) {
  if (is_unwanted(transfer)) {
    co_return std::unexpected(broken(transfer, Broke::kSource, std::errc::operation_canceled));
  }
  const Deadline deadline = transfer.source.loop().after(transfer.idle);
  const auto got = co_await transfer.source.read_some(transfer.buffer.space(), deadline);
  if (!got) co_return std::unexpected(broken(transfer, Broke::kSource, got.error()));
  transfer.buffer.commit(*got);
  co_return *got > 0;
}

Error cut_short(BodyTransfer& transfer) {
  transfer.broke = Broke::kSource;
  const bool is_client = transfer.blame.side == Side::kClient;
  return {is_client ? Reason::kClientClosed : Reason::kOriginClosed, transfer.blame.side,
          "the body ended too early"};
}

// A body whose octets go on as they are: `left` of them, or all until the end of the stream.
net::Task<Result<void>> transfer_plain(BodyTransfer& transfer, std::uint64_t left,
                                       bool until_close) {
  while (left > 0 || until_close) {
    const std::string_view view = transfer.buffer.view();
    const std::size_t now =
        until_close ? view.size()
                    : static_cast<std::size_t>(std::min<std::uint64_t>(left, view.size()));
    if (now > 0) {
      auto written = co_await write_with_pending(transfer, view.substr(0, now));
      if (!written) co_return written;
      transfer.buffer.consume(now);
      left -= until_close ? 0 : now;
      continue;
    }
    if (!transfer.pending.empty()) {  // the head goes before the wait for the body
      auto written = co_await write_with_pending(transfer, {});
      if (!written) co_return written;
    }
    const auto more = co_await read_on(transfer);
    if (!more) co_return std::unexpected(more.error());
    if (!*more) {
      if (until_close) break;
      co_return std::unexpected(cut_short(transfer));
    }
  }
  if (transfer.pending.empty()) co_return {};
  co_return co_await write_with_pending(transfer, {});
}

net::Task<Result<void>> transfer_chunked(BodyTransfer& transfer) {
  http::ChunkedReader reader(transfer.output, transfer.blame);
  while (!reader.is_done()) {
    const auto step = reader.read(transfer.buffer.view());
    if (!step) {
      transfer.broke = Broke::kSource;
      co_return std::unexpected(step.error());
    }
    transfer.pending += step->onwards;
    transfer.buffer.consume(step->consumed);
    const bool needs_more = step->consumed == 0 && !step->done;
    const bool is_worth_a_write = transfer.pending.size() >= kGathered || needs_more || step->done;
    if (is_worth_a_write && !transfer.pending.empty()) {
      auto written = co_await write_with_pending(transfer, {});
      if (!written) co_return written;
    }
    if (!needs_more) continue;
    const auto more = co_await read_on(transfer);
    if (!more) co_return std::unexpected(more.error());
    if (!*more) co_return std::unexpected(cut_short(transfer));
  }
  co_return {};
}

}  // namespace

net::Task<Result<void>> transfer_body(BodyTransfer& transfer) {
  switch (transfer.framing.kind) {
    case http::BodyFraming::Kind::kChunked:
      return transfer_chunked(transfer);
    case http::BodyFraming::Kind::kUntilClose:
      return transfer_plain(transfer, 0, true);
    case http::BodyFraming::Kind::kLength:
      return transfer_plain(transfer, transfer.framing.length, false);
    case http::BodyFraming::Kind::kNone:
      break;
  }
  return transfer_plain(transfer, 0, false);
}

}  // namespace ebbgate::proxy
