#include "https/detail/connection.h"

#include <sys/socket.h>

#include <cerrno>
#include <system_error>
#include <utility>

namespace ebbgate::https::detail {
namespace {

constexpr std::size_t kReadSize = 16 * 1024;  // octets: a TLS record

Error of_io(std::errc error) {
  if (error == std::errc::timed_out) return {Reason::kTimedOut, Side::kOrigin, "nothing came"};
  if (error == std::errc::operation_canceled) return {Reason::kDraining, Side::kSelf, "stopped"};
  return {Reason::kOriginClosed, Side::kOrigin, std::make_error_code(error).message()};
}

}  // namespace

net::Task<Result<bool>> Connection::read_on(Deadline deadline) {
  if (used_ > 0) buffer_.erase(0, std::exchange(used_, 0));
  const std::size_t before = buffer_.size();
  buffer_.resize(before + kReadSize);
  const std::span<char> space(buffer_.data() + before, kReadSize);
  Result<std::size_t> got = 0;
  if (auto* secure = std::get_if<tls::Stream>(&stream_)) {
    got = co_await secure->read_some(space, deadline);
  } else {
    const auto read = co_await std::get<net::Stream>(stream_).read_some(space, deadline);
    got = read ? Result<std::size_t>(*read) : std::unexpected(of_io(read.error()));
  }
  buffer_.resize(before + got.value_or(0));
  if (!got) co_return std::unexpected(std::move(got.error()));
  co_return *got > 0;
}

net::Task<Result<void>> Connection::write_all(std::string_view bytes, Deadline deadline) {
  if (auto* secure = std::get_if<tls::Stream>(&stream_)) {
    co_return co_await secure->write_all(bytes, deadline);
  }
  const auto written = co_await std::get<net::Stream>(stream_).write_all(bytes, deadline);
  if (!written) co_return std::unexpected(of_io(written.error()));
  co_return {};
}

bool Connection::is_quiet() {
  if (!buffered().empty()) return false;
  if (auto* secure = std::get_if<tls::Stream>(&stream_)) return secure->is_quiet();
  char octet = 0;
  const auto got = ::recv(std::get<net::Stream>(stream_).fd(), &octet, 1, MSG_PEEK | MSG_DONTWAIT);
  return got < 0 && (errno == EAGAIN || errno == EINTR);
}

}  // namespace ebbgate::https::detail
