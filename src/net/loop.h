// One thread's event loop: an epoll descriptor, the deadlines, and a queue that other threads post
// to. Everything else in net stands on it.
//
// A Channel is a descriptor in the loop. It is registered with epoll once, edge-triggered, when
// something first has to be waited for, and stays registered for its whole life, whoever owns it:
// a Stream during the conversation, the RelaySet when that has become a tunnel.
#pragma once

#include <sys/epoll.h>

#include <atomic>
#include <coroutine>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "net/wheel.h"

namespace ebbgate::net {

struct Channel {
  // Called with what epoll reported; the latches below are already set.
  using Handler = void (*)(Channel&, std::uint32_t events);

  int fd = -1;
  std::uint32_t index = 0;       // its place in the loop's table
  std::uint32_t generation = 0;  // grows when the place is used again: stale events are dropped
  bool is_registered = false;
  bool reports_write = false;    // epoll was told to report when it becomes writable
  bool is_muted = false;         // epoll was told not to report what comes to be read
  bool may_read = true;          // false once the kernel said "would block", until it reports again
  bool may_write = true;         // the same for writing
  bool peer_is_done = false;     // the other side closed or reset: reading will tell how
  bool is_called_again = false;  // again_soon() was asked for it in this turn
  std::uint32_t again_events = 0;  // what for
  Handler handler = nullptr;
  void* owner = nullptr;
  Channel* next = nullptr;  // among those that are called again, or that nobody uses
};

class Loop;

// A wait in progress: on a descriptor, a signal, or time. It ends when what it waits for happens,
// when its deadline comes, or when the loop is told to give up on everything (the hard stop).
class Wait {
 public:
  enum class End : std::uint8_t { kPending, kHappened, kTimedOut, kStopped };

  explicit Wait(Loop& loop);
  Wait(const Wait&) = delete;
  Wait& operator=(const Wait&) = delete;
  ~Wait();

  // From await_suspend: `frame` is resumed once, by whichever end comes first.
  void begin(std::coroutine_handle<> frame, Deadline deadline);
  // Ends the wait and queues the coroutine; nothing happens where it has ended already.
  void finish(End end);
  [[nodiscard]] End end() const { return end_; }
  [[nodiscard]] Loop& loop() const { return *loop_; }

 private:
  friend class Loop;
  static void on_deadline(void* self);

  Loop* loop_;
  std::coroutine_handle<> frame_;
  Timer timer_{&Wait::on_deadline, this};
  Wait* prev_ = nullptr;
  Wait* next_ = nullptr;
  Wait* next_ready_ = nullptr;
  End end_ = End::kPending;
};

class Loop {
 public:
  // Fails as kInternal where the system gives no epoll or eventfd descriptor.
  [[nodiscard]] static Result<std::unique_ptr<Loop>> make();
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;
  ~Loop();

  // Serves until stop(). The calling thread is the loop's thread from then on.
  void run();

  // --- From any thread ---------------------------------------------------------------------
  void post(std::move_only_function<void()> work);
  void stop();

  // --- From the loop's thread, or before run() ---------------------------------------------
  // The time of this turn of the loop.
  [[nodiscard]] MonotonicTime now() const { return now_; }
  [[nodiscard]] Deadline after(Duration allowance) const {
    return Deadline::after(now_, allowance);
  }
  void arm(Timer& timer, Deadline deadline) { wheel_.arm(timer, deadline); }

  // Takes `fd` (non-blocking) into the table; the loop closes it in close(), and here where it
  // throws std::bad_alloc.
  [[nodiscard]] Channel& open(int fd);
  // Makes sure that epoll watches the channel, edge-triggered unless `events` says otherwise.
  // False where the system refuses (out of memory or watches).
  [[nodiscard]] bool watch(Channel& channel, std::uint32_t events = kReadEdges);
  // The same, and that it reports when the channel becomes writable. Most sockets never make a
  // writer wait, so they are spared the report that they can be written to from the start.
  [[nodiscard]] bool watch_writable(Channel& channel);
  // Whether epoll reports what comes to be read: not while nobody can take it, or every packet
  // would wake the thread. Unmuting reports what came meanwhile. False as above.
  [[nodiscard]] bool mute(Channel& channel, bool is_muted);
  // Changes what a watched channel waits for.
  [[nodiscard]] bool rewatch(Channel& channel, std::uint32_t events);
  // Takes the channel out of epoll, which closing does only where no other process has a copy of
  // the descriptor.
  void unwatch(Channel& channel);
  void close(Channel& channel);
  // Forgets the channel without closing its descriptor, which is returned.
  [[nodiscard]] int give_up(Channel& channel);

  // Calls the channel's handler again in the next turn, once, with the `events` of the first who
  // asked: for work that was cut off so that others get their turn.
  void again_soon(Channel& channel, std::uint32_t events);

  // Whether an operation may complete on the spot. Each resumed coroutine has a bounded number of
  // those, so that a fast peer cannot keep the thread for itself.
  [[nodiscard]] bool may_complete_now() { return is_giving_up_ ? false : budget_-- > 0; }

  // Ends every wait, now and in future, with kStopped.
  void give_up_on_everything();
  [[nodiscard]] bool is_giving_up() const { return is_giving_up_; }

  // Called when a handler, a timer or posted work gave up for want of memory; what it served is
  // left as it was.
  std::function<void()> on_out_of_memory;

  static constexpr std::uint32_t kReadEdges = EPOLLIN | EPOLLRDHUP | EPOLLET;
  static constexpr std::uint32_t kAllEdges = kReadEdges | EPOLLOUT;

 private:
  friend class Wait;
  Loop(int epoll_fd, int event_fd);

  void dispatch(std::uint32_t index, std::uint32_t generation, std::uint32_t events);
  // Resumes who waited in this turn, after the events that are already at hand. It allocates
  // nothing, as closing does: what is owed to somebody must not fail for want of memory.
  void resume_soon(Wait& wait);
  void run_again();
  void run_ready();
  void run_posted();
  static void on_posted(Channel& channel, std::uint32_t events);

  int epoll_fd_;
  Channel* posted_channel_ = nullptr;
  MonotonicTime now_;
  Wheel wheel_;
  std::deque<Channel> channels_;
  Channel* free_channels_ = nullptr;
  Wait* ready_ = nullptr;  // in the order in which they ended
  Wait** ready_end_ = &ready_;
  Channel* again_ = nullptr;  // in the order in which they asked
  Channel** again_end_ = &again_;
  Wait* waits_ = nullptr;
  int budget_ = 0;
  bool is_giving_up_ = false;
  bool is_stopping_ = false;

  std::mutex posted_mutex_;
  std::vector<std::move_only_function<void()>> posted_;
};

// Waits for a moment. `co_await sleep_until(loop, deadline)` gives Wait::End.
class SleepAwaiter {
 public:
  SleepAwaiter(Loop& loop, Deadline deadline) : wait_(loop), deadline_(deadline) {}
  [[nodiscard]] bool await_ready() const noexcept { return false; }
  void await_suspend(std::coroutine_handle<> frame) { wait_.begin(frame, deadline_); }
  Wait::End await_resume() const noexcept { return wait_.end(); }

 private:
  Wait wait_;
  Deadline deadline_;
};
[[nodiscard]] inline SleepAwaiter sleep_until(Loop& loop, Deadline deadline) {
  return {loop, deadline};
}

}  // namespace ebbgate::net
