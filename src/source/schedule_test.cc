#include "source/schedule.h"

#include <gtest/gtest.h>

#include <limits>

namespace ebbgate::source {
namespace {

using namespace std::chrono_literals;

constexpr std::uint64_t kLeast = 0;
constexpr std::uint64_t kMost = std::numeric_limits<std::uint64_t>::max();

TEST(Schedule, SpreadsTheFleetWhileAllIsWell) {
  const Schedule schedule{.interval = 10s};
  EXPECT_EQ(next_pause(schedule, 0, kLeast), 8s);
  EXPECT_LE(next_pause(schedule, 0, kMost), 12s);
  EXPECT_GT(next_pause(schedule, 0, kMost), 11999ms);
}

TEST(Schedule, WaitsLongerWithEachFailureUpToItsMost) {
  const Schedule schedule{.interval = 5s, .max_backoff = 60s};
  struct Case {
    int failures;
    Duration least, most;
  };
  for (const Case& each : {Case{1, 5s, 10s}, Case{2, 10s, 20s}, Case{3, 20s, 40s},
                           Case{4, 30s, 60s}, Case{5, 30s, 60s}, Case{1'000'000'000, 30s, 60s}}) {
    EXPECT_EQ(next_pause(schedule, each.failures, kLeast), each.least) << each.failures;
    EXPECT_LE(next_pause(schedule, each.failures, kMost), each.most);
    EXPECT_GT(next_pause(schedule, each.failures, kMost), each.most - 1ms);
  }
}

TEST(Schedule, NeverAsksMoreOftenThanTheIntervalForFailing) {
  const Schedule slow{.interval = 10min, .max_backoff = 60s};
  EXPECT_EQ(next_pause(slow, 3, kLeast), 5min);
  EXPECT_LE(next_pause(slow, 3, kMost), 10min);
}

TEST(Schedule, AParameterReachesAFleetWithinTenSeconds) {
  const Schedule schedule{.interval = default_interval(config::SourceKind::kSsm)};
  EXPECT_LT(next_pause(schedule, 0, kMost), 9s);
}

}  // namespace
}  // namespace ebbgate::source
