// What the tests of every folder with coroutines need: a task run to its end on a loop, sockets on
// loopback addresses, and a process that has run out of descriptors. Nothing else includes it.
#pragma once

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdint>
#include <cstdlib>
#include <exception>
#include <memory>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

#include "base/authority.h"
#include "net/loop.h"
#include "net/stream.h"
#include "net/task.h"

namespace ebbgate::net::testing {

[[nodiscard]] inline std::unique_ptr<Loop> make_loop() {
  auto loop = Loop::make();
  if (!loop) std::abort();
  return *std::move(loop);
}

inline void abort_on_failure(const std::exception_ptr& /*failure*/) {
  std::abort();
}

inline Task<void> then_stop(Loop& loop, Task<void> task) {
  co_await task;
  loop.stop();
}

// Starts `task`, whose end stops the loop.
inline void spawn_to_stop(Loop& loop, Task<void> task) {
  spawn(then_stop(loop, std::move(task)), abort_on_failure);
}

// Starts `task` and serves the loop until it has ended. Once for each loop.
inline void run_to_end(Loop& loop, Task<void> task) {
  spawn_to_stop(loop, std::move(task));
  loop.run();
}

[[nodiscard]] inline IpAddress ip(std::string_view text) {
  return *IpAddress::parse(text);
}

// A blocking TCP socket of the test's own, closed at the end of its scope.
class Socket {
 public:
  explicit Socket(int fd) : fd_(fd) {}
  Socket(Socket&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Socket& operator=(Socket&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~Socket() { close(); }

  // Listens on a free port, or on the one given.
  [[nodiscard]] static Socket listening(const IpAddress& address, std::uint16_t port = 0,
                                        int backlog = 128) {
    Socket socket(open(address));
    const int on = 1;
    ::setsockopt(socket.fd_, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    const SocketAddress at(Endpoint{address, port});
    if (::bind(socket.fd_, at.get(), at.size) != 0) return Socket(-1);
    if (::listen(socket.fd_, backlog) != 0) return Socket(-1);
    return socket;
  }
  [[nodiscard]] static Socket connected(const Endpoint& to) {
    Socket socket(open(to.address));
    const SocketAddress address(to);
    if (::connect(socket.fd_, address.get(), address.size) != 0) return Socket(-1);
    return socket;
  }
  [[nodiscard]] Socket accept() const { return Socket(::accept4(fd_, nullptr, nullptr, 0)); }

  [[nodiscard]] bool is_open() const { return fd_ >= 0; }
  [[nodiscard]] int fd() const { return fd_; }
  [[nodiscard]] int release() { return std::exchange(fd_, -1); }
  [[nodiscard]] Endpoint local() const {
    SocketAddress address;
    ::getsockname(fd_, address.get(), &address.size);
    return address.endpoint();
  }
  void close() {
    if (fd_ >= 0) ::close(std::exchange(fd_, -1));
  }

 private:
  static int open(const IpAddress& address) {
    return ::socket(address.is_v4() ? AF_INET : AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
  }
  int fd_;
};

// Two ends of one connection over loopback, both non-blocking.
[[nodiscard]] inline std::array<int, 2> connected_pair() {
  const Socket listener = Socket::listening(ip("127.0.0.1"));
  Socket one = Socket::connected(listener.local());
  const int other = ::accept4(listener.fd(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
  const int fd = one.release();
  if (::fcntl(fd, F_SETFL, O_NONBLOCK) != 0 || other < 0) std::abort();
  return {fd, other};
}

// While it lives, the process can open no descriptor.
class NoDescriptors {
 public:
  NoDescriptors() {
    // UBSan opens pipes when it meets a class with virtual functions for the first time.
    [[maybe_unused]] const std::string met = std::generic_category().message(EMFILE);
    ::getrlimit(RLIMIT_NOFILE, &before_);
    const int lowest_free = ::dup(0);
    ::close(lowest_free);
    rlimit none = before_;
    none.rlim_cur = static_cast<rlim_t>(lowest_free);
    ::setrlimit(RLIMIT_NOFILE, &none);
  }
  NoDescriptors(const NoDescriptors&) = delete;
  NoDescriptors& operator=(const NoDescriptors&) = delete;
  ~NoDescriptors() { ::setrlimit(RLIMIT_NOFILE, &before_); }

 private:
  rlimit before_{};
};

}  // namespace ebbgate::net::testing
