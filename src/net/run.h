// For commands: a conversation run to its end on a loop of its own, and Ctrl-C as a request to give
// up in good order rather than a death in the middle.
#pragma once

#include <signal.h>

#include <array>
#include <exception>
#include <optional>
#include <utility>

#include "net/loop.h"
#include "net/task.h"

namespace ebbgate::net {

namespace detail {

template <typename T>
Task<void> run_and_stop(Loop& loop, Task<T> task, std::optional<T>& out,
                        std::exception_ptr& failure) {
  try {
    out.emplace(co_await task);
  } catch (...) {  // no memory
    failure = std::current_exception();
  }
  loop.stop();
}

}  // namespace detail

// Serves `loop` until `task` has ended. Out: its result. Once for each loop. Throws what the task
// threw, which only a failed allocation does.
template <typename T>
[[nodiscard]] T run_to_end(Loop& loop, Task<T> task) {
  std::optional<T> out;
  std::exception_ptr failure;
  spawn(detail::run_and_stop(loop, std::move(task), out, failure),
        [](const std::exception_ptr& why) { std::rethrow_exception(why); });
  loop.run();
  if (failure) std::rethrow_exception(failure);
  return std::move(*out);
}

// While it lives, the first SIGINT or SIGTERM makes the loop give up on everything: whatever is
// waited for ends as kDraining, so that the command can say how far it came. The second one ends
// the process. To be made before any thread is started, since it blocks the signals.
class Interrupt {
 public:
  explicit Interrupt(Loop& loop);
  ~Interrupt();
  Interrupt(const Interrupt&) = delete;
  Interrupt& operator=(const Interrupt&) = delete;

  // The signal that came, or 0.
  [[nodiscard]] int signal() const { return signal_; }

 private:
  static constexpr std::array kSignals = {SIGINT, SIGTERM};
  static void on_signal(Channel& channel, std::uint32_t events);
  void restore();

  Loop* loop_;
  Channel* channel_ = nullptr;  // null where the system gives no descriptor: signals then just end
  sigset_t before_{};
  int signal_ = 0;
};

}  // namespace ebbgate::net
