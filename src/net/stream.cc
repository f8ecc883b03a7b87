#include "net/stream.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>

#include <algorithm>
#include <cassert>
#include <cerrno>
#include <cstring>

namespace ebbgate::net {

SocketAddress::SocketAddress(const Endpoint& endpoint) {
  if (endpoint.address.is_v4()) {
    auto& in = reinterpret_cast<sockaddr_in&>(storage);
    in.sin_family = AF_INET;
    in.sin_port = htons(endpoint.port);
    in.sin_addr.s_addr = htonl(endpoint.address.v4_value());
    size = sizeof in;
  } else {
    auto& in6 = reinterpret_cast<sockaddr_in6&>(storage);
    in6.sin6_family = AF_INET6;
    in6.sin6_port = htons(endpoint.port);
    std::memcpy(&in6.sin6_addr, endpoint.address.bytes().data(), 16);
    size = sizeof in6;
  }
}

Endpoint SocketAddress::endpoint() const {
  if (storage.ss_family == AF_INET) {
    const auto& in = reinterpret_cast<const sockaddr_in&>(storage);
    return {IpAddress::v4(ntohl(in.sin_addr.s_addr)), ntohs(in.sin_port)};
  }
  if (storage.ss_family == AF_INET6) {
    const auto& in6 = reinterpret_cast<const sockaddr_in6&>(storage);
    std::array<std::uint8_t, 16> bytes{};
    std::memcpy(bytes.data(), &in6.sin6_addr, 16);
    // A dual-stack listener reports IPv4 clients as mapped addresses.
    return {IpAddress::v6(bytes).unmapped(), ntohs(in6.sin6_port)};
  }
  return {};
}

namespace detail {

StreamOp::StreamOp(Stream& stream, Kind kind, void* data, std::size_t size, int flags,
                   Deadline deadline)
    : stream_(&stream),
      data_(data),
      size_(size),
      deadline_(deadline),
      kind_(kind),
      flags_(flags),
      wait_(stream.loop()) {}

bool StreamOp::attempt() {
  switch (kind_) {
    case Kind::kRead:
      return stream_->channel_->may_read && attempt_read();
    case Kind::kReadable:
      return stream_->channel_->is_registered && stream_->channel_->may_read;
    case Kind::kWrite:
      return stream_->channel_->may_write && attempt_write();
    case Kind::kConnect:
      return stream_->channel_->may_write && attempt_connect();
  }
  return true;
}

bool StreamOp::attempt_read() {
  Channel& channel = *stream_->channel_;
  ssize_t got = 0;
  do {
    got = ::recv(channel.fd, data_, size_, 0);
  } while (got < 0 && errno == EINTR);
  if (got < 0) {
    if (errno == EAGAIN) {
      channel.may_read = false;
      return false;
    }
    result_ = std::unexpected(std::errc(errno));
    return true;
  }
  const auto count = static_cast<std::size_t>(got);
  // A short read has emptied the socket, and whatever comes later epoll will report, be it when the
  // socket is registered: the read that would only say "would block" is saved. An end that was
  // reported already still waits.
  if (count > 0 && count < size_ && !channel.peer_is_done) channel.may_read = false;
  result_ = count;
  return true;
}

bool StreamOp::attempt_write() {
  Channel& channel = *stream_->channel_;
  while (size_ > 0) {
    const ssize_t sent = ::send(channel.fd, data_, size_, MSG_NOSIGNAL | flags_);
    if (sent >= 0) {
      data_ = static_cast<char*>(data_) + sent;
      size_ -= static_cast<std::size_t>(sent);
      if (size_ == 0) break;
      channel.may_write = false;  // it took a part: its buffer is full
      return false;
    } else if (errno == EAGAIN) {
      channel.may_write = false;
      return false;
    } else if (errno != EINTR) {
      result_ = std::unexpected(std::errc(errno));
      return true;
    }
  }
  return true;
}

bool StreamOp::attempt_connect() {
  // Writable and not broken is connected; only the other case needs the kernel's word.
  if (!stream_->channel_->peer_is_done) return true;
  int error = 0;
  socklen_t size = sizeof error;
  ::getsockopt(stream_->channel_->fd, SOL_SOCKET, SO_ERROR, &error, &size);
  if (error != 0) result_ = std::unexpected(std::errc(error));
  return true;
}

bool StreamOp::await_ready() {
  return stream_->loop().may_complete_now() && attempt();
}

bool StreamOp::await_suspend(std::coroutine_handle<> frame) {
  Loop& loop = stream_->loop();
  Channel& channel = *stream_->channel_;
  // Nobody has looked yet: registering reports what is there.
  if (kind_ == Kind::kReadable && !channel.is_registered) channel.may_read = false;
  const bool is_read = kind_ == Kind::kRead || kind_ == Kind::kReadable;
  if (!(is_read ? loop.watch(channel) : loop.watch_writable(channel))) {
    result_ = std::unexpected(std::errc(errno));
    return false;
  }
  // The turn was used up rather than the socket empty: come back to it.
  if (is_read ? channel.may_read : channel.may_write) loop.again_soon(channel, 0);
  StreamOp*& place = is_read ? stream_->reader_ : stream_->writer_;
  assert(place == nullptr);
  place = this;
  wait_.begin(frame, deadline_);
  return true;
}

IoResult<std::size_t> StreamOp::await_resume() {
  if (stream_->reader_ == this) stream_->reader_ = nullptr;
  if (stream_->writer_ == this) stream_->writer_ = nullptr;
  switch (wait_.end()) {
    case Wait::End::kTimedOut:
      return std::unexpected(std::errc::timed_out);
    case Wait::End::kStopped:
      return std::unexpected(std::errc::operation_canceled);
    default:
      return result_;
  }
}

}  // namespace detail

Stream::Stream(Loop& loop, int fd) : loop_(&loop), channel_(&loop.open(fd)) {
  adopt();
}

Stream::Stream(Loop& loop, Channel& channel) : loop_(&loop), channel_(&channel) {
  adopt();
}

Stream::Stream(Stream&& other) noexcept
    : loop_(other.loop_), channel_(std::exchange(other.channel_, nullptr)) {
  assert(other.reader_ == nullptr && other.writer_ == nullptr);
  adopt();
}

Stream& Stream::operator=(Stream&& other) noexcept {
  assert(reader_ == nullptr && writer_ == nullptr);
  assert(other.reader_ == nullptr && other.writer_ == nullptr);
  if (this == &other) return *this;
  close();
  loop_ = other.loop_;
  channel_ = std::exchange(other.channel_, nullptr);
  adopt();
  return *this;
}

void Stream::adopt() {
  if (channel_ == nullptr) return;
  channel_->handler = &Stream::on_ready;
  channel_->owner = this;
}

void Stream::on_ready(Channel& channel, std::uint32_t /*events*/) {
  auto& self = *static_cast<Stream*>(channel.owner);
  const auto serve = [](detail::StreamOp*& place) {
    // A wait that has timed out in this turn must not take octets that nobody will see.
    if (place == nullptr || place->wait_.end() != Wait::End::kPending) return;
    if (!place->attempt()) return;
    detail::StreamOp& op = *std::exchange(place, nullptr);
    op.wait_.finish(Wait::End::kHappened);
  };
  serve(self.reader_);
  serve(self.writer_);
}

Task<IoResult<Stream>> Stream::connect(Loop& loop, Endpoint to, Deadline deadline) {
  const int fd = ::socket(to.address.is_v4() ? AF_INET : AF_INET6,
                          SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP);
  if (fd < 0) co_return std::unexpected(std::errc(errno));
  Stream stream(loop, fd);
  const int on = 1;
  ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  const SocketAddress address(to);
  // Nothing can be there to be read yet; epoll reports it when it comes.
  stream.channel_->may_read = false;
  if (::connect(fd, address.get(), address.size) != 0) {
    if (errno != EINPROGRESS) co_return std::unexpected(std::errc(errno));
    stream.channel_->may_write = false;
    detail::StreamOp op(stream, detail::StreamOp::Kind::kConnect, nullptr, 0, 0, deadline);
    const auto connected = co_await op;
    if (!connected) co_return std::unexpected(connected.error());
  }
  co_return stream;
}

void Stream::cancel() {
  for (detail::StreamOp** place : {&reader_, &writer_}) {
    if (*place != nullptr) std::exchange(*place, nullptr)->wait_.finish(Wait::End::kStopped);
  }
}

void Stream::shutdown_write() {
  ::shutdown(channel_->fd, SHUT_WR);
}

void Stream::close() {
  if (channel_ == nullptr) return;
  loop_->close(*channel_);
  channel_ = nullptr;
}

void Stream::reset() {
  if (channel_ == nullptr) return;
  const linger immediately{.l_onoff = 1, .l_linger = 0};
  ::setsockopt(channel_->fd, SOL_SOCKET, SO_LINGER, &immediately, sizeof immediately);
  close();
}

Channel& Stream::release() {
  assert(reader_ == nullptr && writer_ == nullptr);
  Channel& channel = *std::exchange(channel_, nullptr);
  channel.handler = nullptr;
  channel.owner = nullptr;
  return channel;
}

bool Stream::is_alive() const {
  tcp_info info{};
  socklen_t size = sizeof info;
  return ::getsockopt(channel_->fd, IPPROTO_TCP, TCP_INFO, &info, &size) != 0 ||
         info.tcpi_state != TCP_CLOSE;
}

Endpoint Stream::local() const {
  SocketAddress address;
  if (::getsockname(channel_->fd, address.get(), &address.size) != 0) return {};
  return address.endpoint();
}

Endpoint Stream::remote() const {
  SocketAddress address;
  if (::getpeername(channel_->fd, address.get(), &address.size) != 0) return {};
  return address.endpoint();
}

}  // namespace ebbgate::net
