// Every allocation that serving takes fails once: each kind of exchange is played again and again,
// with the first, the second, the third allocation of the worker failing, until none is left to
// fail. Whoever is hit gets an answer or an end of the connection, in time; the next one is served
// as ever; and no session or tunnel is left over. Sanitizers see to the rest.
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdlib>
#include <functional>
#include <memory>
#include <new>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "net/testing.h"
#include "proxy/gateway.h"

namespace {

// How many allocations of worker threads succeed before one fails; below zero: all do.
std::atomic<long> g_left{-1};

bool is_worker() {
  thread_local const bool is_one = [] {
    std::array<char, 16> name{};
    ::pthread_getname_np(::pthread_self(), name.data(), name.size());
    return std::string_view(name.data()).starts_with("worker-");
  }();
  return is_one;
}

[[maybe_unused]] void* allocate(std::size_t size) {
  if (g_left.load(std::memory_order_relaxed) >= 0 && is_worker() && g_left.fetch_sub(1) == 0) {
    throw std::bad_alloc();
  }
  void* memory = std::malloc(std::max<std::size_t>(size, 1));
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}

}  // namespace

#if !__has_feature(thread_sanitizer)  // which has operators of its own that cannot be replaced
void* operator new(std::size_t size) {
  return allocate(size);
}
void* operator new[](std::size_t size) {
  return allocate(size);
}
void operator delete(void* memory) noexcept {
  std::free(memory);
}
void operator delete[](void* memory) noexcept {
  std::free(memory);
}
void operator delete(void* memory, std::size_t /*size*/) noexcept {
  std::free(memory);
}
void operator delete[](void* memory, std::size_t /*size*/) noexcept {
  std::free(memory);
}
#endif

