// Requests of pods through a gateway on real sockets, behind a PROXY protocol header that says
// which pod's address they come from: whom the policy takes them for, while pods come, change and
// go.
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cstdio>
#include <fstream>
#include <memory>
#include <sstream>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "net/testing.h"
#include "proxy/gateway.h"

namespace ebbgate::proxy {
namespace {

using net::testing::ip;
using net::testing::Socket;
using std::chrono::milliseconds;

void send_all(const Socket& socket, std::string_view text) {
  static_cast<void>(::send(socket.fd(), text.data(), text.size(), MSG_NOSIGNAL));
}

// Reads until the text has `end` in it, or the stream is over.
std::string receive_until(const Socket& socket, std::string_view end) {
  std::string text;
  while (!text.contains(end)) {
    std::array<char, 4096> block{};
    const ssize_t got = ::recv(socket.fd(), block.data(), block.size(), 0);
    if (got <= 0) break;
    text.append(block.data(), static_cast<std::size_t>(got));
  }
  return text;
}

// Version 2 of the PROXY protocol header, 2.2 of its specification; AWS adds a VPC endpoint's id.
std::string header_of(const IpAddress& from, std::string_view vpc_endpoint) {
  std::string tlv;
  if (!vpc_endpoint.empty()) {
    tlv = std::string("\xea\0", 2) + static_cast<char>(vpc_endpoint.size() + 1) + "\x01";
    tlv += vpc_endpoint;
  }
  std::string header("\r\n\r\n\0\r\nQUIT\n\x21", 13);
  const auto& bytes = from.bytes();
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  header += from.is_v4() ? '\x11' : '\x21';
  header += '\0';
  header += static_cast<char>((from.is_v4() ? 12 : 36) + tlv.size());
  const std::string_view address = from.is_v4() ? text.substr(12) : text;
  header += address;
  header += address;
  return header + std::string("\x30\x39\x0c\x38", 4) + tlv;
}

// An origin that answers each request in the clear, and knows how many connections there were.
class Origin {
 public:
  ~Origin() {
    ::shutdown(listener_.fd(), SHUT_RDWR);
    thread_.join();
  }
  [[nodiscard]] std::string authority() const {
    return "127.0.0.1:" + std::to_string(listener_.local().port);
  }
  [[nodiscard]] int connections() const { return connections_; }

 private:
  void serve(const Socket& connection) {
    while (receive_until(connection, "\r\n\r\n").contains("\r\n\r\n")) {
      send_all(connection, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    }
  }
  void run() {
    for (;;) {
      Socket connection = listener_.accept();
      if (!connection.is_open()) break;
      ++connections_;
      served_.emplace_back([this, connection = std::move(connection)] { serve(connection); });
    }
    for (std::thread& each : served_) each.join();
  }
  Socket listener_ = Socket::listening(ip("127.0.0.1"));
  std::atomic<int> connections_ = 0;
  std::vector<std::thread> served_;
  std::thread thread_{[this] { run(); }};
};

policy::Entry entry(std::string_view host) {
  policy::Entry made;
  made.hosts.add(*policy::Pattern::parse(host));
  made.ports = {{1, 65535}};
  made.tls = policy::TlsRule::kOff;
  return made;
}

policy::SubjectRule pods_of(std::string name_space,
                            std::vector<std::pair<std::string, std::string>> labels = {}) {
  return {.pod_namespace = std::move(name_space), .pod_labels = std::move(labels)};
}

class Pods : public ::testing::Test {
 protected:
  void SetUp() override {
    pods_.set_pod_blocks({*Cidr::parse("10.0.0.0/8"), *Cidr::parse("2001:db8::/32")});
    put("web", "10.0.0.1");
    put("web6", "2001:db8::1");
    put("one", "10.0.0.3");
    put("two", "10.0.0.3");
    enforce("run");
    options_.clients = {*Cidr::parse("10.0.0.0/8"), *Cidr::parse("2001:db8::/32"),
                        *Cidr::parse("192.0.2.0/24")};
    options_.trusted = {*Cidr::parse("127.0.0.0/8")};
    options_.proxy_protocol = ProxyProtocol::kRequired;
    options_.on_policy_change = OnPolicyChange::kCut;
    log_file_ = ::testing::TempDir() + "ebbgate-pods-" + std::to_string(::getpid()) + ".json";
    auto log = observe::AccessLog::start({.target = log_file_, .format = observe::LogFormat::kJson},
                                         metrics_, [](std::string_view) {});
    ASSERT_TRUE(log);
    log_ = *std::move(log);
    auto gateway = Gateway::make({.options = options_,
                                  .clock = clock_,
                                  .policy = published_,
                                  .metrics = metrics_,
                                  .log = *log_,
                                  .say = [](std::string_view) {},
                                  .dns = {},
                                  .pods = &pods_},
                                 {{Endpoint{ip("127.0.0.1"), 0}, {}}});
    ASSERT_TRUE(gateway) << gateway.error().detail;
    gateway_ = *std::move(gateway);
    gateway_->start();
  }

