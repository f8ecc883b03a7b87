#include "net/loop.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <string>
#include <thread>
#include <vector>

#include "net/task.h"
#include "net/testing.h"

namespace ebbgate::net {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::abort_on_failure;
using testing::make_loop;
using testing::run_to_end;

int readable_eventfd() {
  return ::eventfd(1, EFD_NONBLOCK | EFD_CLOEXEC);
}

TEST(Loop, RunsWhatOtherThreadsPostInTheirOrderAndOnItsOwnThread) {
  const auto loop = make_loop();
  constexpr int kThreads = 4;
  constexpr int kPosts = 1000;
  std::vector<std::vector<int>> seen(kThreads);
  int left = kThreads * kPosts;
  int on_other_threads = 0;
  const std::thread::id self = std::this_thread::get_id();
  std::vector<std::thread> threads;
  for (std::size_t t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < kPosts; ++i) {
        loop->post([&, t, i] {
          seen[t].push_back(i);
          if (std::this_thread::get_id() != self) ++on_other_threads;
          if (--left == 0) loop->stop();
        });
      }
    });
  }
  loop->run();
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(on_other_threads, 0);
  for (const std::vector<int>& numbers : seen) {
    EXPECT_EQ(numbers.size(), kPosts);
    EXPECT_TRUE(std::ranges::is_sorted(numbers));
  }
}

TEST(Loop, StopsWhenAnotherThreadSaysSo) {
  const auto loop = make_loop();
  std::thread other([&] { loop->stop(); });
  loop->run();
  other.join();
}

TEST(Loop, RunsInOneTurnWhatWasPostedWhileItRan) {
  const auto loop = make_loop();
  std::string order;
  loop->post([&] {
    order += 'a';
    loop->post([&] {
      order += 'b';
      loop->stop();
    });
  });
  loop->run();
  EXPECT_EQ(order, "ab");
}

struct Calls {
  Loop* loop = nullptr;
  std::vector<std::uint32_t> events;
};

TEST(Loop, CallsAHandlerAgainInTheNextTurnWithTheEventsGiven) {
  const auto loop = make_loop();
  Calls calls{loop.get(), {}};
  Channel& channel = loop->open(readable_eventfd());
  channel.owner = &calls;
  channel.handler = [](Channel& self, std::uint32_t events) {
    auto& owner = *static_cast<Calls*>(self.owner);
    owner.events.push_back(events);
    if (owner.events.size() < 3) {
      owner.loop->again_soon(self, EPOLLPRI);
    } else {
      owner.loop->stop();
    }
  };
  ASSERT_TRUE(loop->watch(channel, EPOLLIN | EPOLLET));
  loop->run();
  EXPECT_EQ(calls.events, (std::vector<std::uint32_t>{EPOLLIN, EPOLLPRI, EPOLLPRI}));
}

TEST(Loop, CallsAHandlerAgainOnceHoweverOftenThatWasAskedFor) {
  const auto loop = make_loop();
  Calls calls{loop.get(), {}};
  Channel& channel = loop->open(readable_eventfd());
  channel.owner = &calls;
  channel.handler = [](Channel& self, std::uint32_t events) {
    auto& owner = *static_cast<Calls*>(self.owner);
    owner.events.push_back(events);
    // A tunnel that is busy both ways asks twice whenever it is served.
    owner.loop->again_soon(self, 0);
    owner.loop->again_soon(self, 0);
  };
  int turns = 0;
  Channel& clock = loop->open(readable_eventfd());
  clock.owner = &turns;
  clock.handler = [](Channel& self, std::uint32_t /*events*/) { ++*static_cast<int*>(self.owner); };
  ASSERT_TRUE(loop->watch(channel, EPOLLIN | EPOLLET));
  ASSERT_TRUE(loop->watch(clock, EPOLLIN));  // by level: reports in each turn
  Timer stop{[](void* self) { static_cast<Loop*>(self)->stop(); }, loop.get()};
  loop->arm(stop, loop->after(milliseconds(30)));
  loop->run();
  EXPECT_GT(turns, 2);
  EXPECT_LE(calls.events.size(), static_cast<std::size_t>(turns) + 1);
}

TEST(Loop, DropsACallThatWasPutOffForAChannelThatIsClosed) {
  const auto loop = make_loop();
  Calls calls;
  Channel& channel = loop->open(readable_eventfd());
  loop->again_soon(channel, EPOLLIN);
  loop->close(channel);
  Channel& next = loop->open(readable_eventfd());
  EXPECT_NE(&next, &channel) << "the place is kept until the call's turn has come";
  for (Channel* each : {&channel, &next}) {
    each->owner = &calls;
    each->handler = [](Channel& self, std::uint32_t events) {
      static_cast<Calls*>(self.owner)->events.push_back(events);
    };
  }
  loop->stop();
  loop->run();
  EXPECT_TRUE(calls.events.empty());
  EXPECT_EQ(&loop->open(readable_eventfd()), &channel) << "then it is used again";
}

