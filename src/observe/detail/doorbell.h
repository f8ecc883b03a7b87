// How the writer's thread sleeps and is woken. A sleeper that has nothing to do says so, and only
// then does a ring cost a system call; in a nap between two batches nobody needs to ring.
#pragma once

#include <atomic>

#include "base/clock.h"

namespace ebbgate::observe {

class Doorbell {
 public:
  Doorbell();
  ~Doorbell();
  Doorbell(const Doorbell&) = delete;
  Doorbell& operator=(const Doorbell&) = delete;

  // Any thread, after it published work with a sequentially consistent store: wakes a sleeper that
  // is idle. (The sleeper announces itself, then looks for work; the publisher stores work, then
  // looks for the sleeper: one of them sees the other.)
  void ring_if_idle() {
    if (idle_.load(std::memory_order_seq_cst) && idle_.exchange(false)) ring();
  }
  // Wakes whatever the sleeper does. Safe in a signal handler.
  void ring();

  // The sleeper's side. announce_idle(), look for work, then wait with `forever` or go on.
  void announce_idle() { idle_.store(true, std::memory_order_seq_cst); }
  void announce_busy() { idle_.store(false, std::memory_order_relaxed); }

  static constexpr Duration kForever = Duration::max();
  // Waits for the bell, for `timeout`, or until `writable_fd` (unless -1) takes bytes or fails.
  // True: it does.
  bool wait(Duration timeout, int writable_fd = -1);

 private:
  std::atomic<bool> idle_{false};
  int event_fd_;
};

}  // namespace ebbgate::observe
