#include "observe/log_target.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <optional>

namespace ebbgate::observe {
namespace {

constexpr mode_t kFileMode = 0640;

// An open descriptor and what it is. Closed with its last owner: a file that was rotated away
// lives until its last sync.
class OpenFile {
 public:
  OpenFile(int fd, bool is_ours, const struct stat& status)
      : fd_(fd), is_ours_(is_ours), status_(status) {}
  ~OpenFile() {
    if (is_ours_) ::close(fd_);
  }
  OpenFile(const OpenFile&) = delete;
  OpenFile& operator=(const OpenFile&) = delete;

  [[nodiscard]] int fd() const { return fd_; }
  [[nodiscard]] bool is_regular() const { return S_ISREG(status_.st_mode); }
  [[nodiscard]] bool is_socket() const { return S_ISSOCK(status_.st_mode); }
  [[nodiscard]] bool is_same(const OpenFile& other) const {
    return status_.st_dev == other.status_.st_dev && status_.st_ino == other.status_.st_ino;
  }
  [[nodiscard]] off_t size_when_opened() const { return status_.st_size; }

 private:
  const int fd_;
  const bool is_ours_;
  const struct stat status_;
};

// What a pipe or a terminal may be given at once: a pipe that polls writable takes this much
// without blocking, and takes it in one piece, also when another process writes to it (pipe(7)).
// Ends with a line if one ends in it.
std::string_view one_pipe_write(std::string_view bytes) {
  const std::string_view piece = bytes.substr(0, PIPE_BUF);
  const std::size_t line_end = piece.rfind('\n');
  return line_end == std::string_view::npos ? piece : piece.substr(0, line_end + 1);
}

bool accepts_now(int fd) {
  pollfd poll{fd, POLLOUT, 0};
  return ::poll(&poll, 1, 0) > 0;  // an error shows itself in the write that follows
}

class DescriptorTarget final : public LogTarget {
 public:
  explicit DescriptorTarget(std::string name) : name_(std::move(name)) {}

  [[nodiscard]] std::string name() const override {
    return is_stdout() ? "standard output" : name_;
  }

  Opened open() override {
    if (is_stdout() && file_) return {.error = 0, .position = Position::kContinues};
    const int fd = is_stdout() ? STDOUT_FILENO
                               : ::open(name_.c_str(),
                                        O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY |
                                            O_NONBLOCK,  // a FIFO without a reader is an error
                                        kFileMode);
    if (fd < 0) return {.error = errno};
    struct stat status{};
    if (::fstat(fd, &status) != 0) {
      const int error = errno;
      if (!is_stdout()) ::close(fd);
      return {.error = error};
    }
    auto opened = std::make_shared<const OpenFile>(fd, !is_stdout(), status);
    const bool continues = file_ && file_->is_same(*opened);
    file_ = std::move(opened);
    if (continues) return {.error = 0, .position = Position::kContinues};
    return {.error = 0,
            .position = ends_within_a_line() ? Position::kMidLine : Position::kLineStart};
  }

  Written write(std::string_view bytes) override {
    ssize_t size = 0;
    if (file_->is_regular()) {
      size = ::write(file_->fd(), bytes.data(), bytes.size());
    } else if (file_->is_socket()) {
      size = ::send(file_->fd(), bytes.data(), bytes.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
    } else if (accepts_now(file_->fd())) {
      const std::string_view piece = one_pipe_write(bytes);
      size = ::write(file_->fd(), piece.data(), piece.size());
    } else {
      return {.bytes = 0, .error = EAGAIN};
    }
    if (size < 0) return {.bytes = 0, .error = errno == EINTR ? 0 : errno};
    return {.bytes = static_cast<std::size_t>(size), .error = 0};
  }

  [[nodiscard]] int wait_fd() const override { return file_->fd(); }

  [[nodiscard]] Sync sync() const override {
    if (!file_->is_regular()) return {};
    return [file = file_] { return ::fdatasync(file->fd()) == 0 ? 0 : errno; };
  }

 private:
  [[nodiscard]] bool is_stdout() const { return name_ == "-"; }

  // Whether an earlier process was cut off in the middle of its last line.
  [[nodiscard]] bool ends_within_a_line() const {
    if (is_stdout() || !file_->is_regular() || file_->size_when_opened() == 0) return false;
    const int fd = ::open(name_.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (fd < 0) return false;  // a file that we may only write
    char last = '\n';
    const bool is_read = ::pread(fd, &last, 1, file_->size_when_opened() - 1) == 1;
    ::close(fd);
    return is_read && last != '\n';
  }

  const std::string name_;
  std::shared_ptr<const OpenFile> file_;
};

}  // namespace

std::unique_ptr<LogTarget> make_log_target(const std::string& name) {
  return std::make_unique<DescriptorTarget>(name);
}

}  // namespace ebbgate::observe
