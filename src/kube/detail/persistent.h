// A conversation that is to go on for as long as the process does: where it ends because memory ran
// out, it begins anew after a pause, and the process lives. What it had begun is as it was left.
#pragma once

#include <chrono>
#include <functional>
#include <new>
#include <utility>

#include "base/clock.h"
#include "net/background.h"
#include "net/loop.h"

namespace ebbgate::kube::detail {

class Persistent {
 public:
  static constexpr Duration kPause = std::chrono::seconds(1);

  // `begin` makes the conversation; `pause` lies between a failure and the next beginning.
  Persistent(net::Loop& loop, std::function<net::Task<void>()> begin, Duration pause = kPause)
      : loop_(loop), begin_(std::move(begin)), pause_(pause) {}

  void start() {
    try {
      running_.start(begin_(), [this](const std::exception_ptr&) { again(); });
    } catch (const std::bad_alloc&) {
      again();
    }
  }
  [[nodiscard]] bool is_running() const { return running_.is_running() || timer_.is_armed(); }

 private:
  void again() { loop_.arm(timer_, loop_.after(pause_)); }
  static void on_timer(void* self) { static_cast<Persistent*>(self)->start(); }

  net::Loop& loop_;
  std::function<net::Task<void>()> begin_;
  Duration pause_;
  net::Timer timer_{&Persistent::on_timer, this};
  net::Background running_;
};

}  // namespace ebbgate::kube::detail
