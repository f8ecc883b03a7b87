// The wheel against a model that looks at every timer each time, under a simulated clock.
#include "net/wheel.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <memory>
#include <new>
#include <optional>
#include <random>
#include <vector>

namespace ebbgate::net {
namespace {

using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

constexpr MonotonicTime kStart{Duration(1'234'567'891)};

void count(void* times) {
  ++*static_cast<int*>(times);
}

TEST(Wheel, FiresOnceAtMostOneTickLateAndNeverEarly) {
  for (const Duration allowance :
       {Duration(1), Duration(milliseconds(7)), Duration(milliseconds(8)), Duration(seconds(1)),
        Duration(seconds(32)), Duration(seconds(33)), Duration(minutes(60))}) {
    Wheel wheel(kStart);
    int fired = 0;
    Timer timer(&count, &fired);
    wheel.arm(timer, Deadline::after(kStart, allowance));
    EXPECT_TRUE(timer.is_armed());
    wheel.advance(kStart + allowance - Duration(1));
    EXPECT_EQ(fired, 0) << allowance.count();
    wheel.advance(kStart + allowance + Wheel::kTick);
    EXPECT_EQ(fired, 1) << allowance.count();
    EXPECT_FALSE(timer.is_armed());
    wheel.advance(kStart + allowance + minutes(5));
    EXPECT_EQ(fired, 1) << allowance.count();
  }
}

TEST(Wheel, NeverFiresWhatNeverComes) {
  Wheel wheel(kStart);
  int fired = 0;
  Timer timer(&count, &fired);
  wheel.arm(timer, Deadline::after(kStart, seconds(1)));
  wheel.arm(timer, Deadline::never());
  EXPECT_FALSE(timer.is_armed());
  EXPECT_EQ(wheel.until_next(kStart), std::nullopt);
  wheel.advance(kStart + minutes(10));
  EXPECT_EQ(fired, 0);
}

TEST(Wheel, FiresWhatIsOverdueAtTheNextTickAndNotInsideArm) {
  Wheel wheel(kStart);
  wheel.advance(kStart + seconds(100));
  int fired = 0;
  Timer timer(&count, &fired);
  wheel.arm(timer, Deadline::at(kStart));
  EXPECT_EQ(fired, 0);
  wheel.advance(kStart + seconds(100) + Wheel::kTick);
  EXPECT_EQ(fired, 1);
}

TEST(Wheel, WakesOnceATurnForATimerThatIsFarAway) {
  Wheel wheel(kStart);
  int fired = 0;
  Timer timer(&count, &fired);
  wheel.arm(timer, Deadline::after(kStart, minutes(10)));
  MonotonicTime now = kStart;
  int wakes = 0;
  while (fired == 0) {
    const auto next = wheel.until_next(now);
    ASSERT_TRUE(next);
    now += *next;
    wheel.advance(now);
    ASSERT_LT(++wakes, 100);
  }
  EXPECT_LE(wakes, 600 / 32 + 2);
  EXPECT_LE(now, kStart + minutes(10) + Wheel::kTick);
}

struct Both {
  Wheel* wheel;
  Timer* other;
  std::unique_ptr<Timer> self;
  Deadline again = Deadline::never();
  int fired = 0;
};

TEST(Wheel, LetsAFiringTimerArmItselfAgain) {
  Wheel wheel(kStart);
  Both both{&wheel, nullptr, nullptr, Deadline::after(kStart, seconds(5))};
  both.self = std::make_unique<Timer>(
      [](void* owner) {
        auto& self = *static_cast<Both*>(owner);
        if (++self.fired == 1) self.wheel->arm(*self.self, self.again);
      },
      &both);
  wheel.arm(*both.self, Deadline::after(kStart, seconds(1)));
  wheel.advance(kStart + seconds(2));
  EXPECT_EQ(both.fired, 1);
  wheel.advance(kStart + seconds(6));
  EXPECT_EQ(both.fired, 2);
}

TEST(Wheel, LetsAFiringTimerDestroyItselfAndDisarmAnotherOfTheSameTick) {
  Wheel wheel(kStart);
  int other_fired = 0;
  Timer other(&count, &other_fired);
  Both both{&wheel, &other, nullptr};
  both.self = std::make_unique<Timer>(
      [](void* owner) {
        auto& self = *static_cast<Both*>(owner);
        ++self.fired;
        self.other->disarm();
        self.self.reset();
      },
      &both);
  // The one armed last is visited first.
  wheel.arm(other, Deadline::after(kStart, seconds(1)));
  wheel.arm(*both.self, Deadline::after(kStart, seconds(1)));
  wheel.advance(kStart + seconds(2));
  EXPECT_EQ(both.fired, 1);
  EXPECT_EQ(other_fired, 0);
}

// One timer of the wheel beside what the model knows of it.
class Modelled {
 public:
  explicit Modelled(MonotonicTime& now) : now_(&now) {}

  void arm(Wheel& wheel, Deadline deadline) {
    if (!timer_) timer_ = std::make_unique<Timer>(&Modelled::on_fire, this);
    wheel.arm(*timer_, deadline);
    due_.reset();
    if (!deadline.is_never()) due_ = deadline.when();
    // What was overdue when it was armed has a tick from then on.
    if (due_) latest_ = std::max(*due_, *now_) + Wheel::kTick;
  }
  void disarm() {
    if (timer_) timer_->disarm();
    due_.reset();
  }
  void destroy() {
    timer_.reset();
    due_.reset();
  }
  [[nodiscard]] std::optional<MonotonicTime> due() const { return due_; }
  [[nodiscard]] MonotonicTime latest() const { return latest_; }
  [[nodiscard]] bool is_armed() const { return timer_ && timer_->is_armed(); }
  [[nodiscard]] int wrong_fires() const { return wrong_fires_; }

 private:
  static void on_fire(void* owner) {
    auto& self = *static_cast<Modelled*>(owner);
    if (!self.due_ || *self.due_ > *self.now_) ++self.wrong_fires_;
    self.due_.reset();
  }

  MonotonicTime* now_;
  std::unique_ptr<Timer> timer_;
  std::optional<MonotonicTime> due_;
  MonotonicTime latest_{};
  int wrong_fires_ = 0;
};

TEST(Wheel, AgreesWithAModelOverRandomOperations) {
  for (unsigned seed = 1; seed <= 20; ++seed) {
    std::mt19937_64 random(seed);
    const auto below = [&](std::int64_t bound) {
      return static_cast<std::int64_t>(random() % static_cast<std::uint64_t>(bound));
    };
    MonotonicTime now = kStart;
    Wheel wheel(now);
    std::vector<Modelled> timers;
    for (int i = 0; i < 40; ++i) timers.emplace_back(now);

    for (int step = 0; step < 3000; ++step) {
      Modelled& timer = timers[static_cast<std::size_t>(below(40))];
      switch (below(8)) {
        case 0:
          timer.arm(wheel, Deadline::never());
          break;
        case 1:
          timer.arm(wheel, Deadline::at(now + milliseconds(below(40) - 10)));
          break;
        case 2:
          timer.arm(wheel, Deadline::at(now + Duration(below(2'000'000'000))));
          break;
        case 3:
          timer.arm(wheel, Deadline::at(now + seconds(below(120))));
          break;
        case 4:
          timer.disarm();
          break;
        case 5:
          timer.destroy();
          break;
        case 6:
          now += below(50) == 0 ? seconds(below(100)) : Duration(below(30'000'000));
          wheel.advance(now);
          break;
        default:  // as the loop does it
          if (const auto next = wheel.until_next(now)) now += *next;
          wheel.advance(now);
      }
      std::optional<MonotonicTime> earliest;
      for (const Modelled& each : timers) {
        ASSERT_EQ(each.is_armed(), each.due().has_value()) << "seed " << seed << " step " << step;
        ASSERT_EQ(each.wrong_fires(), 0) << "seed " << seed << " step " << step;
        if (!each.due()) continue;
        ASSERT_GT(each.latest(), now) << "seed " << seed << " step " << step;
        earliest = std::min(earliest.value_or(each.latest()), each.latest());
      }
      const auto next = wheel.until_next(now);
      ASSERT_EQ(next.has_value(), earliest.has_value()) << "seed " << seed << " step " << step;
      if (earliest) ASSERT_LE(now + *next, *earliest) << "seed " << seed << " step " << step;
    }
  }
}

TEST(Wheel, FiresTheOthersWhenOneFailsForWantOfMemory) {
  Wheel wheel(kStart);
  int fired = 0;
  Timer before{[](void* count) { ++*static_cast<int*>(count); }, &fired};
  Timer failing{[](void* /*owner*/) { throw std::bad_alloc(); }, nullptr};
  Timer after{[](void* count) { ++*static_cast<int*>(count); }, &fired};
  for (Timer* timer : {&before, &failing, &after}) {
    wheel.arm(*timer, Deadline::after(kStart, Wheel::kTick));
  }
  EXPECT_EQ(wheel.advance(kStart + 2 * Wheel::kTick), 1U);
  EXPECT_EQ(fired, 2);
}

}  // namespace
}  // namespace ebbgate::net