  void TearDown() override {
    static_cast<void>(events());
    std::remove(log_file_.c_str());
  }

  void put(const std::string& name, std::string_view where, std::string tier = "run",
           const std::string& uid = "1") {
    pods_.put({.name = name,
               .pod_namespace = "shop",
               .uid = name + "-" + uid,
               .labels = {{"tier", std::move(tier)}},
               .addresses = {ip(where)}});
    pods_.publish();
    if (gateway_) gateway_->pods_changed();
  }

  // Pods of that tier in the namespace `shop` may reach the origin; nobody in `ci` may.
  void enforce(std::string tier, policy::Mode mode = policy::Mode::kEnforce) {
    policy::Document shop{.name = "shop", .mode = mode};
    shop.subjects = {pods_of("shop", {{"tier", std::move(tier)}})};
    shop.allow = {entry("127.0.0.1")};
    policy::Document ci{.name = "ci", .mode = mode};
    ci.subjects = {pods_of("ci")};
    ci.deny = {entry("127.0.0.1")};
    policy::Document outside{.name = "outside", .mode = mode};
    outside.subjects.push_back({.cidr = Cidr::parse("192.0.2.0/24")});
    outside.allow = {entry("127.0.0.1")};
    published_.publish(std::make_shared<const Snapshot>(
        Snapshot{.policy = policy::Policy::compile({shop, ci, outside}).policy,
                 .guard = policy::AddressGuard({}),
                 .version = "1"}));
    if (gateway_) gateway_->judge_tunnels();
  }

