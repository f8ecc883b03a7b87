// Pipes for splice(2): bytes go from socket to socket without being copied to user space. A tunnel
// borrows one only while bytes are moving; the pool keeps a few for the next.
#pragma once

#include <cstddef>
#include <vector>

namespace ebbgate::net {

struct Pipe {
  int read_end = -1;
  int write_end = -1;
  [[nodiscard]] bool is_open() const { return read_end >= 0; }
};

class PipePool {
 public:
  // At most `most` pipes exist at once; `keep` of them stay open while unused.
  PipePool(std::size_t most, std::size_t keep) : most_(most), keep_(keep) {
    unused_.reserve(keep);  // so that giving back cannot fail
  }
  PipePool(const PipePool&) = delete;
  PipePool& operator=(const PipePool&) = delete;
  ~PipePool();

  // An empty pipe; one that is not open where there is no more to be had, and the caller copies.
  [[nodiscard]] Pipe take();
  // Takes back a pipe, which has to be empty.
  void give_back(Pipe pipe);
  // Closes a pipe that still holds bytes.
  void discard(Pipe pipe);

  static constexpr std::size_t kCapacity = 1 << 20;  // octets asked for; the kernel may give less

 private:
  std::size_t most_;
  std::size_t keep_;
  std::size_t open_ = 0;
  std::vector<Pipe> unused_;
};

}  // namespace ebbgate::net
