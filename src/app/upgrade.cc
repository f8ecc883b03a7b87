#include "app/upgrade.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/auxv.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <string_view>
#include <system_error>
#include <utility>

extern char** environ;

namespace ebbgate::app {
namespace {

// `address:port=fd,fd;address:port=fd`
constexpr const char* kSocketsVariable = "EBBGATE_INHERITED_SOCKETS";
constexpr const char* kReadyVariable = "EBBGATE_READY_FD";

std::string_view next_part(std::string_view& text, char separator) {
  const std::size_t end = text.find(separator);
  const std::string_view part = text.substr(0, end);
  text = end == std::string_view::npos ? std::string_view() : text.substr(end + 1);
  return part;
}

std::optional<int> parse_fd(std::string_view text) {
  int fd = -1;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), fd);
  if (error != std::errc{} || end != text.data() + text.size() || fd < 0) return std::nullopt;
  return fd;
}

void keep_from_children(int fd) {
  ::fcntl(fd, F_SETFD, FD_CLOEXEC);
}

std::string described(const std::vector<proxy::ListeningSockets>& sockets) {
  std::string text;
  for (const proxy::ListeningSockets& each : sockets) {
    if (!text.empty()) text += ';';
    text += each.at.str();
    char separator = '=';
    for (const int fd : each.fds) {
      text += separator + std::to_string(fd);
      separator = ',';
    }
  }
  return text;
}

std::unexpected<Error> failed(const char* call, int error) {
  return fail(Reason::kInternal, Side::kSelf, std::string(call) + ": " + std::strerror(error));
}

}  // namespace

Inheritance take_inheritance() {
  Inheritance inheritance;
  if (const char* ready = std::getenv(kReadyVariable)) {
    inheritance.ready_fd = parse_fd(ready).value_or(-1);
    if (inheritance.ready_fd >= 0) keep_from_children(inheritance.ready_fd);
  }
  if (const char* value = std::getenv(kSocketsVariable)) {
    std::string_view rest = value;
    while (!rest.empty()) {
      std::string_view entry = next_part(rest, ';');
      const auto at = Endpoint::parse(next_part(entry, '='));
      if (!at) continue;
      proxy::ListeningSockets sockets{*at, {}};
      while (!entry.empty()) {
        if (const auto fd = parse_fd(next_part(entry, ','))) {
          keep_from_children(*fd);
          sockets.fds.push_back(*fd);
        }
      }
      inheritance.sockets.push_back(std::move(sockets));
    }
  }
  ::unsetenv(kSocketsVariable);
  ::unsetenv(kReadyVariable);
  return inheritance;
}

std::vector<int> take_sockets(Inheritance& inheritance, const Endpoint& at) {
  for (proxy::ListeningSockets& each : inheritance.sockets) {
    const bool is_wanted =
        each.at.address == at.address && (each.at.port == at.port || at.port == 0);
    if (is_wanted && !each.fds.empty()) return std::exchange(each.fds, {});
  }
  return {};
}

void close_unused(Inheritance& inheritance) {
  for (const proxy::ListeningSockets& each : inheritance.sockets) {
    for (const int fd : each.fds) ::close(fd);
  }
  inheritance.sockets.clear();
}

void tell_predecessor(Inheritance& inheritance) {
  if (inheritance.ready_fd < 0) return;
  [[maybe_unused]] const auto written = ::write(inheritance.ready_fd, "r", 1);
  ::close(inheritance.ready_fd);
  inheritance.ready_fd = -1;
}

std::string own_file() {
  std::error_code error;
  const std::filesystem::path file = std::filesystem::read_symlink("/proc/self/exe", error);
  if (!error) return file.string();
  const auto* called = reinterpret_cast<const char*>(::getauxval(AT_EXECFN));
  return called != nullptr ? called : "";
}

Result<Successor> start_successor(const std::vector<std::string>& arguments,
                                  const std::vector<proxy::ListeningSockets>& sockets) {
  std::array<int, 2> ready{};
  if (::pipe2(ready.data(), O_CLOEXEC | O_NONBLOCK) != 0) return failed("pipe2", errno);

  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  // Copied onto itself, a descriptor loses its close-on-exec flag in the child only.
  ::posix_spawn_file_actions_adddup2(&actions, ready[1], ready[1]);
  for (const proxy::ListeningSockets& each : sockets) {
    for (const int fd : each.fds) ::posix_spawn_file_actions_adddup2(&actions, fd, fd);
  }
  posix_spawnattr_t attributes;
  ::posix_spawnattr_init(&attributes);
  sigset_t none;
  sigemptyset(&none);
  ::posix_spawnattr_setsigmask(&attributes, &none);
  ::posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK);

  std::vector<char*> words;
  for (const std::string& argument : arguments)
    words.push_back(const_cast<char*>(argument.c_str()));
  words.push_back(nullptr);
  const std::string sockets_entry = std::string(kSocketsVariable) + "=" + described(sockets);
  const std::string ready_entry = std::string(kReadyVariable) + "=" + std::to_string(ready[1]);
  std::vector<char*> environment;
  for (char** each = environ; *each != nullptr; ++each) environment.push_back(*each);
  environment.push_back(const_cast<char*>(sockets_entry.c_str()));
  environment.push_back(const_cast<char*>(ready_entry.c_str()));
  environment.push_back(nullptr);

  pid_t pid = -1;
  const int error =
      ::posix_spawnp(&pid, words[0], &actions, &attributes, words.data(), environment.data());
  ::posix_spawn_file_actions_destroy(&actions);
  ::posix_spawnattr_destroy(&attributes);
  ::close(ready[1]);
  if (error != 0) {
    ::close(ready[0]);
    return failed(words[0], error);
  }
  return Successor{pid, ready[0]};
}

}  // namespace ebbgate::app
