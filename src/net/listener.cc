#include "net/listener.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <limits>
#include <new>
#include <string>

#include "net/stream.h"

namespace ebbgate::net {
namespace {

template <typename Value>
bool set_option(int fd, int level, int name, Value value) {
  return ::setsockopt(fd, level, name, &value, sizeof value) == 0;
}

std::unexpected<Error> failed(const char* call, const Endpoint& at, int fd) {
  const int error = errno;
  if (fd >= 0) ::close(fd);
  return fail(Reason::kInternal, Side::kSelf,
              "cannot listen on " + at.str() + ": " + call + ": " + std::strerror(error));
}

}  // namespace

void set_keepalive(int fd, Duration idle) {
  if (idle <= Duration::zero()) return;
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(idle).count();
  const int first = static_cast<int>(std::clamp<std::int64_t>(seconds, 1, 32767));
  set_option(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
  set_option(fd, IPPROTO_TCP, TCP_KEEPIDLE, first);
  set_option(fd, IPPROTO_TCP, TCP_KEEPINTVL, std::max(1, first / 4));
}

Result<int> open_listener(const Endpoint& at, const ListenOptions& options) {
  const int fd = ::socket(at.address.is_v4() ? AF_INET : AF_INET6,
                          SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP);
  if (fd < 0) return failed("socket", at, fd);
  if (!set_option(fd, SOL_SOCKET, SO_REUSEADDR, 1) ||
      !set_option(fd, SOL_SOCKET, SO_REUSEPORT, 1)) {
    return failed("setsockopt", at, fd);
  }
  if (at.address.is_v6() && !set_option(fd, IPPROTO_IPV6, IPV6_V6ONLY, 0)) {
    return failed("setsockopt", at, fd);
  }
  set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
  set_keepalive(fd, options.keepalive);
  if (options.clients_speak_first) set_option(fd, IPPROTO_TCP, TCP_DEFER_ACCEPT, 1);  // seconds
  const SocketAddress address(at);
  if (::bind(fd, address.get(), address.size) != 0) return failed("bind", at, fd);
  if (::listen(fd, options.backlog) != 0) return failed("listen", at, fd);
  return fd;
}

Listener::Listener(Loop& loop, int fd, OnAccept on_accept, OnExhausted on_exhausted)
    : loop_(&loop),
      channel_(&loop.open(fd)),
      on_accept_(std::move(on_accept)),
      on_exhausted_(std::move(on_exhausted)) {
  channel_->handler = &Listener::on_ready;
  channel_->owner = this;
}

Listener::~Listener() {
  if (channel_ != nullptr) loop_->close(*channel_);
}

bool Listener::start() {
  return loop_->watch(*channel_, EPOLLIN | EPOLLET);
}

void Listener::accept_silent_clients() {
  if (channel_ != nullptr) set_option(channel_->fd, IPPROTO_TCP, TCP_DEFER_ACCEPT, 0);
}

void Listener::close() {
  if (channel_ == nullptr) return;
  accept_some(std::numeric_limits<int>::max());
  pause_.disarm();
  loop_->close(*channel_);
  channel_ = nullptr;
}

void Listener::abandon() {
  if (channel_ == nullptr) return;
  pause_.disarm();
  // Closing takes a descriptor out of epoll only with its last copy.
  loop_->unwatch(*channel_);
  loop_->close(*channel_);
  channel_ = nullptr;
}

Endpoint Listener::local() const {
  SocketAddress address;
  if (::getsockname(fd(), address.get(), &address.size) != 0) return {};
  return address.endpoint();
}

int Listener::fd() const {
  return channel_->fd;
}

void Listener::on_ready(Channel& channel, std::uint32_t /*events*/) {
  auto& self = *static_cast<Listener*>(channel.owner);
  if (!self.pause_.is_armed()) self.accept_some(kBurst);
}

void Listener::on_pause_over(void* self) {
  static_cast<Listener*>(self)->accept_some(kBurst);
}

void Listener::accept_some(int most) {
  for (int i = 0; i < most; ++i) {
    SocketAddress from;
    const int fd = ::accept4(channel_->fd, from.get(), &from.size, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd >= 0) {
      if (is_exhausted_) {
        is_exhausted_ = false;
        on_exhausted_(false, 0);
      }
      try {
        on_accept_(fd, from.endpoint());
      } catch (const std::bad_alloc&) {  // those behind it in the queue have a right to their turn
        if (loop_->on_out_of_memory) loop_->on_out_of_memory();
      }
      if (channel_ == nullptr) return;  // closed by what it called
      continue;
    }
    switch (errno) {
      case EAGAIN:
        return;
      case EMFILE:
      case ENFILE:
      case ENOBUFS:
      case ENOMEM:
        // Clients wait in the kernel's queue; trying at once again would only spin.
        if (!is_exhausted_) {
          is_exhausted_ = true;
          on_exhausted_(true, errno);
        }
        loop_->arm(pause_, loop_->after(kPause));
        return;
      default:
        continue;  // that one connection is gone already (ECONNABORTED and the like)
    }
  }
  loop_->again_soon(*channel_, EPOLLIN);
}

}  // namespace ebbgate::net
