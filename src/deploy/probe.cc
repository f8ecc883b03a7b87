#include "deploy/probe.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <system_error>
#include <utility>

#include "base/escape.h"
#include "net/dial.h"
#include "net/stream.h"

extern char** environ;

namespace ebbgate::deploy {
namespace {

constexpr std::size_t kMaxAnswer = std::size_t{64} * 1024;  // octets

std::unexpected<Error> io_error(std::errc code) {
  const bool is_late = code == std::errc::timed_out;
  return fail(is_late ? Reason::kTimedOut : Reason::kConnectFailed, Side::kOrigin,
              "the gateway: " + std::make_error_code(code).message());
}

// `HTTP/1.1 403 …` and what follows the head.
Result<Probe::Fetched> read_answer(const std::string& bytes) {
  const auto bad = [&] {
    return fail(Reason::kOriginInvalid, Side::kOrigin,
                "what answers there is no gateway: \"" + escaped_prose(bytes, 60) + "\"");
  };
  if (!bytes.starts_with("HTTP/1.") || bytes.size() < 12) return bad();
  Probe::Fetched out;
  for (const char c : bytes.substr(9, 3)) {
    if (c < '0' || c > '9') return bad();
    out.status = 10 * out.status + (c - '0');
  }
  const std::size_t end = bytes.find("\r\n\r\n");
  if (end == std::string::npos) return bad();
  out.body = bytes.substr(end + 4);
  return out;
}

// Starts a program whose output, of both kinds, comes out of `output`. It takes signals as usual,
// though this process may hold some back. Out: 0, or an error number.
int spawn(const std::vector<std::string>& words, int output, pid_t& pid) {
  std::vector<std::string> copies = words;
  std::vector<char*> argv;
  for (std::string& each : copies) argv.push_back(each.data());
  argv.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO);
  ::posix_spawn_file_actions_adddup2(&actions, output, STDERR_FILENO);
  posix_spawnattr_t attributes;
  ::posix_spawnattr_init(&attributes);
  sigset_t none;
  ::sigemptyset(&none);
  ::posix_spawnattr_setsigmask(&attributes, &none);
  ::posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK);
  const int failed =
      ::posix_spawnp(&pid, argv.front(), &actions, &attributes, argv.data(), environ);
  ::posix_spawnattr_destroy(&attributes);
  ::posix_spawn_file_actions_destroy(&actions);
  return failed;
}

// Everything that is to be read, and then the end of the process. Out: whether it ended well.
bool collect(int output, pid_t pid, std::string& text) {
  std::array<char, 4096> buffer{};
  while (true) {
    const ssize_t count = ::read(output, buffer.data(), buffer.size());
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) break;
    if (text.size() < kMaxAnswer) text.append(buffer.data(), static_cast<std::size_t>(count));
  }
  int status = 0;
  while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

}  // namespace

net::Task<Result<net::Stream>> NetworkProbe::dial(std::string host, Port port, Deadline deadline,
                                                  IpAddress& answered) {
  std::vector<IpAddress> addresses;
  if (const auto literal = IpAddress::parse(host)) {
    addresses.push_back(*literal);
  } else {
    auto name = Hostname::parse(host);
    if (!name) co_return std::unexpected(std::move(name.error()));
    auto answer = co_await resolver_->resolve(*std::move(name), deadline);
    if (!answer) {
      co_return fail(answer.error().reason, answer.error().side,
                     host + ": " + answer.error().detail);
    }
    addresses = (*answer)->addresses;
  }
  auto dialed = co_await net::dial(*loop_, std::move(addresses), port, deadline);
  if (!dialed) co_return std::unexpected(std::move(dialed.error()));
  answered = dialed->remote.address;
  co_return std::move(dialed->stream);
}

net::Task<Result<IpAddress>> NetworkProbe::connect(std::string host, Port port, Deadline deadline) {
  IpAddress answered;
  auto stream = co_await dial(std::move(host), port, deadline, answered);
  if (!stream) co_return std::unexpected(std::move(stream.error()));
  co_return answered;
}

net::Task<Result<Probe::Fetched>> NetworkProbe::ask(std::string proxy_host, Port proxy_port,
                                                    std::string request, Deadline deadline) {
  IpAddress answered;
  auto stream = co_await dial(std::move(proxy_host), proxy_port, deadline, answered);
  if (!stream) co_return std::unexpected(std::move(stream.error()));
  auto sent = co_await stream->write_all(request, deadline);
  if (!sent) co_return io_error(sent.error());
  std::string bytes;
  std::array<char, 4096> buffer{};
  const bool is_tunnel = request.starts_with("CONNECT ");
  while (bytes.size() < kMaxAnswer) {
    auto count = co_await stream->read_some(buffer, deadline);
    if (!count) co_return io_error(count.error());
    if (*count == 0) break;
    bytes.append(buffer.data(), *count);
    if (is_tunnel && bytes.find("\r\n\r\n") != std::string::npos) break;
  }
  co_return read_answer(bytes);
}

net::Task<Result<int>> NetworkProbe::tunnel(std::string proxy_host, Port proxy_port,
                                            std::string target, Deadline deadline) {
  std::string request = "CONNECT " + target + " HTTP/1.1\r\nHost: " + target + "\r\n\r\n";
  auto answer = co_await ask(std::move(proxy_host), proxy_port, std::move(request), deadline);
  if (!answer) co_return std::unexpected(std::move(answer.error()));
  co_return answer->status;
}

net::Task<Result<Probe::Fetched>> NetworkProbe::fetch(std::string proxy_host, Port proxy_port,
                                                      std::string url, Deadline deadline) {
  constexpr std::string_view kScheme = "http://";
  const std::size_t end = url.find('/', kScheme.size());
  const std::string host = url.substr(kScheme.size(), end - kScheme.size());
  std::string request =
      "GET " + url + " HTTP/1.0\r\nHost: " + host + "\r\nConnection: close\r\n\r\n";
  co_return co_await ask(std::move(proxy_host), proxy_port, std::move(request), deadline);
}

std::optional<Result<std::string>> NetworkProbe::kubectl(
    const std::vector<std::string>& arguments) {
  std::vector<std::string> words{"kubectl", "--request-timeout=20s"};
  words.insert(words.end(), arguments.begin(), arguments.end());
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) {
    return fail(Reason::kInternal, Side::kSelf, "there is no pipe to be had");
  }
  pid_t pid = -1;
  const int failed = spawn(words, ends[1], pid);
  ::close(ends[1]);
  std::string text;
  const bool is_good = failed == 0 && collect(ends[0], pid, text);
  ::close(ends[0]);
  if (failed == ENOENT) return std::nullopt;
  if (failed != 0) text = std::generic_category().message(failed);
  if (!is_good) {
    while (text.ends_with('\n')) text.pop_back();
    const std::string last = text.substr(text.rfind('\n') + 1);  // what it says at the end
    return fail(Reason::kInternal, Side::kSelf, "kubectl: " + escaped_prose(last, 300));
  }
  return text;
}

}  // namespace ebbgate::deploy
