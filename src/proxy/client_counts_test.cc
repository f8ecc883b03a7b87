#include "proxy/client_counts.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>
#include <vector>

namespace ebbgate::proxy {
namespace {

IpAddress ip(std::string_view text) {
  return *IpAddress::parse(text);
}

TEST(ClientCounts, RefusesWhatIsMoreThanTheLimitAndCountsItUntilItIsGone) {
  ClientCounts counts(2, 0);
  EXPECT_EQ(counts.enter(), Reason::kAllowed);
  EXPECT_EQ(counts.enter(), Reason::kAllowed);
  EXPECT_EQ(counts.enter(), Reason::kOverCapacity);
  EXPECT_EQ(counts.open(), 3U);
  counts.leave();  // the one that was refused
  EXPECT_EQ(counts.enter(), Reason::kOverCapacity);
  counts.leave();
  counts.leave();
  EXPECT_EQ(counts.enter(), Reason::kAllowed);
}

TEST(ClientCounts, ZeroIsNoLimit) {
  ClientCounts counts(0, 0);
  for (int i = 0; i < 1000; ++i) {
    EXPECT_EQ(counts.enter(), Reason::kAllowed);
    EXPECT_EQ(counts.enter(ip("192.0.2.1")), Reason::kAllowed);
  }
}

TEST(ClientCounts, EachClientHasALimitOfItsOwn) {
  ClientCounts counts(0, 1);
  for (const auto* text : {"192.0.2.1", "192.0.2.2", "2001:db8::1", "2001:db8::2"}) {
    const IpAddress client = ip(text);
    EXPECT_EQ(counts.enter(client), Reason::kAllowed) << text;
    EXPECT_EQ(counts.enter(client), Reason::kOverLimit) << text;
    counts.leave(client);
    counts.leave(client);
    EXPECT_EQ(counts.enter(client), Reason::kAllowed) << text;
  }
}

TEST(ClientCounts, WhoWasNeverCountedMayLeave) {
  ClientCounts counts(0, 1);
  counts.leave(ip("192.0.2.1"));
  EXPECT_EQ(counts.enter(ip("192.0.2.1")), Reason::kAllowed);
}

// Workers come and go at once: never more than the limit are let in, and nothing is left over.
TEST(ClientCounts, HoldsForSeveralThreads) {
  constexpr std::uint32_t kMost = 8;
  ClientCounts counts(kMost, kMost / 2);
  std::atomic<std::uint32_t> inside = 0;
  std::atomic<bool> is_broken = false;
  std::vector<std::thread> threads;
  for (std::uint32_t number = 0; number < 4; ++number) {
    threads.emplace_back([&, number] {
      const IpAddress client = IpAddress::v4(0xC0000200U + number % 2);
      for (int i = 0; i < 20'000; ++i) {
        const Reason in_all = counts.enter();
        const Reason of_client = counts.enter(client);
        if (in_all == Reason::kAllowed && of_client == Reason::kAllowed) {
          if (++inside > kMost) is_broken = true;
          --inside;
        }
        counts.leave(client);
        counts.leave();
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_FALSE(is_broken);
  EXPECT_EQ(counts.open(), 0U);
}

}  // namespace
}  // namespace ebbgate::proxy
