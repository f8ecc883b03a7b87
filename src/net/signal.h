// A moment that several coroutines of one thread wait for: an answer that all of them asked for, a
// last session that ends.
#pragma once

#include <utility>

#include "net/loop.h"

namespace ebbgate::net {

class Signal {
 public:
  explicit Signal(Loop& loop) : loop_(&loop) {}
  Signal(const Signal&) = delete;
  Signal& operator=(const Signal&) = delete;
  ~Signal() { notify_all(); }

  // Waiting allocates nothing: who has to wait before it may end can do so without memory.
  class Awaiter {
   public:
    Awaiter(Signal& signal, Deadline deadline)
        : signal_(&signal), wait_(*signal.loop_), deadline_(deadline) {}
    Awaiter(const Awaiter&) = delete;
    Awaiter& operator=(const Awaiter&) = delete;
    ~Awaiter() { leave(); }
    [[nodiscard]] bool await_ready() const noexcept { return false; }
    void await_suspend(std::coroutine_handle<> frame) {
      before_ = &signal_->first_;
      next_ = std::exchange(signal_->first_, this);
      if (next_ != nullptr) next_->before_ = &next_;
      wait_.begin(frame, deadline_);
    }
    Wait::End await_resume() {
      leave();
      return wait_.end();
    }

   private:
    friend class Signal;
    void leave() {
      if (before_ == nullptr) return;
      *before_ = next_;
      if (next_ != nullptr) next_->before_ = before_;
      before_ = nullptr;
    }

    Signal* signal_;
    Wait wait_;
    Deadline deadline_;
    Awaiter** before_ = nullptr;  // what points at this; null once notified
    Awaiter* next_ = nullptr;
  };

  // `co_await signal.wait(deadline)` gives kHappened, kTimedOut or kStopped.
  [[nodiscard]] Awaiter wait(Deadline deadline) { return {*this, deadline}; }

  // Ends all waits that have begun; later ones wait for the next call. The signal may be gone
  // before they are resumed.
  void notify_all() {
    while (first_ != nullptr) {
      Awaiter& waiter = *first_;
      waiter.leave();
      waiter.wait_.finish(Wait::End::kHappened);
    }
  }
  [[nodiscard]] bool has_waiters() const { return first_ != nullptr; }

 private:
  Loop* loop_;
  Awaiter* first_ = nullptr;
};

}  // namespace ebbgate::net
