// What goes through a tunnel: every octet in order, both ways at once, as fast as the slower side
// takes it, and each way of ending passed on. The two ends are threads with blocking sockets.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <pthread.h>
#include <sys/socket.h>
#include <time.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <future>
#include <memory>
#include <random>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "net/relay.h"
#include "net/testing.h"

namespace ebbgate::net {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::connected_pair;
using testing::make_loop;
using testing::NoDescriptors;
using testing::Socket;

constexpr std::size_t kMiB = 1 << 20;
constexpr std::size_t kBulk = 56 * kMiB;  // octets each way: both together are more than 100 MB

// A stream of octets in which none can be lost, doubled or moved unnoticed: random ones, repeated
// with a period that no buffer size divides.
class Pattern {
 public:
  explicit Pattern(std::uint32_t seed) : block_(kPeriod + 2 * kMiB, '\0') {
    std::mt19937 random(seed);
    for (std::size_t i = 0; i < block_.size(); ++i) {
      block_[i] = i < kPeriod ? static_cast<char>(random()) : block_[i - kPeriod];
    }
  }
  // At most 2 MiB.
  [[nodiscard]] std::string_view at(std::size_t offset, std::size_t size) const {
    return std::string_view(block_).substr(offset % kPeriod, size);
  }

 private:
  static constexpr std::size_t kPeriod = 1'000'003;
  std::string block_;
};
const Pattern kUp(1);
const Pattern kDown(2);

// Sends the first `size` octets of the pattern, in writes of at most `step`. Out: how many went.
std::size_t send_pattern(int fd, const Pattern& pattern, std::size_t size, std::size_t step) {
  std::size_t sent = 0;
  while (sent < size) {
    const std::string_view piece = pattern.at(sent, std::min(step, size - sent));
    const ssize_t done = ::send(fd, piece.data(), piece.size(), MSG_NOSIGNAL);
    if (done <= 0) break;
    sent += static_cast<std::size_t>(done);
  }
  return sent;
}

struct Received {
  std::size_t octets = 0;
  bool is_right = true;  // those of the pattern
  int error = 0;         // 0: the stream ended, or had that many octets
};

// Receives until the end, or `most` octets.
Received receive_pattern(int fd, const Pattern& pattern, std::size_t most = SIZE_MAX,
                         std::size_t step = 256 * 1024) {
  Received received;
  std::string buffer(step, '\0');
  while (received.octets < most) {
    const std::size_t wanted = std::min(step, most - received.octets);
    const ssize_t got = ::recv(fd, buffer.data(), wanted, 0);
    if (got < 0) received.error = errno;
    if (got <= 0) break;
    const auto size = static_cast<std::size_t>(got);
    received.is_right &=
        std::string_view(buffer).substr(0, size) == pattern.at(received.octets, size);
    received.octets += size;
  }
  return received;
}

std::size_t open_descriptors() {
  const std::filesystem::directory_iterator all("/proc/self/fd");
  return static_cast<std::size_t>(std::distance(begin(all), end(all)));
}

// The test's two ends of one tunnel, and how it ended.
struct Ends {
  Socket client{-1};
  Socket origin{-1};
  std::future<TunnelEnd> end;
};

class Owner final : public TunnelOwner {
 public:
  [[nodiscard]] std::future<TunnelEnd> end() { return end_.get_future(); }
  void tunnel_ended(const TunnelEnd& end) override { end_.set_value(end); }

 private:
  std::promise<TunnelEnd> end_;
};

// The loop runs on a thread of its own.
class RelayTraffic : public ::testing::Test {
 protected:
  RelayTraffic() : thread_([this] { loop_->run(); }) {}
  ~RelayTraffic() override {
    on_loop([this] { relay_.reset(); });
    loop_->stop();
    thread_.join();
    loop_.reset();
    EXPECT_EQ(open_descriptors(), before_) << "descriptors were leaked";
  }

  Ends open(const TunnelLimits& limits = {}) {
    Ends ends;
    const int client = end_of_pair(ends.client);
    const int origin = end_of_pair(ends.origin);
    auto owner = std::make_unique<Owner>();
    ends.end = owner->end();
    on_loop([&] {
      relay_->add(Stream(*loop_, client), Stream(*loop_, origin), limits, std::move(owner));
    });
    return ends;
  }

