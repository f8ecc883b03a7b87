#include "net/run.h"

#include <gtest/gtest.h>

#include <csignal>
#include <new>
#include <string>

#include "net/testing.h"

namespace ebbgate::net {
namespace {

Task<std::string> answer_later(Loop& loop) {
  const Wait::End end = co_await sleep_until(loop, loop.after(std::chrono::milliseconds(10)));
  co_return end == Wait::End::kTimedOut ? "later" : "stopped";
}

Task<int> run_out_of_memory() {
  throw std::bad_alloc();
  co_return 0;
}

Task<Wait::End> wait_for_ever(Loop& loop, int signal) {
  ::raise(signal);
  co_return co_await sleep_until(loop, Deadline::never());
}

TEST(RunToEnd, GivesWhatTheTaskCameTo) {
  const auto loop = testing::make_loop();
  EXPECT_EQ(run_to_end(*loop, answer_later(*loop)), "later");
}

TEST(RunToEnd, PassesOnWhatTheTaskThrew) {
  const auto loop = testing::make_loop();
  EXPECT_THROW(static_cast<void>(run_to_end(*loop, run_out_of_memory())), std::bad_alloc);
}

TEST(Interrupt, MakesWhateverIsWaitedForEnd) {
  for (const int signal : {SIGINT, SIGTERM}) {
    const auto loop = testing::make_loop();
    Interrupt interrupt(*loop);
    EXPECT_EQ(run_to_end(*loop, wait_for_ever(*loop, signal)), Wait::End::kStopped);
    EXPECT_EQ(interrupt.signal(), signal);
  }
}

TEST(Interrupt, LetsTheSecondSignalEndTheProcess) {
  EXPECT_EXIT(
      {
        const auto loop = testing::make_loop();
        Interrupt interrupt(*loop);
        static_cast<void>(run_to_end(*loop, wait_for_ever(*loop, SIGINT)));
        ::raise(SIGINT);
      },
      ::testing::KilledBySignal(SIGINT), "");
}

TEST(Interrupt, LeavesSignalsAsTheyWere) {
  sigset_t before{};
  ::pthread_sigmask(SIG_BLOCK, nullptr, &before);
  {
    const auto loop = testing::make_loop();
    const Interrupt interrupt(*loop);
  }
  sigset_t after{};
  ::pthread_sigmask(SIG_BLOCK, nullptr, &after);
  EXPECT_EQ(::sigismember(&before, SIGINT), ::sigismember(&after, SIGINT));
}

}  // namespace
}  // namespace ebbgate::net
