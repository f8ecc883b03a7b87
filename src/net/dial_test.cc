// Against listeners on loopback addresses: one that accepts, a closed port that refuses, and one
// whose queue is full, so that the kernel drops what comes and nobody answers.
#include "net/dial.h"

#include <gtest/gtest.h>

#include <chrono>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "net/task.h"
#include "net/testing.h"

namespace ebbgate::net {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::ip;
using testing::make_loop;
using testing::NoDescriptors;
using testing::run_to_end;
using testing::Socket;

std::size_t open_descriptors() {
  return static_cast<std::size_t>(std::distance(
      std::filesystem::directory_iterator("/proc/self/fd"), std::filesystem::directory_iterator()));
}

std::vector<IpAddress> addresses(const std::vector<std::string_view>& texts) {
  std::vector<IpAddress> out;
  for (const std::string_view text : texts) out.push_back(ip(text));
  return out;
}

// A listener that never answers: its queue holds one connection, and has it.
class Silent {
 public:
  Silent(const IpAddress& address, std::uint16_t port)
      : listener_(Socket::listening(address, port, 0)),
        fills_(Socket::connected(listener_.local())) {}
  [[nodiscard]] bool is_silent() const { return listener_.is_open() && fills_.is_open(); }

 private:
  Socket listener_;
  Socket fills_;
};

Task<void> dial_into(Loop& loop, std::vector<IpAddress> to, Port port, Duration allowance,
                     DialOptions options, std::optional<Result<Dialed>>& out) {
  out.emplace(co_await dial(loop, std::move(to), port, loop.after(allowance), options));
}

// On a port that nobody has at the other addresses either: what runs beside this uses them, too.
Socket listening_where_others_are_free() {
  for (int attempt = 0; attempt < 100; ++attempt) {
    Socket socket = Socket::listening(ip("127.0.0.1"));
    const std::uint16_t port = socket.local().port;
    const bool is_free = Socket::listening(ip("127.0.0.2"), port).is_open() &&
                         Socket::listening(ip("127.0.0.3"), port).is_open();
    if (is_free) return socket;
  }
  ADD_FAILURE() << "no port is free at three addresses";
  return Socket(-1);
}

struct Dial : ::testing::Test {
  std::unique_ptr<Loop> loop = make_loop();
  Socket listener = listening_where_others_are_free();
  std::uint16_t number = listener.local().port;
  Port port = *Port::of(number);
  std::optional<Result<Dialed>> out;

