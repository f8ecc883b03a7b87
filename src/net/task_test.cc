#include "net/task.h"

#include <gtest/gtest.h>

#include <exception>
#include <memory>
#include <new>
#include <utility>

namespace ebbgate::net {
namespace {

void ignore_failure(const std::exception_ptr& /*failure*/) {}

Task<int> number(int value) {
  co_return value;
}

Task<int> counting(int& started) {
  ++started;
  co_return started;
}

Task<std::unique_ptr<int>> owned(int value) {
  co_return std::make_unique<int>(value);
}

Task<void> out_of_memory() {
  throw std::bad_alloc();
  co_return;
}

Task<int> number_out_of_memory() {
  throw std::bad_alloc();
  co_return 0;
}

// Suspends and lets the test say when to go on.
struct Parked {
  std::coroutine_handle<>* place;
  [[nodiscard]] bool await_ready() const noexcept { return false; }
  void await_suspend(std::coroutine_handle<> frame) const noexcept { *place = frame; }
  void await_resume() const noexcept {}
};

struct CountsItsEnd {
  int* ends;
  explicit CountsItsEnd(int& count) : ends(&count) {}
  CountsItsEnd(const CountsItsEnd&) = delete;
  CountsItsEnd& operator=(const CountsItsEnd&) = delete;
  ~CountsItsEnd() { ++*ends; }
};

Task<void> parks(std::coroutine_handle<>& place, int& ends, bool& is_done) {
  const CountsItsEnd local(ends);
  const Parked parked{&place};
  co_await parked;
  is_done = true;
}

Task<void> add_three(int& sum) {
  const int one = co_await number(1);
  const int two = co_await number(2);
  sum = one + two;
}

TEST(Task, StartsWhenItIsAwaitedAndNotBefore) {
  int started = 0;
  {
    const Task<int> never_awaited = counting(started);
  }
  EXPECT_EQ(started, 0);
}

TEST(Task, GivesItsValueToTheAwaiter) {
  int sum = 0;
  spawn(add_three(sum), ignore_failure);
  EXPECT_EQ(sum, 3);
}

Task<void> take_owned(int& out) {
  const std::unique_ptr<int> value = co_await owned(7);
  out = *value;
}

TEST(Task, GivesAValueThatCanOnlyBeMoved) {
  int out = 0;
  spawn(take_owned(out), ignore_failure);
  EXPECT_EQ(out, 7);
}

Task<void> survive(int& caught) {
  try {
    co_await out_of_memory();
  } catch (const std::bad_alloc&) {
    ++caught;
  }
  try {
    const int value = co_await number_out_of_memory();
    caught += value;
  } catch (const std::bad_alloc&) {
    ++caught;
  }
}

TEST(Task, PassesAFailedAllocationToTheAwaiter) {
  int caught = 0;
  spawn(survive(caught), ignore_failure);
  EXPECT_EQ(caught, 2);
}

TEST(Spawn, ReportsAFailedAllocation) {
  bool was_bad_alloc = false;
  spawn(out_of_memory(), [&](const std::exception_ptr& failure) {
    try {
      std::rethrow_exception(failure);
    } catch (const std::bad_alloc&) {
      was_bad_alloc = true;
    }
  });
  EXPECT_TRUE(was_bad_alloc);
}

TEST(Spawn, RunsUntilTheFirstWaitAndFreesTheFramesAtTheEnd) {
  std::coroutine_handle<> parked;
  int ends = 0;
  bool is_done = false;
  spawn(parks(parked, ends, is_done), ignore_failure);
  ASSERT_TRUE(parked);
  EXPECT_FALSE(is_done);
  EXPECT_EQ(ends, 0);
  parked.resume();
  EXPECT_TRUE(is_done);
  EXPECT_EQ(ends, 1);
}

Task<void> add_many(int count, std::int64_t& sum) {
  for (int i = 0; i < count; ++i) {
    const int value = co_await number(1);
    sum += value;
  }
}

TEST(Task, ThatCompletesAtOnceDoesNotGrowTheStackOfALoop) {
  std::int64_t sum = 0;
  spawn(add_many(1'000'000, sum), ignore_failure);
  EXPECT_EQ(sum, 1'000'000);
}

}  // namespace
}  // namespace ebbgate::net