  [[nodiscard]] Socket connect(std::string_view from, std::string_view vpc_endpoint = {}) const {
    Socket client = Socket::connected(gateway_->listening().front().at);
    const timeval patience{.tv_sec = 10, .tv_usec = 0};
    ::setsockopt(client.fd(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    send_all(client, header_of(ip(from), vpc_endpoint));
    return client;
  }

  // The status and the reason of the answer to a request.
  [[nodiscard]] std::string get(const Socket& client) const {
    send_all(client, "GET http://" + origin_.authority() +
                         "/ HTTP/1.1\r\nHost: " + origin_.authority() + "\r\n\r\n");
    const std::string answer = receive_until(client, "\r\n\r\n");
    if (answer.contains("200 OK")) {
      return answer.ends_with("ok") || receive_until(client, "ok") == "ok" ? "200" : "cut off";
    }
    return answer.substr(0, answer.find(':')).substr(answer.find(' ') + 1);
  }
  [[nodiscard]] std::string get(std::string_view from) const { return get(connect(from)); }

  // Ends the gateway and reads what it wrote.
  [[nodiscard]] std::string events() {
    if (gateway_) gateway_->stop();
    if (log_) log_->stop();
    gateway_.reset();
    log_.reset();
    std::ostringstream all;
    all << std::ifstream(log_file_).rdbuf();
    return all.str();
  }

  Origin origin_;
  Options options_;
  SystemClock clock_;
  identity::PodIndex pods_;
  PublishedSnapshot published_;
  observe::Metrics metrics_{1, {}};
  std::string log_file_;
  std::unique_ptr<observe::AccessLog> log_;
  std::unique_ptr<Gateway> gateway_;
};

TEST_F(Pods, AreWhomTheHeaderSaysThatTheyAre) {
  EXPECT_EQ(get("10.0.0.1"), "200");
  EXPECT_EQ(get("2001:db8::1"), "200");
  EXPECT_EQ(get("::ffff:10.0.0.1"), "200");
  EXPECT_EQ(get("192.0.2.1"), "200");
  EXPECT_EQ(get("10.0.0.3"), "403 subject-ambiguous");
  put("web", "10.0.0.1", "test");
  EXPECT_EQ(get("10.0.0.1"), "403 not-allowed");
  const std::string written = events();
  const auto has = [&](std::string_view subject, std::string_view outcome) {
    std::istringstream lines(written);
    for (std::string line; std::getline(lines, line);) {
      if (line.contains(subject) && line.contains(outcome)) return true;
    }
    return false;
  };
  const std::string web = R"("subject":{"kind":"pod","name":"web","namespace":"shop"})";
  EXPECT_TRUE(has(web, R"("verdict":"ALLOW")")) << written;
  EXPECT_TRUE(has(web, R"("reason":"not-allowed")")) << written;
  EXPECT_TRUE(
      has(R"("subject":{"kind":"address","name":"10.0.0.3"})", R"("reason":"subject-ambiguous")"))
      << written;
}

TEST_F(Pods, AreNotRelaxedWhereSeveralHaveTheAddress) {
  enforce("run", policy::Mode::kReport);
  put("web", "10.0.0.1", "test");
  EXPECT_EQ(get("10.0.0.1"), "403 not-allowed") << "no document is about it";
  put("web", "10.0.0.1");
  EXPECT_EQ(get("10.0.0.1"), "200");
  EXPECT_EQ(get("10.0.0.3"), "403 subject-ambiguous");
}

TEST_F(Pods, AreNotThoseWhoComeThroughAVpcEndpoint) {
  EXPECT_EQ(get(connect("10.0.0.1", "vpce-1")), "403 not-allowed") << "of another network";
  EXPECT_EQ(get(connect("10.0.0.3", "vpce-1")), "403 not-allowed") << "nor of several";
  EXPECT_EQ(get(connect("10.0.0.9", "vpce-1")), "403 not-allowed");
  EXPECT_EQ(get(connect("192.0.2.1", "vpce-1")), "200");
  EXPECT_EQ(metrics_.worker(0).kube_waits.value(), 0U);
  pods_.watch_lost(std::chrono::steady_clock::now() - identity::PodIndex::kTrust);
  EXPECT_EQ(get(connect("10.0.0.1", "vpce-1")), "403 not-allowed");
  EXPECT_FALSE(events().contains(R"("kind":"pod")"));
}

TEST_F(Pods, AreLookedUpForEachRequestOfAConnection) {
  const Socket client = connect("10.0.0.1");
  EXPECT_EQ(get(client), "200");
  put("web", "10.0.0.1", "test");
  EXPECT_EQ(get(client), "403 not-allowed");
}

TEST_F(Pods, DoNotShareAConnectionToAnOrigin) {
  EXPECT_EQ(get("10.0.0.1"), "200");
  EXPECT_EQ(get("10.0.0.1"), "200");
  EXPECT_EQ(origin_.connections(), 1);
  pods_.remove("shop", "web");
  put("another", "10.0.0.1");
  EXPECT_EQ(get("10.0.0.1"), "200");
  EXPECT_EQ(origin_.connections(), 2) << "the address is another pod's now";
  put("another", "10.0.0.1", "run", "2");
  EXPECT_EQ(get("10.0.0.1"), "200");
  EXPECT_EQ(origin_.connections(), 3) << "it is another pod of that name now";
}

TEST_F(Pods, AreWaitedForWhereTheyAreNew) {
  const Socket client = connect("10.0.0.9");
  std::thread control([this] {
    while (metrics_.worker(0).kube_waits.value() == 0) std::this_thread::yield();
    put("other", "10.0.0.8");
    put("new", "10.0.0.9");
  });
  EXPECT_EQ(get(client), "200");
  control.join();
}

TEST_F(Pods, AreAnyPodToADenialOnceTheWatchIsLost) {
  pods_.watch_lost(std::chrono::steady_clock::now() - identity::PodIndex::kTrust);
  EXPECT_EQ(get("10.0.0.1"), "403 denied-by-rule");
  EXPECT_EQ(get("192.0.2.1"), "200");
  pods_.watch_restored();
  EXPECT_EQ(get("10.0.0.1"), "200");
}

class PodsTunnels : public Pods {
 protected:
  [[nodiscard]] Socket open(std::string_view from, std::string_view vpc_endpoint = {}) const {
    Socket client = connect(from, vpc_endpoint);
    const std::string origin = origin_.authority();
    send_all(client, "CONNECT " + origin + " HTTP/1.1\r\nHost: " + origin + "\r\n\r\n");
    EXPECT_TRUE(receive_until(client, "\r\n\r\n").contains(" 200 "));
    return client;
  }
  static bool is_open(const Socket& client) {
    send_all(client, "GET / HTTP/1.1\r\n\r\n");
    return receive_until(client, "ok").ends_with("ok");
  }
  static bool is_cut(const Socket& client) {
    char octet = 0;
    return ::recv(client.fd(), &octet, 1, 0) == 0 || errno == ECONNRESET;
  }
};

TEST_F(PodsTunnels, LiveForAsLongAsThePolicyAllowsThemToThatPod) {
  const Socket web = open("10.0.0.1");
  const Socket web6 = open("2001:db8::1");
  const Socket outside = open("192.0.2.1");
  const Socket elsewhere = open("192.0.2.1", "vpce-1");
  enforce("test");
  EXPECT_TRUE(is_cut(web6));
  put("web", "10.0.0.2", "test");
  EXPECT_TRUE(is_cut(web)) << "it lost that address";
  EXPECT_TRUE(is_open(outside));
  EXPECT_TRUE(is_open(elsewhere));
  std::istringstream lines(events());
  int closed = 0;
  for (std::string line; std::getline(lines, line);) {
    if (!line.contains(R"("phase":"close")")) continue;
    closed += line.contains(R"("kind":"pod","name":"web)") ? 1 : 0;
  }
  EXPECT_EQ(closed, 2) << "the end says whose it was, too";
}

TEST_F(PodsTunnels, AreJudgedAgainWhenPodsChangeNowAndThen) {
  const Socket web = open("10.0.0.1");
  const Socket web6 = open("2001:db8::1");
  const Socket outside = open("192.0.2.1");
  put("web", "10.0.0.1", "test");
  EXPECT_TRUE(is_cut(web)) << "its rights went with its labels";
  put("web6", "2001:db8::1", "test");
  std::this_thread::sleep_for(milliseconds(200));
  EXPECT_TRUE(is_open(web6)) << "changes come in crowds: the next ones are judged together";
  EXPECT_TRUE(is_open(outside));
}

TEST_F(PodsTunnels, AreNotInheritedByAnotherPodOfThatName) {
  const Socket web = open("10.0.0.1");
  const Socket web6 = open("2001:db8::1");
  put("web", "10.0.0.1", "run", "2");
  EXPECT_TRUE(is_cut(web));
  EXPECT_TRUE(is_open(web6));
}

}  // namespace
}  // namespace ebbgate::proxy
