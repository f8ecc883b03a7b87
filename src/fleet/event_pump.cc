#include "fleet/event_pump.h"

#include <pthread.h>

#include <chrono>
#include <new>
#include <utility>

namespace ebbgate::fleet {

EventPump::EventPump(Take take, std::vector<Reader> readers)
    : take_(std::move(take)), readers_(std::move(readers)) {}

EventPump::~EventPump() {
  stop();
}

void EventPump::start() {
  thread_ = std::thread([this] {
    ::pthread_setname_np(::pthread_self(), "events");
    run();
  });
}

void EventPump::call(std::move_only_function<void()> work) {
  {
    const std::lock_guard lock(mutex_);
    calls_.push_back(std::move(work));
  }
  changed_.notify_one();
}

void EventPump::stop() {
  if (!thread_.joinable()) return;
  {
    const std::lock_guard lock(mutex_);
    is_stopping_ = true;
  }
  changed_.notify_one();
  thread_.join();
}

void EventPump::run() {
  for (bool is_last = false; !is_last;) {
    std::vector<std::move_only_function<void()>> calls;
    {
      std::unique_lock lock(mutex_);
      changed_.wait_for(lock, kPause, [this] { return is_stopping_ || !calls_.empty(); });
      is_last = is_stopping_;
      calls.swap(calls_);
    }
    try {
      turn();
      for (auto& work : calls) work();
    } catch (const std::bad_alloc&) {
      lines_.clear();  // lost to the readers; the access log has them
    }
  }
}

void EventPump::turn() {
  lines_.clear();
  take_(lines_);
  const MonotonicTime now = std::chrono::steady_clock::now();
  for (const Reader& reader : readers_) reader(lines_, now);
}

}  // namespace ebbgate::fleet
