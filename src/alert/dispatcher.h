// Sends alerts one after the other, however long that takes: a bounded queue, pauses that grow
// while the sink fails, and a message about those that had to be dropped.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <string>
#include <string_view>

#include "alert/sink.h"
#include "net/signal.h"
#include "observe/metrics.h"

namespace ebbgate::alert {

struct DispatcherOptions {
  std::string gateway;  // who says so
  std::size_t queue = 500;
  Duration first_pause = std::chrono::seconds(1);
  Duration longest_pause = std::chrono::minutes(2);
};

class Dispatcher {
 public:
  // All outlive it; it outlives its coroutine.
  Dispatcher(net::Loop& loop, Sink& sink, DispatcherOptions options, observe::FleetMetrics& metrics,
             std::function<std::uint64_t()> random, std::function<void(std::string_view)> say);

  // Queues it; what does not fit is dropped and counted.
  void add(Message message);

  // Sends until the hard stop.
  [[nodiscard]] net::Task<void> run();
  // Sends what is queued, as long as that works, and lets run() end.
  [[nodiscard]] net::Task<void> finish(Deadline deadline);

 private:
  [[nodiscard]] Duration pause();
  [[nodiscard]] bool is_over() const { return is_finishing_ && queue_.empty(); }

  net::Loop* loop_;
  Sink* sink_;
  DispatcherOptions options_;
  observe::FleetMetrics* metrics_;
  std::function<std::uint64_t()> random_;
  std::function<void(std::string_view)> say_;
  std::deque<Message> queue_;
  std::uint64_t dropped_ = 0;  // since the last message about it
  Duration pause_{};
  net::Signal changed_;
  net::Signal ended_;
  bool is_finishing_ = false;
  bool has_ended_ = true;
};

}  // namespace ebbgate::alert
