// The thread between the workers' events and those who read them a second time: it takes what the
// tap of the access log holds, ten times a second, and hands it to its readers. A disk or a flood
// that holds it up delays neither requests nor the control loop.
#pragma once

#include <condition_variable>
#include <functional>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "base/clock.h"

namespace ebbgate::fleet {

class EventPump {
 public:
  // Appends the events that have come since to `out` (observe::AccessLog::take_tapped).
  using Take = std::function<std::size_t(std::string& out)>;
  // Gets whole JSON lines, or none: it is called ten times a second in any case. On the pump's
  // thread; `now` is for what it has to do by time.
  using Reader = std::function<void(std::string_view lines, MonotonicTime now)>;

  static constexpr Duration kPause = std::chrono::milliseconds(100);

  EventPump(Take take, std::vector<Reader> readers);
  ~EventPump();  // stops
  EventPump(const EventPump&) = delete;
  EventPump& operator=(const EventPump&) = delete;

  void start();
  // Runs `work` on the pump's thread soon, after the readers have had what is there by now. From
  // any thread; nothing happens with it after stop().
  void call(std::move_only_function<void()> work);
  // Hands over what is left, and joins.
  void stop();

 private:
  void run();
  void turn();

  Take take_;
  std::vector<Reader> readers_;
  std::string lines_;

  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::move_only_function<void()>> calls_;
  bool is_stopping_ = false;
  std::thread thread_;
};

}  // namespace ebbgate::fleet
