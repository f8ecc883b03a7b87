// A connected TCP socket in a conversation: read and write with a deadline, from coroutines. An
// operation that can complete at once does so without a system call more than its own.
#pragma once

#include <sys/socket.h>

#include <array>
#include <cstddef>
#include <expected>
#include <span>
#include <string_view>
#include <system_error>
#include <utility>

#include "base/authority.h"
#include "net/loop.h"
#include "net/task.h"

namespace ebbgate::net {

// What the kernel said, or std::errc::timed_out for a deadline and operation_canceled for the
// hard stop.
template <typename T>
using IoResult = std::expected<T, std::errc>;

// The socket address of an endpoint, and back.
struct SocketAddress {
  sockaddr_storage storage{};
  socklen_t size = sizeof storage;

  SocketAddress() = default;
  explicit SocketAddress(const Endpoint& endpoint);
  [[nodiscard]] Endpoint endpoint() const;  // 0.0.0.0:0 where it is neither IPv4 nor IPv6
  [[nodiscard]] sockaddr* get() { return reinterpret_cast<sockaddr*>(&storage); }
  [[nodiscard]] const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&storage); }
};

class Stream;

namespace detail {

// One operation of a Stream: tried at once, and again each time the descriptor reports.
class StreamOp {
 public:
  enum class Kind : std::uint8_t { kRead, kWrite, kConnect, kReadable };

  StreamOp(Stream& stream, Kind kind, void* data, std::size_t size, int flags, Deadline deadline);
  [[nodiscard]] bool await_ready();
  bool await_suspend(std::coroutine_handle<> frame);
  // Octets read (0 at the end of the stream); 0 for the others.
  IoResult<std::size_t> await_resume();

 private:
  friend class net::Stream;
  [[nodiscard]] bool attempt();  // whether it is done
  [[nodiscard]] bool attempt_read();
  [[nodiscard]] bool attempt_write();
  [[nodiscard]] bool attempt_connect();

  Stream* stream_;
  void* data_;
  std::size_t size_;
  Deadline deadline_;
  Kind kind_;
  int flags_;
  IoResult<std::size_t> result_ = 0;
  Wait wait_;
};

}  // namespace detail

class Stream {
 public:
  // Takes a connected, non-blocking socket.
  Stream(Loop& loop, int fd);
  // Takes a descriptor that is in the loop already, with what is known of its readiness.
  Stream(Loop& loop, Channel& channel);
  Stream(Stream&& other) noexcept;
  Stream& operator=(Stream&& other) noexcept;
  ~Stream() { close(); }

  // Connects by the deadline. Out: the stream, or the kernel's refusal.
  [[nodiscard]] static Task<IoResult<Stream>> connect(Loop& loop, Endpoint to, Deadline deadline);

  // Reads what is there, at most `buffer.size()` octets; 0 is the end of the stream.
  [[nodiscard]] detail::StreamOp read_some(std::span<char> buffer, Deadline deadline) {
    return {*this, detail::StreamOp::Kind::kRead, buffer.data(), buffer.size(), 0, deadline};
  }
  // Waits until a read is worth trying; reads nothing, so that no buffer is held meanwhile.
  [[nodiscard]] detail::StreamOp until_readable(Deadline deadline) {
    return {*this, detail::StreamOp::Kind::kReadable, nullptr, 0, 0, deadline};
  }
  // Writes all of it; `bytes` must stay until the operation ends. kMore tells the kernel that more
  // follows at once. An error says nothing of how much was written before it.
  enum class Then : bool { kFlush, kMore };
  [[nodiscard]] detail::StreamOp write_all(std::string_view bytes, Deadline deadline,
                                           Then then = Then::kFlush) {
    return {*this,        detail::StreamOp::Kind::kWrite,     const_cast<char*>(bytes.data()),
            bytes.size(), then == Then::kMore ? MSG_MORE : 0, deadline};
  }

  // Ends what is being waited for on this stream with operation_canceled.
  void cancel();

  void shutdown_write();
  void close();
  // Closing sends a reset, which tells the other side that the stream was cut and not finished.
  void reset();

  [[nodiscard]] bool is_open() const { return channel_ != nullptr; }
  [[nodiscard]] int fd() const { return channel_->fd; }
  [[nodiscard]] Loop& loop() const { return *loop_; }
  // Whether the other side has closed, as far as is known without asking the kernel again.
  [[nodiscard]] bool peer_is_done() const { return channel_->peer_is_done; }

  // Whether the connection has not been reset or given up by the kernel (keep-alive probes that
  // nobody answers); asks the kernel. A half-closed one is still there.
  [[nodiscard]] bool is_alive() const;

  [[nodiscard]] Endpoint local() const;
  [[nodiscard]] Endpoint remote() const;

  // Hands the descriptor over: the stream is empty afterwards.
  [[nodiscard]] Channel& release();

 private:
  friend class detail::StreamOp;
  static void on_ready(Channel& channel, std::uint32_t events);
  void adopt();

  Loop* loop_;
  Channel* channel_ = nullptr;
  detail::StreamOp* reader_ = nullptr;
  detail::StreamOp* writer_ = nullptr;
};

}  // namespace ebbgate::net
