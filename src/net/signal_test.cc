#include "net/signal.h"

#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <vector>

#include "net/task.h"
#include "net/testing.h"

namespace ebbgate::net {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::abort_on_failure;
using testing::make_loop;

// Takes a pointer, since some of these signals end before their waiters do.
Task<void> wait_for(Signal* signal, Deadline deadline, std::vector<Wait::End>& ends) {
  Signal::Awaiter wait = signal->wait(deadline);
  const Wait::End end = co_await wait;
  ends.push_back(end);
}

TEST(Signal, ReleasesAllWhoWaitAndNobodyWhoComesLater) {
  const auto loop = make_loop();
  Signal signal(*loop);
  std::vector<Wait::End> ends;
  for (int i = 0; i < 3; ++i) {
    spawn(wait_for(&signal, Deadline::never(), ends), abort_on_failure);
  }
  EXPECT_TRUE(signal.has_waiters());
  signal.notify_all();
  EXPECT_FALSE(signal.has_waiters());
  spawn(wait_for(&signal, loop->after(milliseconds(20)), ends), abort_on_failure);
  Signal late(*loop);
  std::vector<Wait::End> last;
  testing::spawn_to_stop(*loop, wait_for(&late, loop->after(milliseconds(60)), last));
  loop->run();
  EXPECT_EQ(ends, (std::vector{Wait::End::kHappened, Wait::End::kHappened, Wait::End::kHappened,
                               Wait::End::kTimedOut}));
  EXPECT_FALSE(signal.has_waiters());
}

TEST(Signal, ReleasesItsWaitersWhenItEnds) {
  const auto loop = make_loop();
  auto signal = std::make_unique<Signal>(*loop);
  std::vector<Wait::End> ends;
  testing::spawn_to_stop(*loop, wait_for(signal.get(), Deadline::never(), ends));
  signal.reset();
  loop->run();
  EXPECT_EQ(ends, std::vector{Wait::End::kHappened});
}

TEST(Signal, MayEndBetweenTheTimeOutOfAWaiterAndItsResumption) {
  const auto loop = make_loop();
  auto signal = std::make_unique<Signal>(*loop);
  std::vector<Wait::End> ends;
  testing::spawn_to_stop(*loop, wait_for(signal.get(), loop->after(seconds(1000)), ends));
  loop->post([&] {
    loop->give_up_on_everything();  // ends the wait, and resumes it at the end of the turn
    signal.reset();
  });
  loop->run();
  EXPECT_EQ(ends, std::vector{Wait::End::kStopped});
}

}  // namespace
}  // namespace ebbgate::net