  Result<Dialed>& dial_all(const std::vector<std::string_view>& to,
                           DialOptions options = {.attempt_delay = milliseconds(40), .local = {}},
                           Duration allowance = seconds(20)) {
    run_to_end(*loop, dial_into(*loop, addresses(to), port, allowance, options, out));
    return *out;
  }
  [[nodiscard]] Endpoint at(std::string_view address) const { return {ip(address), number}; }
};

TEST_F(Dial, ConnectsToTheOneAddress) {
  auto& dialed = dial_all({"127.0.0.1"});
  ASSERT_TRUE(dialed);
  EXPECT_EQ(dialed->remote, at("127.0.0.1"));
  EXPECT_EQ(dialed->stream.remote(), at("127.0.0.1"));
  EXPECT_LT(dialed->took, seconds(10));
}

TEST_F(Dial, PrefersIpv6) {
  const Socket v6 = Socket::listening(ip("::1"), number);
  ASSERT_TRUE(v6.is_open());
  auto& dialed = dial_all({"127.0.0.1", "::1"});
  ASSERT_TRUE(dialed);
  EXPECT_EQ(dialed->remote, at("::1"));
}

TEST_F(Dial, GoesOnAtOnceWhenAnAddressRefuses) {
  // With an attempt delay longer than the deadline only the refusals can be what moves it on.
  auto& dialed =
      dial_all({"127.0.0.1", "127.0.0.2", "::1"}, {.attempt_delay = seconds(60), .local = {}});
  ASSERT_TRUE(dialed);
  EXPECT_EQ(dialed->remote, at("127.0.0.1"));
}

TEST_F(Dial, TakesTurnsBetweenTheFamiliesInTheOrderGiven) {
  listener.close();
  const auto& dialed = dial_all({"127.0.0.3", "127.0.0.1", "::1", "127.0.0.2", "::1"});
  ASSERT_FALSE(dialed);
  EXPECT_EQ(dialed.error().reason, Reason::kConnectFailed);
  EXPECT_EQ(dialed.error().side, Side::kOrigin);
  const std::string p = std::to_string(number);
  EXPECT_EQ(dialed.error().detail,
            "[::1]:" + p + ": Connection refused; 127.0.0.3:" + p +
                ": Connection refused; [::1]:" + p + ": Connection refused; 127.0.0.1:" + p +
                ": Connection refused; 127.0.0.2:" + p + ": Connection refused");
}

TEST_F(Dial, StartsTheNextBesideAnAddressThatDoesNotAnswer) {
  const Silent silent(ip("127.0.0.2"), number);
  ASSERT_TRUE(silent.is_silent());
  auto& dialed = dial_all({"127.0.0.2", "127.0.0.1"});
  ASSERT_TRUE(dialed);
  EXPECT_EQ(dialed->remote, at("127.0.0.1"));
  EXPECT_GE(dialed->took, milliseconds(40));
}

TEST_F(Dial, LeavesNothingOpenButTheWinner) {
  const Silent silent(ip("127.0.0.2"), number);
  ASSERT_TRUE(silent.is_silent());
  const std::size_t before = open_descriptors();
  auto& dialed = dial_all({"127.0.0.2", "127.0.0.2", "127.0.0.1"});
  ASSERT_TRUE(dialed);
  EXPECT_EQ(open_descriptors(), before + 1);
  dialed->stream.close();
  EXPECT_EQ(open_descriptors(), before);
}

TEST_F(Dial, LeavesNothingOpenWhenItFails) {
  const Silent silent(ip("127.0.0.2"), number);
  ASSERT_TRUE(silent.is_silent());
  const std::size_t before = open_descriptors();
  const auto& dialed = dial_all({"127.0.0.2", "127.0.0.3"},
                                {.attempt_delay = milliseconds(10), .local = {}}, milliseconds(60));
  ASSERT_FALSE(dialed);
  EXPECT_EQ(open_descriptors(), before);
}

TEST_F(Dial, TimesOutAtTheDeadlineAndSaysWhatEachAddressDid) {
  const Silent silent(ip("127.0.0.2"), number);
  ASSERT_TRUE(silent.is_silent());
  const auto begun = std::chrono::steady_clock::now();
  const auto& dialed = dial_all({"127.0.0.2", "127.0.0.3"},
                                {.attempt_delay = milliseconds(10), .local = {}}, milliseconds(60));
  EXPECT_GE(std::chrono::steady_clock::now() - begun, milliseconds(59));
  ASSERT_FALSE(dialed);
  EXPECT_EQ(dialed.error().reason, Reason::kTimedOut);
  const std::string p = std::to_string(number);
  EXPECT_EQ(dialed.error().detail,
            "127.0.0.3:" + p + ": Connection refused; 127.0.0.2:" + p + ": no answer");
}

TEST_F(Dial, GetsToAnAddressBehindMoreSilentOnesThanItKeepsWaitingFor) {
  const Silent silent(ip("127.0.0.2"), number);
  ASSERT_TRUE(silent.is_silent());
  std::vector<std::string_view> to(12, "127.0.0.2");
  to.push_back("127.0.0.1");
  auto& dialed = dial_all(to, {.attempt_delay = milliseconds(8), .local = {}});
  ASSERT_TRUE(dialed);
  EXPECT_EQ(dialed->remote, at("127.0.0.1"));
}

TEST_F(Dial, FailsWhereThereIsNoAddress) {
  const auto& dialed = dial_all({});
  ASSERT_FALSE(dialed);
  EXPECT_EQ(dialed.error(),
            (Error{Reason::kConnectFailed, Side::kOrigin, "there is no address to connect to"}));
}

TEST_F(Dial, ConnectsFromTheAddressItWasTold) {
  auto& dialed =
      dial_all({"::1", "127.0.0.1"}, {.attempt_delay = milliseconds(40), .local = ip("127.0.0.9")});
  ASSERT_TRUE(dialed);
  EXPECT_EQ(dialed->stream.local().address, ip("127.0.0.9"));
}

TEST_F(Dial, SaysWhichAddressesAreNotOfTheFamilyOfItsOwn) {
  const auto& dialed =
      dial_all({"::1"}, {.attempt_delay = milliseconds(40), .local = ip("127.0.0.9")});
  ASSERT_FALSE(dialed);
  EXPECT_EQ(dialed.error().reason, Reason::kConnectFailed);
  EXPECT_EQ(dialed.error().detail,
            "[::1]:" + std::to_string(number) + ": not of the family of 127.0.0.9");
}

// UBSan's own checks open pipes, so that nothing else may happen meanwhile.
Task<void> dial_without_descriptors(Loop& loop, std::vector<IpAddress> to, Port port,
                                    std::optional<Result<Dialed>>& out) {
  const NoDescriptors none;
  out.emplace(co_await dial(loop, std::move(to), port, loop.after(seconds(20))));
}

TEST_F(Dial, SaysThatTheProcessHasNoDescriptorLeft) {
  run_to_end(*loop,
             dial_without_descriptors(*loop, addresses({"127.0.0.1", "127.0.0.2"}), port, out));
  ASSERT_FALSE(*out);
  EXPECT_EQ(out->error().reason, Reason::kOverCapacity);
  EXPECT_EQ(out->error().side, Side::kSelf);
}

TEST_F(Dial, EndsAtTheHardStop) {
  const Silent silent(ip("127.0.0.2"), number);
  ASSERT_TRUE(silent.is_silent());
  loop->post([this] { loop->give_up_on_everything(); });
  const auto& dialed = dial_all({"127.0.0.2"});
  ASSERT_FALSE(dialed);
  EXPECT_EQ(dialed.error().reason, Reason::kDraining);
}

}  // namespace
}  // namespace ebbgate::net
