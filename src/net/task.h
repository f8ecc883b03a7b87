// Task<T>: a conversation as a coroutine. It starts when it is awaited, runs on the thread of its
// awaiter, and is awaited exactly once; its frame dies with the Task. spawn() starts one that
// nobody awaits. Coroutines take values, or references to what outlives the worker.
#pragma once

#include <cassert>
#include <coroutine>
#include <exception>
#include <optional>
#include <utility>

namespace ebbgate::net {

template <typename T = void>
class Task;

namespace detail {

struct TaskPromiseBase {
  std::coroutine_handle<> awaiter;

  struct FinalAwaiter {
    [[nodiscard]] bool await_ready() const noexcept { return false; }
    template <typename Promise>
    [[nodiscard]] std::coroutine_handle<> await_suspend(
        std::coroutine_handle<Promise> self) const noexcept {
      return self.promise().awaiter;
    }
    void await_resume() const noexcept {}
  };

  [[nodiscard]] std::suspend_always initial_suspend() const noexcept { return {}; }
  [[nodiscard]] FinalAwaiter final_suspend() const noexcept { return {}; }
  // Nothing on the data path throws but a failed allocation, and that reaches the awaiter.
  std::exception_ptr failure;
  void unhandled_exception() noexcept { failure = std::current_exception(); }
  void rethrow_failure() const {
    if (failure) std::rethrow_exception(failure);
  }
};

template <typename T>
struct TaskPromise final : TaskPromiseBase {
  std::optional<T> value;
  [[nodiscard]] Task<T> get_return_object();
  template <typename U = T>
  void return_value(U&& result) {
    value.emplace(std::forward<U>(result));
  }
  [[nodiscard]] T take() {
    rethrow_failure();
    return std::move(*value);
  }
};

template <>
struct TaskPromise<void> final : TaskPromiseBase {
  [[nodiscard]] Task<void> get_return_object();
  void return_void() const noexcept {}
  void take() const { rethrow_failure(); }
};

}  // namespace detail

template <typename T>
class [[nodiscard]] Task {
 public:
  using promise_type = detail::TaskPromise<T>;

  Task(Task&& other) noexcept : frame_(std::exchange(other.frame_, {})) {}
  Task& operator=(Task&& other) noexcept {
    std::swap(frame_, other.frame_);
    return *this;
  }
  Task(const Task&) = delete;
  Task& operator=(const Task&) = delete;
  ~Task() {
    if (frame_) frame_.destroy();
  }

  struct Awaiter {
    std::coroutine_handle<promise_type> frame;
    [[nodiscard]] bool await_ready() const noexcept { return false; }
    [[nodiscard]] std::coroutine_handle<> await_suspend(
        std::coroutine_handle<> awaiter) const noexcept {
      frame.promise().awaiter = awaiter;
      return frame;
    }
    T await_resume() const { return frame.promise().take(); }
  };
  [[nodiscard]] Awaiter operator co_await() const noexcept {
    assert(frame_);
    return Awaiter{frame_};
  }

 private:
  friend promise_type;
  explicit Task(std::coroutine_handle<promise_type> frame) : frame_(frame) {}
  std::coroutine_handle<promise_type> frame_;
};

namespace detail {

template <typename T>
Task<T> TaskPromise<T>::get_return_object() {
  return Task<T>(std::coroutine_handle<TaskPromise>::from_promise(*this));
}
inline Task<void> TaskPromise<void>::get_return_object() {
  return Task<void>(std::coroutine_handle<TaskPromise>::from_promise(*this));
}

// A coroutine that starts at once, belongs to nobody, and frees itself at its end.
struct Detached {
  struct promise_type {
    [[nodiscard]] Detached get_return_object() const noexcept { return {}; }
    [[nodiscard]] std::suspend_never initial_suspend() const noexcept { return {}; }
    [[nodiscard]] std::suspend_never final_suspend() const noexcept { return {}; }
    void return_void() const noexcept {}
    void unhandled_exception() const noexcept { std::terminate(); }
  };
};

template <typename OnFailure>
Detached run_detached(Task<void> task, OnFailure on_failure) {
  try {
    co_await task;
  } catch (...) {
    on_failure(std::current_exception());
  }
}

}  // namespace detail

// Starts `task` now, on this thread, until it first waits. `on_failure(std::exception_ptr)` is
// called when it ends in an exception, which only a failed allocation causes.
template <typename OnFailure>
void spawn(Task<void> task, OnFailure on_failure) {
  detail::run_detached(std::move(task), std::move(on_failure));
}

}  // namespace ebbgate::net
