// A descriptor on its way to whoever will hold it: closed where it gets lost on the way, such as
// for want of memory.
#pragma once

#include <unistd.h>

#include <utility>

namespace ebbgate::net {

class OwnedFd {
 public:
  explicit OwnedFd(int fd) : fd_(fd) {}
  OwnedFd(OwnedFd&& other) noexcept : fd_(other.release()) {}
  OwnedFd& operator=(OwnedFd&&) = delete;
  ~OwnedFd() {
    if (fd_ >= 0) ::close(fd_);
  }

  [[nodiscard]] int release() { return std::exchange(fd_, -1); }

 private:
  int fd_;
};

}  // namespace ebbgate::net
