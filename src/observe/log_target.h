// Where the lines of the access log go: a file, a pipe, a terminal, a socket; in tests, something
// that fails on demand.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

namespace ebbgate::observe {

class LogTarget {
 public:
  // Where an opened target stands: behind the last octet that was written to it before, at the
  // start of a line, or behind somebody else's unfinished line.
  enum class Position { kContinues, kLineStart, kMidLine };
  struct Opened {
    int error = 0;  // an errno; the target is then as it was
    Position position = Position::kLineStart;
  };
  struct Written {
    std::size_t bytes = 0;
    int error = 0;  // an errno; EAGAIN: wait for wait_fd()
  };
  // Brings what was written before onto the disk; an errno or 0. Called by another thread.
  using Sync = std::function<int()>;

  virtual ~LogTarget() = default;
  [[nodiscard]] virtual std::string name() const = 0;
  // Opens or reopens.
  virtual Opened open() = 0;
  // Writes the start of `bytes`, which start where the last write ended.
  virtual Written write(std::string_view bytes) = 0;
  // The descriptor to wait on until it takes bytes.
  [[nodiscard]] virtual int wait_fd() const = 0;
  // Empty where there is no disk behind it. Holds on to the file it is for.
  [[nodiscard]] virtual Sync sync() const = 0;
};

// `-` is the standard output. Pipes are written to without ever blocking the caller for longer
// than the pipe needs to take 4 KiB, and in whole lines.
[[nodiscard]] std::unique_ptr<LogTarget> make_log_target(const std::string& name);

}  // namespace ebbgate::observe
