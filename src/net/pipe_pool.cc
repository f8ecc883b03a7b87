#include "net/pipe_pool.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>

namespace ebbgate::net {

PipePool::~PipePool() {
  for (const Pipe& pipe : unused_) {
    ::close(pipe.read_end);
    ::close(pipe.write_end);
  }
}

Pipe PipePool::take() {
  if (!unused_.empty()) {
    const Pipe pipe = unused_.back();
    unused_.pop_back();
    return pipe;
  }
  std::array<int, 2> ends{};
  if (open_ >= most_ || ::pipe2(ends.data(), O_CLOEXEC | O_NONBLOCK) != 0) return {};
  ++open_;
  // Refused past the user's share of pipe memory; the default size serves as well, only slower.
  ::fcntl(ends[1], F_SETPIPE_SZ, static_cast<int>(kCapacity));
  return {ends[0], ends[1]};
}

void PipePool::give_back(Pipe pipe) {
  if (unused_.size() < keep_) {
    unused_.push_back(pipe);
  } else {
    discard(pipe);
  }
}

void PipePool::discard(Pipe pipe) {
  ::close(pipe.read_end);
  ::close(pipe.write_end);
  --open_;
}

}  // namespace ebbgate::net
