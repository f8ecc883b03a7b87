#include "kube/detail/command.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <memory>
#include <optional>

#include "net/signal.h"

extern char** environ;

namespace ebbgate::kube::detail {
namespace {

constexpr std::size_t kMaxOutput = std::size_t{1} << 20;
constexpr std::size_t kMaxErrors = 4096;

[[nodiscard]] std::unexpected<Error> internal(const std::string& what) {
  return fail(Reason::kInternal, Side::kSelf, what);
}

struct Pipe {
  int read = -1;
  int write = -1;

  [[nodiscard]] bool open() {
    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_CLOEXEC) != 0) return false;
    read = ends[0];
    write = ends[1];
    return ::fcntl(read, F_SETFL, O_NONBLOCK) == 0;
  }
  Pipe() = default;
  Pipe(const Pipe&) = delete;
  Pipe& operator=(const Pipe&) = delete;
  ~Pipe() {
    if (read >= 0) ::close(read);
    if (write >= 0) ::close(write);
  }
  [[nodiscard]] int take_read() { return std::exchange(read, -1); }
};

[[nodiscard]] std::vector<std::string> whole_environment(const Command& command) {
  std::vector<std::string> out;
  for (char** each = environ; *each != nullptr; ++each) {
    const std::string_view text = *each;
    const std::string_view name = text.substr(0, text.find('='));
    bool is_replaced = false;
    for (const auto& [key, value] : command.environment) is_replaced |= key == name;
    if (!is_replaced) out.emplace_back(text);
  }
  for (const auto& [key, value] : command.environment) out.push_back(key + "=" + value);
  return out;
}

[[nodiscard]] std::vector<char*> pointers(std::vector<std::string>& texts) {
  std::vector<char*> out;
  for (std::string& each : texts) out.push_back(each.data());
  out.push_back(nullptr);
  return out;
}

// Out: 0, or an error number.
[[nodiscard]] int spawn(Command& command, const Pipe& output, const Pipe& errors, pid_t& pid) {
  std::vector<std::string> environment = whole_environment(command);
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  ::posix_spawn_file_actions_adddup2(&actions, output.write, STDOUT_FILENO);
  ::posix_spawn_file_actions_adddup2(&actions, errors.write, STDERR_FILENO);
  posix_spawnattr_t attributes;
  ::posix_spawnattr_init(&attributes);
  sigset_t signals;
  ::sigemptyset(&signals);
  ::posix_spawnattr_setsigmask(&attributes, &signals);  // this process may hold some back
  ::sigaddset(&signals, SIGPIPE);
  ::posix_spawnattr_setsigdefault(&attributes, &signals);
  ::posix_spawnattr_setpgroup(&attributes, 0);
  ::posix_spawnattr_setflags(
      &attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP);
  const int error = ::posix_spawnp(&pid, command.words.front().c_str(), &actions, &attributes,
                                   pointers(command.words).data(), pointers(environment).data());
  ::posix_spawnattr_destroy(&attributes);
  ::posix_spawn_file_actions_destroy(&actions);
  return error;
}

// The program while it runs, and what it has printed so far. Its end kills what is left of it.
class Process {
 public:
  Process(net::Loop& loop, pid_t pid) : loop_(loop), pid_(pid), changed_(loop) {}
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;
  ~Process() {
    if (pid_ > 0) {
      ::kill(-pid_, SIGKILL);
      static_cast<void>(reap(0));
    }
    for (net::Channel* each : {output_, errors_, end_}) {
      if (each != nullptr) loop_.close(*each);
    }
  }

  // False where the system has no more descriptors or watches.
  [[nodiscard]] bool watch(int output, int errors) {
    output_ = &loop_.open(output);
    errors_ = &loop_.open(errors);
    const int end = static_cast<int>(::syscall(SYS_pidfd_open, pid_, 0));  // close-on-exec
    if (end < 0) return false;
    end_ = &loop_.open(end);
    for (net::Channel* each : {output_, errors_, end_}) {
      each->owner = this;
      each->handler = &Process::on_event;
      if (!loop_.watch(*each)) return false;
    }
    return true;
  }

  [[nodiscard]] bool is_over() const { return status_.has_value() || is_too_long_; }
  [[nodiscard]] net::Signal& changed() { return changed_; }

  [[nodiscard]] Result<Finished> take() {
    read_all(*output_, finished_.output, kMaxOutput);
    read_all(*errors_, finished_.errors, kMaxErrors);
    if (is_too_long_) return internal("it printed more than " + std::to_string(kMaxOutput));
    finished_.status = status_.value_or(0);
    return std::move(finished_);
  }

 private:
  static void on_event(net::Channel& channel, std::uint32_t /*events*/) {
    auto& self = *static_cast<Process*>(channel.owner);
    if (&channel == self.end_) {
      self.status_ = self.reap(WNOHANG);
    } else if (&channel == self.output_) {
      self.read_all(channel, self.finished_.output, kMaxOutput);
    } else {
      self.read_all(channel, self.finished_.errors, kMaxErrors);
    }
    if (self.is_over()) self.changed_.notify_all();
  }

  // What is there to be read, as epoll tells of each change once.
  void read_all(const net::Channel& channel, std::string& out, std::size_t max) {
    std::array<char, 4096> buffer{};
    for (;;) {
      const ssize_t count = ::read(channel.fd, buffer.data(), buffer.size());
      if (count < 0 && errno == EINTR) continue;
      if (count <= 0) return;
      const auto octets = static_cast<std::size_t>(count);
      if (out.size() + octets <= max) {
        out.append(buffer.data(), octets);
      } else if (&out == &finished_.output) {
        is_too_long_ = true;
        return;
      }
    }
  }

  [[nodiscard]] std::optional<int> reap(int options) {
    int status = 0;
    pid_t reaped = 0;
    do {
      reaped = ::waitpid(pid_, &status, options);
    } while (reaped < 0 && errno == EINTR);
    if (reaped == 0) return std::nullopt;
    pid_ = -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  }

  net::Loop& loop_;
  pid_t pid_;
  net::Signal changed_;
  net::Channel* output_ = nullptr;
  net::Channel* errors_ = nullptr;
  net::Channel* end_ = nullptr;
  std::optional<int> status_;
  bool is_too_long_ = false;
  Finished finished_;
};

}  // namespace

net::Task<Result<Finished>> run(net::Loop& loop, Command command, Deadline deadline) {
  if (command.words.empty()) co_return internal("there is no program to run");
  const std::string name = command.words.front();
  std::optional<Process> process;
  {
    Pipe output;
    Pipe errors;
    pid_t pid = -1;
    if (!output.open() || !errors.open()) co_return internal(name + ": " + std::strerror(errno));
    if (const int error = spawn(command, output, errors, pid); error != 0) {
      co_return internal(name + ": " + std::strerror(error));
    }
    process.emplace(loop, pid);
    const int output_end = output.take_read();
    const int errors_end = errors.take_read();
    if (!process->watch(output_end, errors_end)) {
      co_return internal(name + ": " + std::strerror(errno));
    }
  }
  while (!process->is_over()) {
    const auto end = co_await process->changed().wait(deadline);
    if (end == net::Wait::End::kTimedOut) {
      co_return fail(Reason::kTimedOut, Side::kSelf, name + " did not end in time");
    }
    if (end == net::Wait::End::kStopped) {
      co_return fail(Reason::kDraining, Side::kSelf, name + " was not waited for");
    }
  }
  co_return process->take();
}

}  // namespace ebbgate::kube::detail