// Two channels report in the same turn. Whichever is served first closes the other and puts a new
// one in its place, which must not get the events of the one before it.
struct Rivals {
  Loop* loop;
  Channel* channels[2];
  int served = 0;
  int stale = 0;

  static void on_event(Channel& self, std::uint32_t /*events*/) {
    auto& rivals = *static_cast<Rivals*>(self.owner);
    ++rivals.served;
    Channel& other = *rivals.channels[rivals.channels[0] == &self ? 1 : 0];
    rivals.loop->close(other);
    Channel& next = rivals.loop->open(::eventfd(0, EFD_NONBLOCK));
    next.owner = &rivals;
    next.handler = [](Channel& replaced, std::uint32_t /*events*/) {
      ++static_cast<Rivals*>(replaced.owner)->stale;
    };
    EXPECT_EQ(&next, &other);
    rivals.loop->stop();
  }
};

TEST(Loop, DropsEventsOfAChannelThatWasClosedInTheSameTurn) {
  const auto loop = make_loop();
  Rivals rivals{loop.get(), {&loop->open(readable_eventfd()), &loop->open(readable_eventfd())}};
  for (Channel* channel : rivals.channels) {
    channel->owner = &rivals;
    channel->handler = &Rivals::on_event;
    ASSERT_TRUE(loop->watch(*channel, EPOLLIN | EPOLLET));
  }
  loop->run();
  EXPECT_EQ(rivals.served, 1);
  EXPECT_EQ(rivals.stale, 0);
}

TEST(Loop, SaysWhenTheSystemRefusesToWatch) {
  const auto loop = make_loop();
  const int file = ::open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
  Channel& channel = loop->open(file);
  EXPECT_FALSE(loop->watch(channel));
  EXPECT_FALSE(channel.is_registered);
}

TEST(Loop, ReportsAgainAndAgainWhatIsWatchedByLevel) {
  const auto loop = make_loop();
  Calls calls{loop.get(), {}};
  Channel& channel = loop->open(readable_eventfd());
  channel.owner = &calls;
  channel.handler = [](Channel& self, std::uint32_t events) {
    auto& owner = *static_cast<Calls*>(self.owner);
    owner.events.push_back(events);
    if (owner.events.size() == 2) EXPECT_TRUE(owner.loop->rewatch(self, EPOLLOUT));
    if (owner.events.size() == 3) owner.loop->stop();
  };
  ASSERT_TRUE(loop->watch(channel, EPOLLIN));
  loop->run();
  // The stop comes a turn later, so that there may be one more.
  ASSERT_GE(calls.events.size(), 3U);
  calls.events.resize(3);
  EXPECT_EQ(calls.events, (std::vector<std::uint32_t>{EPOLLIN, EPOLLIN, EPOLLOUT}));
}

TEST(Loop, GivesUpAChannelWithoutClosingItsDescriptor) {
  const auto loop = make_loop();
  const int fd = readable_eventfd();
  Channel& channel = loop->open(fd);
  ASSERT_TRUE(loop->watch(channel));
  EXPECT_EQ(loop->give_up(channel), fd);
  std::uint64_t count = 0;
  EXPECT_EQ(::read(fd, &count, sizeof count), static_cast<ssize_t>(sizeof count));
  ::close(fd);
}

Task<void> sleep_for(Loop& loop, Duration allowance, Wait::End& end) {
  SleepAwaiter sleep = sleep_until(loop, loop.after(allowance));
  end = co_await sleep;
}

TEST(Sleep, EndsAtItsMomentAndNotBefore) {
  const auto loop = make_loop();
  Wait::End end = Wait::End::kPending;
  const auto begun = std::chrono::steady_clock::now();
  run_to_end(*loop, sleep_for(*loop, milliseconds(30), end));
  EXPECT_EQ(end, Wait::End::kTimedOut);
  EXPECT_GE(std::chrono::steady_clock::now() - begun, milliseconds(29));
}

TEST(Loop, EndsEveryWaitAtTheHardStopAndLaterOnesAtOnce) {
  const auto loop = make_loop();
  std::array<Wait::End, 4> ends{};
  for (std::size_t i = 0; i < 3; ++i) {
    spawn(sleep_for(*loop, seconds(1000), ends[i]), abort_on_failure);
  }
  loop->post([&] {
    loop->give_up_on_everything();
    spawn(sleep_for(*loop, seconds(1000), ends[3]), abort_on_failure);
    // Those are resumed in this turn; the stop is of the next.
    loop->stop();
  });
  loop->run();
  for (const Wait::End end : ends) EXPECT_EQ(end, Wait::End::kStopped);
}

}  // namespace
}  // namespace ebbgate::net
