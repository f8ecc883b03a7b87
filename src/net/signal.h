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
      signal_->waits_.push_back(&wait_);
      wait_.begin(frame, deadline_);
    }
    Wait::End await_resume() {
      // Who timed out is still in the list; who was notified is not, and the signal may be gone.
      if (wait_.end() != Wait::End::kHappened) std::erase(signal_->waits_, &wait_);
      return wait_.end();
    }

   private:
    Signal* signal_;
    Wait wait_;
    Deadline deadline_;
  };

  // `co_await signal.wait(deadline)` gives kHappened, kTimedOut or kStopped.
  [[nodiscard]] Awaiter wait(Deadline deadline) { return {*this, deadline}; }

  // Ends all waits that have begun; later ones wait for the next call.
  void notify_all() {
    for (Wait* wait : waits_) wait->finish(Wait::End::kHappened);
    waits_.clear();
  }
  [[nodiscard]] bool has_waiters() const { return !waits_.empty(); }

 private:
  Loop* loop_;
  std::vector<Wait*> waits_;
};

}  // namespace ebbgate::net