namespace ebbgate::proxy {
namespace {

using net::testing::ip;
using net::testing::Socket;

void set_patience(const Socket& socket) {
  const timeval patience{.tv_sec = 20, .tv_usec = 0};
  ::setsockopt(socket.fd(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
}

void send_all(const Socket& socket, std::string_view text) {
  while (!text.empty()) {
    const ssize_t sent = ::send(socket.fd(), text.data(), text.size(), MSG_NOSIGNAL);
    if (sent <= 0) return;
    text.remove_prefix(static_cast<std::size_t>(sent));
  }
}

// Reads until the text ends with `end`, or the stream does.
std::string receive_until(const Socket& socket, std::string_view end) {
  std::string text;
  while (!text.ends_with(end)) {
    std::array<char, 4096> block{};
    const ssize_t got = ::recv(socket.fd(), block.data(), block.size(), 0);
    if (got < 0 && errno == EAGAIN) ADD_FAILURE() << "nothing came in time, after: " << text;
    if (got <= 0) break;
    text.append(block.data(), static_cast<std::size_t>(got));
  }
  return text;
}

// Serves each connection to a listening socket on a thread of its own.
class Server {
 public:
  explicit Server(void (*serve)(const Socket&)) : serve_(serve), accepting_([this] { run(); }) {}
  ~Server() {
    ::shutdown(listener_.fd(), SHUT_RDWR);
    accepting_.join();
    for (std::thread& thread : serving_) thread.join();
  }
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;
  [[nodiscard]] std::string port() const { return std::to_string(listener_.local().port); }

 private:
  void run() {
    for (;;) {
      Socket connection = listener_.accept();
      if (!connection.is_open()) return;
      serving_.emplace_back([this, connection = std::move(connection)] { serve_(connection); });
    }
  }

  void (*serve_)(const Socket&);
  Socket listener_ = Socket::listening(ip("127.0.0.1"));
  std::vector<std::thread> serving_;
  std::thread accepting_;
};

// An origin: answers requests in the clear, and echoes what comes in a tunnel.
void serve_origin(const Socket& connection) {
  set_patience(connection);
  for (;;) {
    std::array<char, 65536> block{};
    const ssize_t got = ::recv(connection.fd(), block.data(), block.size(), 0);
    if (got <= 0) return;
    const std::string_view text(block.data(), static_cast<std::size_t>(got));
    if (text.starts_with("GET")) {
      send_all(connection, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello");
    } else if (text.starts_with("POST")) {
      send_all(connection,
               "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n");
    } else if (text.front() == 22) {
      send_all(connection, text);
    }
  }
}

// A name server whose only answer is 127.0.0.1.
class NameServer {
 public:
  NameServer() : fd_(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)) {
    const net::SocketAddress any(Endpoint{ip("127.0.0.1"), 0});
    net::SocketAddress at = any;
    if (::bind(fd_, at.get(), at.size) != 0) std::abort();
    ::getsockname(fd_, at.get(), &at.size);
    at_ = at.endpoint();
    thread_ = std::thread([this] { run(); });
  }
  ~NameServer() {
    ::shutdown(fd_, SHUT_RDWR);
    thread_.join();
    ::close(fd_);
  }
  NameServer(const NameServer&) = delete;
  NameServer& operator=(const NameServer&) = delete;
  [[nodiscard]] Endpoint at() const { return at_; }

 private:
  void run() {
    for (;;) {
      std::array<char, 512> query{};
      net::SocketAddress from;
      const ssize_t got = ::recvfrom(fd_, query.data(), query.size(), 0, from.get(), &from.size);
      if (got < 12) return;
      const std::string_view text(query.data(), static_cast<std::size_t>(got));
      const std::size_t question_end = text.find('\0', 12) + 5;
      const bool is_a = text[question_end - 3] == 1;
      std::string reply(text.substr(0, question_end));
      reply.replace(2, 10, std::string("\x85\x80\0\1\0\0\0\0\0\0", 10));
      reply[7] = is_a ? '\1' : '\0';
      if (is_a) reply += std::string("\xc0\x0c\0\1\0\1\0\0\0\x3c\0\4\x7f\0\0\1", 16);
      ::sendto(fd_, reply.data(), reply.size(), 0, from.get(), from.size);
    }
  }

  int fd_;
  Endpoint at_;
  std::thread thread_;
};

// A ClientHello (RFC 8446 4.1.2) with this server name and nothing else.
std::string client_hello(std::string_view name) {
  const auto with_size = [](std::string_view body, std::size_t octets) {
    std::string text;
    for (std::size_t i = octets; i-- > 0;) text += static_cast<char>(body.size() >> (8 * i));
    return text + std::string(body);
  };
  const std::string entry = '\0' + with_size(name, 2);
  const std::string sni = std::string("\0\0", 2) + with_size(with_size(entry, 2), 2);
  const std::string body = "\3\3" + std::string(32, 'R') + '\0' + with_size("\x13\x01", 2) +
                           std::string("\1\0", 2) + with_size(sni, 2);
  return "\x16\3\1" + with_size('\1' + with_size(body, 3), 2);
}

class OutOfMemory : public ::testing::Test {
 protected:
  void SetUp() override {
#if __has_feature(thread_sanitizer)
    GTEST_SKIP() << "nothing can be made to fail";
#endif
    policy::Document document;
    document.name = "test";
    policy::Entry& entry = document.allow.emplace_back();
    entry.hosts.add(*policy::Pattern::parse(".test"));
    entry.ports = {{1, 65535}};
    entry.addresses = {Cidr::of(ip("127.0.0.0"), 8)};
    published_.publish(std::make_shared<const Snapshot>(
        Snapshot{.policy = policy::Policy::compile({std::move(document)}).policy,
                 .guard = policy::AddressGuard({}),
                 .version = "1"}));
    options_.clients = {Cidr::of(ip("127.0.0.0"), 8)};
    for (Duration* limit : {&options_.limits.head, &options_.limits.handshake,
                            &options_.limits.connect, &options_.limits.idle}) {
      *limit = std::chrono::seconds(5);
    }
    auto log =
        observe::AccessLog::start({.target = "/dev/null"}, metrics_, [](std::string_view) {});
    ASSERT_TRUE(log);
    log_ = *std::move(log);
    dns::ResolverOptions dns;
    dns.servers = {name_server_.at()};
    auto gateway = Gateway::make({.options = options_,
                                  .clock = clock_,
                                  .policy = published_,
                                  .metrics = metrics_,
                                  .log = *log_,
                                  .say = [](std::string_view) {},
                                  .dns = dns},
                                 {{Endpoint{ip("127.0.0.1"), 0}, {}}});
    ASSERT_TRUE(gateway) << gateway.error().detail;
    gateway_ = *std::move(gateway);
    gateway_->start();
  }

  void TearDown() override {
    if (gateway_ == nullptr) return;
    g_left = -1;
    wait_until_rest();
    EXPECT_EQ(metrics_.worker(0).connections_open.value(), 0);
    EXPECT_EQ(metrics_.worker(0).tunnels_open.value(), 0);
    gateway_->stop();
    log_->stop();
    gateway_.reset();
    log_.reset();
  }

  [[nodiscard]] Socket connect() const {
    Socket client = Socket::connected(gateway_->listening().front().at);
    set_patience(client);
    return client;
  }
  [[nodiscard]] std::string authority(std::string_view name = "a.test") const {
    return std::string(name) + ":" + origin_.port();
  }

  // The status line of an answer and what follows, up to its end.
  [[nodiscard]] std::string get(std::string_view name) const {
    const Socket client = connect();
    send_all(client, "GET http://" + authority(name) + "/ HTTP/1.1\r\nHost: " + authority(name) +
                         "\r\n\r\n");
    return receive_until(client, "hello");
  }

  // Plays `exchange` once for each allocation that it takes.
  void fail_each(const std::function<void()>& exchange) {
    exchange();
    ASSERT_FALSE(HasFailure());
    long nth = 0;
    for (bool was_hit = true; was_hit; ++nth) {
      ASSERT_LT(nth, 1000) << "more allocations than an exchange can take";
      wait_until_rest();
      g_left = nth;
      exchange();
      wait_until_rest();
      was_hit = g_left.exchange(-1) < 0;
      ASSERT_FALSE(HasFailure()) << "with allocation " << nth << " failing";
      ASSERT_TRUE(get("a.test").ends_with("hello")) << "after allocation " << nth << " had failed";
    }
    EXPECT_GT(nth, 3);
  }

  // Until no connection is open; a client that was hit has no say in it.
  void wait_until_rest() const {
    for (int i = 0; gateway_->busy() > 0 && i < 2000; ++i) ::usleep(1000);
    EXPECT_EQ(gateway_->busy(), 0U) << "a session did not end";
  }

  Server origin_{serve_origin};
  NameServer name_server_;
  Options options_;
  SystemClock clock_;
  PublishedSnapshot published_;
  observe::Metrics metrics_{1, {}};
  std::unique_ptr<observe::AccessLog> log_;
  std::unique_ptr<Gateway> gateway_;
};

TEST_F(OutOfMemory, ARequestInTheClear) {
  fail_each([this] { static_cast<void>(get("a.test")); });
}

TEST_F(OutOfMemory, ARequestOverAConnectionThatIsKept) {
  fail_each([this] {
    const Socket client = connect();
    for (int i = 0; i < 3; ++i) {
      send_all(client,
               "GET http://" + authority() + "/ HTTP/1.1\r\nHost: " + authority() + "\r\n\r\n");
      if (!receive_until(client, "hello").ends_with("hello")) break;
    }
  });
}

TEST_F(OutOfMemory, ANameThatHasToBeAskedFor) {
  int number = 0;
  fail_each([&] { static_cast<void>(get("n" + std::to_string(number++) + ".test")); });
}

TEST_F(OutOfMemory, AnUpload) {
  fail_each([this] {
    const Socket client = connect();
    send_all(client, "POST http://" + authority() + "/ HTTP/1.1\r\nHost: " + authority() +
                         "\r\nContent-Length: 30000\r\n\r\n");
    send_all(client, std::string(30000, 'x'));
    static_cast<void>(receive_until(client, "0\r\n\r\n"));
  });
}

TEST_F(OutOfMemory, ATunnel) {
  fail_each([this] {
    const Socket client = connect();
    send_all(client, "CONNECT " + authority() + " HTTP/1.1\r\nHost: " + authority() + "\r\n\r\n");
    const std::string answer = receive_until(client, "\r\n\r\n");
    if (!answer.starts_with("HTTP/1.1 200")) return;
    const std::string hello = client_hello("a.test");
    send_all(client, hello);
    static_cast<void>(receive_until(client, hello));
    ::shutdown(client.fd(), SHUT_WR);
    static_cast<void>(receive_until(client, "no such end"));
  });
}

TEST_F(OutOfMemory, ARefusal) {
  fail_each([this] {
    const Socket client = connect();
    send_all(client, "CONNECT a.example:443 HTTP/1.1\r\nHost: a.example:443\r\n\r\n");
    static_cast<void>(receive_until(client, "no such end"));
  });
}

TEST_F(OutOfMemory, ARefusedHandshake) {
  fail_each([this] {
    const Socket client = connect();
    send_all(client, "CONNECT " + authority() + " HTTP/1.1\r\nHost: " + authority() + "\r\n\r\n");
    const std::string answer = receive_until(client, "\r\n\r\n");
    if (!answer.starts_with("HTTP/1.1 200")) return;
    send_all(client, client_hello("b.test"));
    static_cast<void>(receive_until(client, "no such end"));
  });
}

TEST_F(OutOfMemory, AMalformedRequest) {
  fail_each([this] {
    const Socket client = connect();
    send_all(client, "GET / HTTP/1.1\r\nHost: a.test\r\n\r\n");
    static_cast<void>(receive_until(client, "no such end"));
  });
}

}  // namespace
}  // namespace ebbgate::proxy
