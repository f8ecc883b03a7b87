#include "app/log_input.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdio>
#include <optional>
#include <system_error>
#include <utility>

#include "base/escape.h"

namespace ebbgate::app {
namespace {

// A descriptor that is closed with its owner; standard input is nobody's.
class File {
 public:
  explicit File(const std::string& name)
      : fd_(name == "-" ? STDIN_FILENO : ::open(name.c_str(), O_RDONLY | O_CLOEXEC)),
        error_(fd_ < 0 ? errno : 0) {}
  ~File() {
    if (fd_ > STDIN_FILENO) ::close(fd_);
  }
  File(const File&) = delete;
  File& operator=(const File&) = delete;

  [[nodiscard]] int error() const { return error_; }

  // 0 where that is not known, as of a pipe.
  [[nodiscard]] std::uint64_t size() const {
    struct stat status{};
    if (::fstat(fd_, &status) != 0 || !S_ISREG(status.st_mode)) return 0;
    return static_cast<std::uint64_t>(status.st_size);
  }

  [[nodiscard]] std::expected<std::size_t, std::string> read(std::span<char> space) const {
    while (true) {
      const ssize_t got = ::read(fd_, space.data(), space.size());
      if (got >= 0) return static_cast<std::size_t>(got);
      if (errno != EINTR) return std::unexpected(std::generic_category().message(errno));
    }
  }

 private:
  int fd_;
  int error_;
};

class ProgressBar {
 public:
  explicit ProgressBar(std::uint64_t size) : size_(size), is_shown_(::isatty(STDERR_FILENO) == 1) {}

  void show(const analyse::LogCounts& counts) {
    const auto now = std::chrono::steady_clock::now();
    if (!is_shown_ || now < next_) return;
    next_ = now + std::chrono::milliseconds(200);
    const double lines = static_cast<double>(counts.lines) / 1e6;
    if (size_ == 0) {
      std::fprintf(stderr, "\r  %.1f million lines\x1b[K", lines);
      return;
    }
    const double part =
        std::min(static_cast<double>(counts.octets) / static_cast<double>(size_), 1.0);
    const std::string bar(static_cast<std::size_t>(part * 30), '#');
    std::fprintf(stderr, "\r  [%-30s] %3.0f %%  %.1f million lines\x1b[K", bar.c_str(), part * 100,
                 lines);
  }

  void clear() const {
    if (is_shown_) std::fputs("\r\x1b[K", stderr);
  }

 private:
  std::uint64_t size_;
  bool is_shown_;
  std::chrono::steady_clock::time_point next_;
};

std::uint64_t total_size(std::span<const std::string> files) {
  std::uint64_t total = 0;
  for (const std::string& name : files) {
    const File file(name);
    const std::uint64_t size = file.error() == 0 ? file.size() : 0;
    if (size == 0) return 0;
    total += size;
  }
  return total;
}

}  // namespace

LogInput read_logs(std::string_view command, std::span<const std::string> files,
                   const analyse::LogReader::OnEvent& on_event) {
  ProgressBar bar(total_size(files));
  analyse::LogReader reader(on_event, [&](const analyse::LogCounts& counts) { bar.show(counts); });
  LogInput input;
  std::string complaints;
  const auto complain = [&](const std::string& what) {
    complaints += "ebbgate " + std::string(command) + ": " + escaped_prose(what) + '\n';
  };
  for (const std::string& name : files) {
    const File file(name);
    if (file.error() != 0) {
      input.is_readable = false;
      complain(name + ": " + std::generic_category().message(file.error()));
      continue;
    }
    reader.read(name, [&](std::span<char> space) { return file.read(space); });
  }
  bar.clear();
  input.counts = reader.counts();
  for (const std::string& why : input.counts.incomplete) complain(why);
  std::fputs(complaints.c_str(), stderr);
  return input;
}

std::string summary(const analyse::LogCounts& counts) {
  std::string out = std::to_string(counts.lines) + (counts.lines == 1 ? " line: " : " lines: ") +
                    std::to_string(counts.events) + (counts.events == 1 ? " event" : " events");
  const auto add = [&](std::uint64_t count, std::string_view what) {
    if (count > 0) out += ", " + std::to_string(count) + ' ' + std::string(what);
  };
  add(counts.without_target, "without a target");
  add(counts.unreadable, "unreadable");
  add(counts.too_long, "too long");
  return out;
}

}  // namespace ebbgate::app