  template <typename Work>
  void on_loop(Work work) {
    std::promise<void> done;
    loop_->post([&] {
      work();
      done.set_value();
    });
    done.get_future().wait();
  }

  [[nodiscard]] Deadline after(Duration time) {
    Deadline deadline = Deadline::never();
    on_loop([&] { deadline = loop_->after(time); });
    return deadline;
  }

  // What the loop's thread has used.
  [[nodiscard]] Duration cpu_time() {
    clockid_t clock{};
    ::pthread_getcpuclockid(thread_.native_handle(), &clock);
    timespec spent{};
    ::clock_gettime(clock, &spent);
    return seconds(spent.tv_sec) + std::chrono::nanoseconds(spent.tv_nsec);
  }

 private:
  static int end_of_pair(Socket& other_end) {
    const auto [ours, theirs] = connected_pair();
    ::fcntl(theirs, F_SETFL, 0);
    other_end = Socket(theirs);
    return ours;
  }

  const std::size_t before_ = open_descriptors();
  std::unique_ptr<Loop> loop_ = make_loop();
  std::unique_ptr<RelaySet> relay_ = std::make_unique<RelaySet>(*loop_);
  std::thread thread_;
};

// Both directions at once; out: what the origin and the client got.
std::pair<Received, Received> exchange_bulk(Ends& ends, std::size_t size) {
  auto up = std::async(std::launch::async, [&] {
    send_pattern(ends.client.fd(), kUp, size, kMiB);
    ::shutdown(ends.client.fd(), SHUT_WR);
  });
  auto down = std::async(std::launch::async, [&] {
    send_pattern(ends.origin.fd(), kDown, size, kMiB);
    ::shutdown(ends.origin.fd(), SHUT_WR);
  });
  auto at_client =
      std::async(std::launch::async, [&] { return receive_pattern(ends.client.fd(), kDown); });
  const Received at_origin = receive_pattern(ends.origin.fd(), kUp);
  up.get();
  down.get();
  return {at_origin, at_client.get()};
}

void expect_whole(const Received& received, std::size_t size) {
  EXPECT_EQ(received.octets, size);
  EXPECT_TRUE(received.is_right);
  EXPECT_EQ(received.error, 0);
}

TEST_F(RelayTraffic, BulkBothWaysAtOnceArrivesWhole) {
  Ends ends = open();
  const auto [at_origin, at_client] = exchange_bulk(ends, kBulk);
  expect_whole(at_origin, kBulk);
  expect_whole(at_client, kBulk);
  const TunnelEnd end = ends.end.get();
  EXPECT_EQ(end.from_client, kBulk);
  EXPECT_EQ(end.from_origin, kBulk);
  EXPECT_EQ(end.error, std::errc{});
}

TEST_F(RelayTraffic, BulkIsCopiedWhereThereIsNoPipe) {
  Ends ends = open();
  const NoDescriptors none;
  const auto [at_origin, at_client] = exchange_bulk(ends, kBulk / 4);
  expect_whole(at_origin, kBulk / 4);
  expect_whole(at_client, kBulk / 4);
}

TEST_F(RelayTraffic, SmallMessagesGoBackAndForth) {
  const Ends ends = open();
  std::mt19937 random(3);
  for (int i = 0; i < 2000; ++i) {
    const std::size_t size = 1 + random() % 3000;
    const auto [from, to] = i % 2 == 0 ? std::pair(ends.client.fd(), ends.origin.fd())
                                       : std::pair(ends.origin.fd(), ends.client.fd());
    ASSERT_EQ(send_pattern(from, kUp, size, size), size);
    const Received received = receive_pattern(to, kUp, size);
    ASSERT_EQ(received.octets, size);
    ASSERT_TRUE(received.is_right);
  }
}

// Sends as much as is taken until nothing was for a while.
std::size_t send_until_stuck(int fd) {
  std::size_t sent = 0;
  pollfd writable{fd, POLLOUT, 0};
  while (::poll(&writable, 1, 300) > 0 && (writable.revents & POLLERR) == 0) {
    const std::string_view piece = kUp.at(sent, 64 * 1024);
    const ssize_t done = ::send(fd, piece.data(), piece.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
    if (done > 0) sent += static_cast<std::size_t>(done);
  }
  return sent;
}

TEST_F(RelayTraffic, AReaderThatDoesNotReadHoldsUpTheWriter) {
  const Ends ends = open();
  const std::size_t sent = send_until_stuck(ends.client.fd());
  EXPECT_GT(sent, 64 * 1024U);
  EXPECT_LT(sent, 40 * kMiB);  // the buffers of two connections, and a pipe
}

TEST_F(RelayTraffic, WhileOneDirectionIsStuckTheOtherMovesAndTheLoopSleeps) {
  Ends ends = open();
  const std::size_t sent = send_until_stuck(ends.client.fd());
  auto down = std::async(std::launch::async,
                         [&] { return send_pattern(ends.origin.fd(), kDown, kMiB, 4096); });
  expect_whole(receive_pattern(ends.client.fd(), kDown, kMiB), kMiB);
  down.get();
  const Duration before = cpu_time();
  ::poll(nullptr, 0, 500);
  EXPECT_LT(cpu_time() - before, milliseconds(100));
  ::shutdown(ends.client.fd(), SHUT_WR);
  expect_whole(receive_pattern(ends.origin.fd(), kUp, SIZE_MAX, 10'000), sent);
}

TEST_F(RelayTraffic, AHalfCloseIsPassedOnAndTheOtherDirectionGoesOn) {
  for (const bool by_client : {true, false}) {
    SCOPED_TRACE(by_client ? "by the client" : "by the origin");
    Ends ends = open();
    Socket& first = by_client ? ends.client : ends.origin;
    Socket& second = by_client ? ends.origin : ends.client;
    auto there = std::async(std::launch::async, [&] {
      send_pattern(first.fd(), kUp, 3 * kMiB, kMiB);
      ::shutdown(first.fd(), SHUT_WR);  // with octets on their way
    });
    expect_whole(receive_pattern(second.fd(), kUp), 3 * kMiB);
    there.get();
    auto back = std::async(std::launch::async, [&] {
      send_pattern(second.fd(), kDown, 10 * kMiB, kMiB);
      second.close();
    });
    expect_whole(receive_pattern(first.fd(), kDown), 10 * kMiB);
    back.get();
    const TunnelEnd end = ends.end.get();
    EXPECT_EQ(end.reason, by_client ? Reason::kClientClosed : Reason::kOriginClosed);
    EXPECT_EQ(end.error, std::errc{});
  }
}

void reset(Socket& socket) {
  const linger immediately{.l_onoff = 1, .l_linger = 0};
  ::setsockopt(socket.fd(), SOL_SOCKET, SO_LINGER, &immediately, sizeof immediately);
  socket.close();
}

TEST_F(RelayTraffic, AResetIsPassedOnAsOne) {
  for (const bool by_client : {true, false}) {
    for (const bool is_stuck : {false, true}) {
      SCOPED_TRACE(std::string(by_client ? "by the client" : "by the origin") +
                   (is_stuck ? ", with octets under way" : ""));
      Ends ends = open();
      Socket& first = by_client ? ends.client : ends.origin;
      Socket& second = by_client ? ends.origin : ends.client;
      if (is_stuck) send_until_stuck(first.fd());
      reset(first);
      const Received received = receive_pattern(second.fd(), kUp);
      EXPECT_TRUE(received.is_right);
      EXPECT_EQ(received.error, ECONNRESET);
      const TunnelEnd end = ends.end.get();
      EXPECT_EQ(end.reason, by_client ? Reason::kClientClosed : Reason::kOriginClosed);
      EXPECT_NE(end.error, std::errc{});
    }
  }
}

bool has_ended(const Ends& ends) {
  return ends.end.wait_for(Duration::zero()) == std::future_status::ready;
}

TEST_F(RelayTraffic, WithoutAnOctetTheIdleTimeoutEndsIt) {
  Ends quiet = open({.idle = milliseconds(400)});
  Ends busy = open({.idle = milliseconds(400)});
  for (bool up = true; !has_ended(quiet); up = !up) {  // an octet either way is a sign of life
    ::send((up ? busy.client : busy.origin).fd(), "x", 1, MSG_NOSIGNAL);
    char octet = 0;
    ASSERT_EQ(::recv((up ? busy.origin : busy.client).fd(), &octet, 1, 0), 1);
    ::poll(nullptr, 0, 10);
  }
  EXPECT_EQ(quiet.end.get().reason, Reason::kIdleTimeout);
  EXPECT_EQ(receive_pattern(quiet.client.fd(), kUp).error, ECONNRESET);
  EXPECT_EQ(receive_pattern(quiet.origin.fd(), kUp).error, ECONNRESET);
  EXPECT_FALSE(has_ended(busy));
  EXPECT_EQ(busy.end.get().reason, Reason::kIdleTimeout);
}

TEST_F(RelayTraffic, AWriterThatNobodyReadsIsIdle) {
  Ends ends = open({.idle = milliseconds(400)});
  send_until_stuck(ends.client.fd());
  EXPECT_EQ(ends.end.get().reason, Reason::kIdleTimeout);
}

TEST_F(RelayTraffic, TheTotalTimeoutEndsItHoweverBusy) {
  const auto began = std::chrono::steady_clock::now();
  Ends ends = open({.total = after(milliseconds(300))});
  auto up = std::async(std::launch::async,
                       [&] { send_pattern(ends.client.fd(), kUp, SIZE_MAX / 2, kMiB); });
  const Received received = receive_pattern(ends.origin.fd(), kUp);
  up.get();
  EXPECT_TRUE(received.is_right);
  EXPECT_EQ(received.error, ECONNRESET);
  EXPECT_EQ(ends.end.get().reason, Reason::kTunnelTimeout);
  EXPECT_GE(std::chrono::steady_clock::now() - began, milliseconds(300));
}

TEST_F(RelayTraffic, AnIdleTunnelHoldsNoPipe) {
  const Ends ends = open();
  const std::size_t idle = open_descriptors();
  auto up =
      std::async(std::launch::async, [&] { send_pattern(ends.client.fd(), kUp, 8 * kMiB, kMiB); });
  receive_pattern(ends.origin.fd(), kUp, 8 * kMiB);
  up.get();
  on_loop([] {});
  EXPECT_LE(open_descriptors(), idle + 2);  // one pipe, which the pool keeps for the next
}

// One tunnel's two ends, which write at random, stop reading, close and reset. Out: whether all
// that came was right, and came whole where nothing was reset.
bool behave_at_random(Ends& ends, unsigned seed) {
  std::mt19937 random(seed);
  const bool is_reset = random() % 4 == 0;
  const std::size_t size = random() % (4 * kMiB);
  const std::size_t up_step = 1 + random() % 100'000;
  const std::size_t down_step = 1 + random() % 100'000;
  const std::size_t read_step = 1 + random() % 50'000;
  auto up = std::async(std::launch::async, [&] {
    send_pattern(ends.client.fd(), kUp, size, up_step);
    ::shutdown(ends.client.fd(), SHUT_WR);
  });
  auto at_client = std::async(std::launch::async, [&] {
    return receive_pattern(ends.client.fd(), kDown, SIZE_MAX, read_step);
  });
  auto down = std::async(std::launch::async, [&] {
    send_pattern(ends.origin.fd(), kDown, size / 2, down_step);
    if (!is_reset) ::shutdown(ends.origin.fd(), SHUT_WR);
  });
  const Received at_origin =
      receive_pattern(ends.origin.fd(), kUp, is_reset ? size / 2 : SIZE_MAX, read_step);
  down.get();
  if (is_reset) reset(ends.origin);
  up.get();
  const Received back = at_client.get();
  if (!at_origin.is_right || !back.is_right) return false;
  return is_reset || (at_origin.octets == size && back.octets == size / 2);
}

TEST_F(RelayTraffic, WhateverTheEndsDoOctetsComeInOrderAndEveryTunnelEnds) {
  std::vector<Ends> all;
  for (int i = 0; i < 24; ++i) all.push_back(open());
  std::vector<std::future<bool>> running;
  for (unsigned i = 0; i < all.size(); ++i) {
    running.push_back(
        std::async(std::launch::async, [&all, i] { return behave_at_random(all[i], i); }));
  }
  for (unsigned i = 0; i < all.size(); ++i) {
    EXPECT_TRUE(running[i].get()) << "seed " << i;
    EXPECT_EQ(all[i].end.wait_for(seconds(20)), std::future_status::ready) << "seed " << i;
  }
}

}  // namespace
}  // namespace ebbgate::net
