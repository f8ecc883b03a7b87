#include "dns/cache.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <deque>
#include <memory>
#include <random>
#include <string>
#include <string_view>
#include <vector>

namespace ebbgate::dns {
namespace {

using std::chrono::seconds;

constexpr MonotonicTime kNow{seconds(1000)};
constexpr MonotonicTime kLater = kNow + seconds(60);

Hostname name(std::string_view text) {
  return Hostname::parse(text).value();
}

Outcome answer(std::string_view address, std::size_t times = 1) {
  return std::make_shared<const Answer>(
      Answer{std::vector(times, *IpAddress::parse(address)), kLater});
}

TEST(Cache, KnowsWhatItWasToldUntilItExpires) {
  Cache cache({});
  cache.put(name("a.test"), answer("192.0.2.1"), kNow + seconds(5));
  const Outcome* found = cache.find(name("a.test"), kNow + seconds(4));
  ASSERT_NE(found, nullptr);
  EXPECT_EQ((**found)->addresses.front(), *IpAddress::parse("192.0.2.1"));
  EXPECT_EQ(cache.find(name("b.test"), kNow), nullptr);
  EXPECT_EQ(cache.find(name("a.test"), kNow + seconds(5)), nullptr);
  EXPECT_EQ(cache.entries(), 0U);
  EXPECT_EQ(cache.bytes(), 0U);
}

TEST(Cache, RemembersWhyANameHasNoAddress) {
  Cache cache({});
  cache.put(name("a.test"), fail(Reason::kDnsFailed, Side::kOrigin, "NXDOMAIN"), kLater);
  const Outcome* found = cache.find(name("a.test"), kNow);
  ASSERT_NE(found, nullptr);
  ASSERT_FALSE(*found);
  EXPECT_EQ(found->error().detail, "NXDOMAIN");
}

TEST(Cache, PutsTheNewInPlaceOfTheOld) {
  Cache cache({});
  cache.put(name("a.test"), answer("192.0.2.1", 8), kLater);
  const std::size_t before = cache.bytes();
  cache.put(name("a.test"), answer("192.0.2.2"), kLater);
  EXPECT_EQ(cache.entries(), 1U);
  EXPECT_LT(cache.bytes(), before);
  EXPECT_EQ((**cache.find(name("a.test"), kNow))->addresses.front(),
            *IpAddress::parse("192.0.2.2"));
}

TEST(Cache, LetsGoFirstOfWhatWasLongestNotAskedFor) {
  Cache cache({.entries = 2, .bytes = 1 << 20});
  cache.put(name("a.test"), answer("192.0.2.1"), kLater);
  cache.put(name("b.test"), answer("192.0.2.2"), kLater);
  EXPECT_NE(cache.find(name("a.test"), kNow), nullptr);
  cache.put(name("c.test"), answer("192.0.2.3"), kLater);
  EXPECT_NE(cache.find(name("a.test"), kNow), nullptr);
  EXPECT_EQ(cache.find(name("b.test"), kNow), nullptr);
  EXPECT_NE(cache.find(name("c.test"), kNow), nullptr);
}

TEST(Cache, StaysWithinItsBytesEvenForOneEntry) {
  Cache cache({.entries = 100, .bytes = 2000});
  for (int i = 0; i < 50; ++i) {
    cache.put(name("n" + std::to_string(i) + ".test"), answer("192.0.2.1", 8), kLater);
    EXPECT_LE(cache.bytes(), 2000U);
  }
  EXPECT_GT(cache.entries(), 1U);
  cache.put(name("huge.test"), answer("192.0.2.1", 1000), kLater);
  EXPECT_EQ(cache.find(name("huge.test"), kNow), nullptr);
  EXPECT_EQ(cache.bytes(), 0U);
}

TEST(Cache, ForgetsEverything) {
  Cache cache({});
  cache.put(name("a.test"), answer("192.0.2.1"), kLater);
  cache.clear();
  EXPECT_EQ(cache.find(name("a.test"), kNow), nullptr);
  EXPECT_EQ(cache.entries(), 0U);
  EXPECT_EQ(cache.bytes(), 0U);
}

TEST(Cache, AgreesWithAModelOverRandomOperations) {
  constexpr std::size_t kRoom = 8;
  Cache cache({.entries = kRoom, .bytes = 1 << 20});
  struct Known {
    int name;
    MonotonicTime expiry;
  };
  std::deque<Known> model;  // the last one asked for first
  std::mt19937 random(7);
  MonotonicTime now = kNow;
  for (int step = 0; step < 20'000; ++step) {
    now += std::chrono::milliseconds(random() % 200);
    const int number = static_cast<int>(random() % 16);
    const Hostname host = name("n" + std::to_string(number) + ".test");
    const auto known = std::ranges::find(model, number, &Known::name);
    if (random() % 2 == 0) {
      const MonotonicTime expiry = now + std::chrono::milliseconds(random() % 3000);
      if (known != model.end()) model.erase(known);
      model.push_front({number, expiry});
      if (model.size() > kRoom) model.pop_back();
      cache.put(host, answer("192.0.2.1"), expiry);
    } else {
      bool is_known = false;
      if (known != model.end()) {
        const Known found = *known;
        model.erase(known);
        is_known = found.expiry > now;
        if (is_known) model.push_front(found);
      }
      ASSERT_EQ(cache.find(host, now) != nullptr, is_known) << step;
    }
    ASSERT_EQ(cache.entries(), model.size()) << step;
  }
}

}  // namespace
}  // namespace ebbgate::dns
