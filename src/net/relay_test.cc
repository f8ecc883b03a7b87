#include "net/relay.h"

#include <gtest/gtest.h>

#include <chrono>
#include <map>
#include <memory>
#include <set>
#include <vector>

#include "net/task.h"
#include "net/testing.h"

namespace ebbgate::net {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::connected_pair;
using testing::make_loop;
using testing::run_to_end;
using testing::Socket;

using Ends = std::map<int, Reason>;  // by number of the tunnel

class Owner final : public TunnelOwner {
 public:
  Owner(int number, Ends& ends) : number(number), ends_(&ends) {}
  void tunnel_ended(const TunnelEnd& end) override { ends_->emplace(number, end.reason); }
  const int number;

 private:
  Ends* ends_;
};

// A set of tunnels between sockets of the test's own, and how they ended.
class RelayTest : public ::testing::Test {
 protected:
  void add(int number, Deadline notice = Deadline::never()) {
    relay.add(stream(), stream(), {.notice = notice}, std::make_unique<Owner>(number, ends));
  }

  void refuse(const std::set<int>& refused, Deadline end) {
    relay.begin_judging();
    while (judge_some(refused, end)) {
    }
  }
  bool judge_some(const std::set<int>& refused, Deadline end) {
    return relay.judge_some(
        [&](const TunnelOwner& owner) {
          asked.push_back(static_cast<const Owner&>(owner).number);
          return !refused.contains(asked.back());
        },
        end);
  }

  [[nodiscard]] Deadline in(Duration time) const { return Deadline::at(loop->now() + time); }

  void run_for(Duration time) { run_to_end(*loop, wait(*loop, time)); }

  static Task<void> wait(Loop& loop, Duration time) {
    const Deadline deadline = loop.after(time);
    const Wait::End end = co_await sleep_until(loop, deadline);
    EXPECT_EQ(end, Wait::End::kTimedOut);
  }

  Task<void> wait_for_the_last() {
    while (relay.size() > 0) {
      const Deadline deadline = loop->after(Wheel::kTick);
      co_await sleep_until(*loop, deadline);
    }
  }

  std::unique_ptr<Loop> loop = make_loop();
  Ends ends;
  std::vector<int> asked;  // about which tunnels, in this order
  RelaySet relay{*loop};

 private:
  Stream stream() {
    const auto [one, other] = connected_pair();
    others_.emplace_back(other);
    return Stream(*loop, one);
  }

  std::vector<Socket> others_;
};

TEST_F(RelayTest, TunnelsThatAreRefusedEndWhenTheirNoticeIsOver) {
  for (int number = 0; number < 4; ++number) add(number);
  refuse({1, 2}, in(milliseconds(20)));
  EXPECT_EQ(relay.size(), 4U);
  run_for(milliseconds(100));
  EXPECT_EQ(ends, (Ends{{1, Reason::kPolicyChanged}, {2, Reason::kPolicyChanged}}));
  EXPECT_EQ(relay.size(), 2U);
}

TEST_F(RelayTest, ALaterJudgementPutsNoEndOffButTakesBackTheNoticeOfWhatItAllows) {
  for (int number = 0; number < 3; ++number) add(number);
  refuse({0, 1}, in(milliseconds(20)));
  refuse({0, 2}, in(seconds(20)));
  run_for(milliseconds(100));
  EXPECT_EQ(ends, (Ends{{0, Reason::kPolicyChanged}}));
}

TEST_F(RelayTest, TunnelsAreJudgedInStepsBetweenWhichTheyBeginAndEnd) {
  constexpr int kStep = RelaySet::kJudgedAtOnce;
  // The last one is the first to be asked about. Two end between the steps, the next one among
  // them.
  for (const int number : {0, 1}) add(number);
  for (const int number : {2, 3}) add(number, in(milliseconds(20)));
  for (int number = 4; number < kStep + 4; ++number) add(number);
  relay.begin_judging();
  EXPECT_TRUE(judge_some({}, in(seconds(20))));
  EXPECT_EQ(asked.size(), RelaySet::kJudgedAtOnce);
  run_for(milliseconds(100));
  EXPECT_EQ(ends.size(), 2U);
  add(kStep + 4);
  asked.clear();
  EXPECT_FALSE(judge_some({}, in(seconds(20))));
  EXPECT_EQ(asked, (std::vector{1, 0}));
  relay.begin_judging();
  EXPECT_TRUE(judge_some({}, in(seconds(20)))) << "from the first one on";
  relay.end_all(Reason::kDraining);
  EXPECT_FALSE(judge_some({}, in(seconds(20))));
}

TEST_F(RelayTest, ATunnelMayBeginWithNotice) {
  add(0, in(Duration::zero()));
  add(1, in(seconds(20)));
  run_for(milliseconds(100));
  EXPECT_EQ(ends, (Ends{{0, Reason::kPolicyChanged}}));
}

TEST_F(RelayTest, ManyEndsFollowEachOtherInGroups) {
  constexpr int kCount = 300;
  std::set<int> all;
  for (int number = 0; number < kCount; ++number) {
    add(number);
    all.insert(number);
  }
  const MonotonicTime began = loop->now();
  refuse(all, in(Duration::zero()));
  run_to_end(*loop, wait_for_the_last());
  EXPECT_EQ(ends.size(), std::size_t{kCount});
  EXPECT_GE(loop->now() - began, (kCount / 64) * Wheel::kTick);
}

TEST_F(RelayTest, AllEndAtOnceWhereTheyHaveTo) {
  for (int number = 0; number < 3; ++number) add(number);
  relay.end_all(Reason::kDraining);
  EXPECT_EQ(relay.size(), 0U);
  EXPECT_EQ(ends, (Ends{{0, Reason::kDraining}, {1, Reason::kDraining}, {2, Reason::kDraining}}));
}

}  // namespace
}  // namespace ebbgate::net
