// The other side of ./dev bench: clients, the origin and a DNS responder in one thread over one
// epoll, so that one pinned core makes all the load and the proxy under test has the other alone.
// In: orders, one a line, on standard input. Out: one line of JSON for each, on standard output.
//
//   connect PROXY MODE COUNT CONCURRENCY NAMES   COUNT tunnels, opened, used once and closed
//   denied  PROXY COUNT CONCURRENCY              COUNT refused CONNECTs, a name each
//   http    PROXY MODE COUNT CONCURRENCY         COUNT clear GETs over kept connections
//   bulk    PROXY MODE down|up OCTETS            OCTETS through one tunnel
//   idle    PROXY MODE COUNT                     opens COUNT tunnels and holds them
//   release                                      closes what idle holds
//   rate    PROXY MODE PER_SECOND SECONDS        tunnels at a fixed rate, whatever becomes of them
//
// PROXY is a port of 127.0.0.1; MODE is `proxy`, or `relay` for one that needs no request.
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <functional>
#include <iostream>
#include <memory>
#include <sstream>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "origin.h"

namespace ebbgate::bench {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t kNameSize = 20;  // of `host-0000.bench.test`, the recorded server name
constexpr std::chrono::seconds kPatience{20};  // without any progress an order ends

// ---- clients -------------------------------------------------------------------------------

struct Order {
  std::string what;
  std::uint16_t proxy = 0;
  bool relay = false;
  std::uint64_t count = 0;
  std::uint64_t concurrency = 1;
  std::uint64_t names = 1;
  std::string direction;
  double per_second = 0;
  double seconds = 0;
};

struct Tally {
  std::uint64_t started = 0;
  std::uint64_t done = 0;
  std::uint64_t failed = 0;
  std::vector<double> microseconds;  // of each finished operation
  std::string first_failure;
};

enum class Outcome : std::uint8_t { kMore, kDone, kFailed };

class Client;

struct Context {
  Loop& loop;
  Tally& tally;
  const Order& order;
  std::string hello;          // a recorded ClientHello
  std::size_t hello_name_at;  // where its server name stands
  std::function<void(Client*, bool good)> finished;
};

// The name of an allowed host; as long as the recorded one.
std::string name_of(std::uint64_t number) {
  std::array<char, 32> text;
  std::snprintf(text.data(), text.size(), "host-%04u.bench.test",
                static_cast<unsigned>(number % 10000));
  return text.data();
}

// One operation: writes what `step` says, reads until it is content.
class Client final : public Watched {
 public:
  Client(Context& context, std::uint64_t number)
      : Watched(socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0)),
        context_(context),
        number_(number),
        began_(Clock::now()) {
    if (fd() < 0) die("socket");
    const int on = 1;
    setsockopt(fd(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    const sockaddr_in address = loopback(context.order.proxy);
    if (connect(fd(), generic(address), sizeof address) != 0 && errno != EINPROGRESS)
      at_ = At::kDead;
  }

  void ready(std::uint32_t events) override {
    if (at_ == At::kDead) return end(false, "connect");
    if (at_ == At::kConnecting) {
      if ((events & (EPOLLERR | EPOLLHUP)) != 0) return end(false, "connect");
      context_.loop.change(this, EPOLLIN);
      return begin();
    }
    if ((events & EPOLLOUT) != 0 && !upload()) return;
    if ((events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0) receive();
  }

 private:
  enum class At : std::uint8_t { kConnecting, kHead, kHello, kHttp, kBulk, kRefusal, kHeld, kDead };

  void say(std::string_view text) const {
    (void)send(fd(), text.data(), text.size(), MSG_NOSIGNAL);
  }

  void begin() {
    const Order& order = context_.order;
    if (order.what == "http") return ask();
    if (order.relay) return hello();
    const bool denied = order.what == "denied";
    // A refused name for each: identical refusals may be counted as one.
    name_ =
        denied ? "deny-" + std::to_string(number_) + ".other.test" : name_of(number_ % order.names);
    at_ = denied ? At::kRefusal : At::kHead;
    const std::string authority = name_ + ":" + std::to_string(kOriginPort);
    say("CONNECT " + authority + " HTTP/1.1\r\nHost: " + authority +
        "\r\nUser-Agent: curl/7.88.1\r\nProxy-Connection: Keep-Alive\r\n\r\n");
  }

  void hello() {
    at_ = At::kHello;
    std::string hello = context_.hello;
    const std::string name = context_.order.relay ? name_of(0) : name_;
    hello.replace(context_.hello_name_at, kNameSize, name);
    say(hello);
  }

  void ask() {
    at_ = At::kHttp;
    text_.clear();
    const std::string authority = name_of(0) + ":" + std::to_string(kOriginPort);
    say("GET " + (context_.order.relay ? std::string("/x") : "http://" + authority + "/x") +
        " HTTP/1.1\r\nHost: " + authority +
        "\r\nUser-Agent: bench\r\nAccept: */*\r\nAccept-Encoding: gzip, deflate\r\n\r\n");
  }

  void receive() {
    auto& buffer = bulk_buffer();
    const ssize_t got = recv(fd(), buffer.data(), at_ == At::kBulk ? buffer.size() : 16384, 0);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (got <= 0 && at_ == At::kHttp && text_.empty()) {  // a proxy that keeps no connection
      --context_.tally.started;
      return context_.finished(this, false);
    }
    if (got <= 0) {
      const bool refused = at_ == At::kRefusal && text_.find(" 403 ") < 20;
      return end(refused, "closed");
    }
    if (at_ == At::kBulk) {
      left_ -= std::min(left_, static_cast<std::uint64_t>(got));
      if (left_ == 0) end(true, "");
      return;
    }
    text_.append(buffer.data(), static_cast<std::size_t>(got));
    switch (at_) {
      case At::kHead:
        if (text_.find("\r\n\r\n") == std::string::npos) return;
        if (text_.find(" 200 ") > 20) return end(false, text_.substr(0, text_.find('\r')));
        text_.clear();
        return hello();
      case At::kHello:
        if (!text_.starts_with('h')) return end(false, "not the origin's answer");
        text_.clear();
        return established();
      case At::kHttp: {
        const auto head = text_.find("\r\n\r\n");
        if (head == std::string::npos || text_.size() < head + 4 + 100) return;
        if (text_.find(" 200 ") > 20) return end(false, text_.substr(0, text_.find('\r')));
        return answered();
      }
      case At::kRefusal:
        return refused();
      default:
        return;
    }
  }

  // Squid keeps a refused client's connection open: the answer is whole by its length.
  void refused() {
    const auto head = text_.find("\r\n\r\n");
    if (head == std::string::npos) return;
    std::string folded = text_.substr(0, head);
    std::transform(folded.begin(), folded.end(), folded.begin(),
                   [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    const auto at = folded.find("content-length: ");
    if (at == std::string::npos) return;  // until it closes
    const std::size_t length = std::strtoul(folded.c_str() + at + 16, nullptr, 10);
    if (text_.size() >= head + 4 + length) end(text_.find(" 403 ") < 20, "not 403");
  }

  void established() {
    const Order& order = context_.order;
    if (order.what == "idle") {
      at_ = At::kHeld;
      return context_.finished(this, true);
    }
    if (order.what != "bulk") return end(true, "");
    at_ = At::kBulk;
    const bool down = order.direction == "down";
    say((down ? "D" : "U") + std::to_string(order.count) + "\n");
    left_ = down ? order.count : 1;  // the origin's word that it has all
    to_send_ = down ? 0 : order.count;
    if (!down) context_.loop.change(this, EPOLLIN | EPOLLOUT);
  }

  // One piece a turn, as the origin sends, so that whoever reads has its turn in between: with a
  // reader that starves, megabytes queue up in the proxy, and every proxy pays for cold memory.
  bool upload() {
    auto& buffer = bulk_buffer();
    const ssize_t sent =
        send(fd(), buffer.data(), std::min<std::uint64_t>(to_send_, buffer.size()), MSG_NOSIGNAL);
    if (sent < 0 && errno != EAGAIN) {
      end(false, "send");
      return false;
    }
    if (sent > 0) to_send_ -= static_cast<std::uint64_t>(sent);
    if (to_send_ == 0) context_.loop.change(this, EPOLLIN);
    return true;
  }

  // One GET is done: the next one goes over the same connection.
  void answered() {
    Tally& tally = context_.tally;
    record();
    if (tally.started >= context_.order.count) return context_.finished(this, true);
    ++tally.started;
    began_ = Clock::now();
    ask();
  }

  void record() {
    ++context_.tally.done;
    context_.tally.microseconds.push_back(
        std::chrono::duration<double, std::micro>(Clock::now() - began_).count());
  }

  void end(bool good, const std::string& why) {
    if (good) {
      record();
    } else {
      ++context_.tally.failed;
      if (context_.tally.first_failure.empty()) context_.tally.first_failure = why;
    }
    context_.finished(this, good);
  }

  Context& context_;
  std::uint64_t number_;
  Clock::time_point began_;
  At at_ = At::kConnecting;
  std::string name_;
  std::string text_;
  std::uint64_t left_ = 0;
  std::uint64_t to_send_ = 0;
};

// ---- orders --------------------------------------------------------------------------------

class Bench {
 public:
  explicit Bench(const std::string& hello_file) {
    std::ifstream file(hello_file);
    std::string digits;
    while (file >> digits) {
      for (std::size_t i = 0; i + 1 < digits.size(); i += 2)
        hello_.push_back(static_cast<char>(std::stoi(digits.substr(i, 2), nullptr, 16)));
    }
    hello_name_at_ = hello_.find(name_of(0));
    if (hello_name_at_ == std::string::npos) die("no ClientHello in " + hello_file);
    loop_.add(std::make_unique<OriginListener>(loop_, origin_), EPOLLIN);
    loop_.add(std::make_unique<DnsResponder>(), EPOLLIN);
  }

  // Serves origin and DNS until there is an order on standard input.
  void run() {
    std::string line;
    std::string input;
    for (;;) {
      const auto end = input.find('\n');
      if (end != std::string::npos) {
        line = input.substr(0, end);
        input.erase(0, end + 1);
        obey(line);
        continue;
      }
      loop_.turn(input_is_ready() ? 0 : 5);
      if (!input_is_ready()) continue;
      std::array<char, 4096> buffer;
      const ssize_t got = read(STDIN_FILENO, buffer.data(), buffer.size());
      if (got <= 0) return;
      input.append(buffer.data(), static_cast<std::size_t>(got));
    }
  }

 private:
  static bool input_is_ready() {
    fd_set set;
    FD_ZERO(&set);
    FD_SET(STDIN_FILENO, &set);
    timeval none{};
    return select(STDIN_FILENO + 1, &set, nullptr, nullptr, &none) > 0;
  }

  void obey(const std::string& line) {
    std::istringstream words(line);
    Order order;
    std::string mode;
    words >> order.what;
    if (order.what == "release") {
      for (Watched* client : held_) loop_.remove(client);
      held_.clear();
      settle(0);
      std::cout << "{}" << std::endl;
      return;
    }
    words >> order.proxy;
    if (order.what != "denied") words >> mode;
    order.relay = mode == "relay";
    if (order.what == "bulk") words >> order.direction;
    if (order.what == "rate") {
      words >> order.per_second >> order.seconds;
      order.count = static_cast<std::uint64_t>(order.per_second * order.seconds);
      order.names = 64;
    } else {
      words >> order.count >> order.concurrency >> order.names;
    }
    if (order.what == "bulk") order.concurrency = 1;
    if (order.what == "idle") order.concurrency = 32;
    perform(order);
  }

  void perform(const Order& order) {
    const std::uint64_t lingering = origin_.opened - origin_.closed;
    Tally tally;
    std::unordered_set<Watched*> open;
    const std::uint64_t total = order.what == "bulk" ? 1 : order.count;
    Context context{loop_, tally, order, hello_, hello_name_at_, {}};
    const auto start_one = [&] {
      ++tally.started;
      auto client = std::make_unique<Client>(context, tally.started - 1);
      open.insert(client.get());
      loop_.add(std::move(client), EPOLLOUT);
    };
    bool rate = order.what == "rate";
    context.finished = [&](Client* client, bool good) {
      open.erase(client);
      if (order.what == "idle" && good) {
        held_.push_back(client);
        loop_.hold(client);
        ++tally.done;
      } else {
        loop_.remove(client);
      }
      if (!rate && tally.started < total) start_one();
    };
    const auto began = Clock::now();
    if (!rate) {
      for (std::uint64_t i = 0; i < std::min(order.concurrency, total); ++i) start_one();
    }
    auto progress = Clock::now();
    std::uint64_t seen = 0;
    while (!open.empty() || (rate && tally.started < total)) {
      if (rate) {
        const double elapsed = std::chrono::duration<double>(Clock::now() - began).count();
        while (tally.started < total &&
               static_cast<double>(tally.started) < elapsed * order.per_second)
          start_one();
      }
      loop_.turn(rate ? 1 : 100);
      if (tally.done + tally.failed != seen || order.what == "bulk") {
        seen = tally.done + tally.failed;
        progress = Clock::now();
      }
      if (Clock::now() - progress > kPatience) break;
    }
    const double seconds = std::chrono::duration<double>(Clock::now() - began).count();
    const std::uint64_t stuck = open.size();
    for (Watched* client : open) loop_.remove(client);
    // What http and idle opened stays open by design.
    if (order.what != "idle" && order.what != "http") settle(lingering);
    report(tally, seconds, stuck);
  }

  // Until the proxy has closed what it opened to the origin: its work is done only then. What was
  // open before, such as the kept connections of clear HTTP, may stay.
  void settle(std::uint64_t lingering) {
    const auto until = Clock::now() + std::chrono::seconds(2);
    while (origin_.opened - origin_.closed > lingering && Clock::now() < until) loop_.turn(5);
  }

  static void report(Tally tally, double seconds, std::uint64_t stuck) {
    std::sort(tally.microseconds.begin(), tally.microseconds.end());
    const auto quantile = [&](double q) {
      if (tally.microseconds.empty()) return 0.0;
      return tally.microseconds[static_cast<std::size_t>(
          q * static_cast<double>(tally.microseconds.size() - 1))];
    };
    std::string why = tally.first_failure;
    std::replace_if(
        why.begin(), why.end(),
        [](unsigned char c) { return c < 0x20 || c > 0x7e || c == '"' || c == '\\'; }, '?');
    std::cout << "{\"done\": " << tally.done << ", \"failed\": " << tally.failed + stuck
              << ", \"seconds\": " << seconds << ", \"p50\": " << quantile(0.5)
              << ", \"p99\": " << quantile(0.99) << ", \"max\": " << quantile(1) << ", \"why\": \""
              << why << "\"}" << std::endl;
  }

  Loop loop_;
  Origin origin_;
  std::string hello_;
  std::size_t hello_name_at_ = 0;
  std::vector<Watched*> held_;
};

}  // namespace
}  // namespace ebbgate::bench

int main(int argc, char** argv) {
  if (argc != 2) {
    std::cerr << "usage: ebbgate_load CLIENT_HELLO_HEX\n";
    return 2;
  }
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
  ebbgate::bench::Bench(argv[1]).run();
}
