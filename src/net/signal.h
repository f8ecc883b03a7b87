// A moment that several coroutines of one thread wait for: an answer that all of them asked for, a
// last session that ends.
#pragma once

#include <vector>

#include "net/loop.h"

namespace ebbgate::net {

class Signal {
 public:
  explicit Signal(Loop& loop) : loop_(&loop) {}
  Signal(const Signal&) = delete;
  Signal& operator=(const Signal&) = delete;
  ~Signal() { notify_all(); }

  class Awaiter {
   public:
    Awaiter(Signal& signal, Deadline deadline)
        : signal_(&signal), wait_(*signal.loop_), deadline_(deadline) {}
    [[nodiscard]] bool await_ready() const noexcept { return false; }
    void await_suspend(std::coroutine_handle<> frame) {
      signal_->waiters_.push_back(this);
      wait_.begin(frame, deadline_);
    }
    Wait::End await_resume() {
      if (signal_ != nullptr) std::erase(signal_->waiters_, this);
      return wait_.end();
    }

   private:
    friend class Signal;
    Signal* signal_;  // null once notified: the signal may be gone before this is resumed
    Wait wait_;
    Deadline deadline_;
  };

  // `co_await signal.wait(deadline)` gives kHappened, kTimedOut or kStopped.
  [[nodiscard]] Awaiter wait(Deadline deadline) { return {*this, deadline}; }

  // Ends all waits that have begun; later ones wait for the next call.
  void notify_all() {
    for (Awaiter* waiter : waiters_) {
      waiter->signal_ = nullptr;
      waiter->wait_.finish(Wait::End::kHappened);
    }
    waiters_.clear();
  }
  [[nodiscard]] bool has_waiters() const { return !waiters_.empty(); }

 private:
  Loop* loop_;
  std::vector<Awaiter*> waiters_;
};

}  // namespace ebbgate::net
