// A conversation that belongs to an object: it is started and not awaited, and dies with its owner.
#pragma once

#include <coroutine>
#include <exception>
#include <utility>

#include "net/task.h"

namespace ebbgate::net {

class Background {
 public:
  Background() = default;
  Background(const Background&) = delete;
  Background& operator=(const Background&) = delete;
  // Ends the conversation where it waits. To be done while the loop does not run: what has ended
  // its wait already is about to be resumed.
  ~Background() {
    if (frame_) frame_.destroy();
  }

  [[nodiscard]] bool is_running() const { return frame_ && !frame_.done(); }

  // Starts `task` now, until it first waits; none may be running. `on_failure(std::exception_ptr)`
  // is called when it ends in an exception, which only a failed allocation causes.
  template <typename OnFailure>
  void start(Task<void> task, OnFailure on_failure) {
    if (frame_) std::exchange(frame_, {}).destroy();
    frame_ = run(std::move(task), std::move(on_failure)).frame;
    frame_.resume();
  }

 private:
  struct Started {
    struct promise_type {
      [[nodiscard]] Started get_return_object() noexcept {
        return {std::coroutine_handle<promise_type>::from_promise(*this)};
      }
      [[nodiscard]] std::suspend_always initial_suspend() const noexcept { return {}; }
      [[nodiscard]] std::suspend_always final_suspend() const noexcept { return {}; }
      void return_void() const noexcept {}
      void unhandled_exception() const noexcept { std::terminate(); }
    };
    std::coroutine_handle<promise_type> frame;
  };

  template <typename OnFailure>
  static Started run(Task<void> task, OnFailure on_failure) {
    try {
      co_await task;
    } catch (...) {
      on_failure(std::current_exception());
    }
  }

  std::coroutine_handle<Started::promise_type> frame_;
};

}  // namespace ebbgate::net
