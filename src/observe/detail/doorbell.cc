#include "observe/detail/doorbell.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <array>
#include <cstdint>
#include <system_error>

namespace ebbgate::observe {

Doorbell::Doorbell() : event_fd_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  if (event_fd_ < 0) throw std::system_error(errno, std::system_category(), "eventfd");
}

Doorbell::~Doorbell() {
  ::close(event_fd_);
}

void Doorbell::ring() {
  const std::uint64_t one = 1;
  // It can only fail when the bell already rings.
  [[maybe_unused]] const ssize_t written = ::write(event_fd_, &one, sizeof one);
}

bool Doorbell::wait(Duration timeout, int writable_fd) {
  std::array<pollfd, 2> fds = {pollfd{event_fd_, POLLIN, 0}, pollfd{writable_fd, POLLOUT, 0}};
  timespec relative{};
  if (timeout != kForever) {
    const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(timeout);
    relative.tv_sec = seconds.count();
    relative.tv_nsec = (timeout - seconds).count();
  }
  if (::ppoll(fds.data(), fds.size(), timeout == kForever ? nullptr : &relative, nullptr) <= 0) {
    return false;
  }
  if (fds[0].revents != 0) {
    std::uint64_t rings = 0;
    [[maybe_unused]] const ssize_t read = ::read(event_fd_, &rings, sizeof rings);
  }
  return fds[1].revents != 0;
}

}  // namespace ebbgate::observe
