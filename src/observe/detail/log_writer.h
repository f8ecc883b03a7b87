// The thread that writes the access log: sleeps, takes what all queues hold, writes it in one
// piece, and lives through targets that are full, stalled or gone.
#pragma once

#include <atomic>
#include <cstddef>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "observe/access_log.h"
#include "observe/detail/doorbell.h"
#include "observe/detail/syncer.h"
#include "observe/log_target.h"
#include "observe/metrics.h"

namespace ebbgate::observe {

class LogWriter {
 public:
  // Between two writes: what makes one write of many events, and most of how late an event is.
  static constexpr Duration kNap = std::chrono::milliseconds(20);
  static constexpr Duration kFirstBackOff = std::chrono::milliseconds(50);
  static constexpr Duration kLongestBackOff = std::chrono::seconds(1);
  // How long a target takes nothing before that is worth a message.
  static constexpr Duration kStall = std::chrono::seconds(1);

  LogWriter(std::unique_ptr<LogTarget> target, Metrics& metrics, Diagnostics diagnostics);
  ~LogWriter();  // stops without patience
  LogWriter(const LogWriter&) = delete;
  LogWriter& operator=(const LogWriter&) = delete;

  [[nodiscard]] Doorbell& doorbell() { return doorbell_; }

  // Opens the target, and starts the thread over the queues of `workers`, which outlive it. An
  // errno or 0.
  int start(const std::vector<std::unique_ptr<WorkerLog>>& workers);
  void reopen();                        // AccessLog::reopen
  std::size_t stop(Duration patience);  // AccessLog::stop

 private:
  enum class State { kFine, kStalled, kFailing };

  void run();
  void sleep_until_there_is_work();
  void take_batch();
  void write_batch();
  void open_target();
  void wait_until_it_takes_bytes();
  void wait_after(const std::string& what, int error);
  void report(State state, const std::string& message);
  void report_recovery();
  [[nodiscard]] std::size_t queued() const;
  [[nodiscard]] std::uint64_t dropped() const;
  [[nodiscard]] bool is_stopping() const { return give_up_at_.load() != MonotonicTime::max(); }

  std::unique_ptr<LogTarget> target_;
  Metrics& metrics_;
  const Diagnostics diagnostics_;
  Doorbell doorbell_;
  std::atomic<bool> reopen_{false};
  std::atomic<MonotonicTime> give_up_at_{MonotonicTime::max()};  // set by stop()

  // The thread's own.
  std::vector<WorkerLog*> workers_;
  std::vector<std::uint64_t> refusals_written_;  // by worker
  std::string batch_;                            // whole lines
  std::size_t written_ = 0;                      // of the batch
  std::size_t taken_ = 0;                        // octets that the batch took from the queues
  bool has_refusals_ = false;                    // the batch
  State state_ = State::kFine;
  MonotonicTime last_progress_{};
  std::uint64_t dropped_before_ = 0;  // events, when the trouble began
  Duration back_off_ = kFirstBackOff;

  Syncer syncer_;
  std::thread thread_;
};

}  // namespace ebbgate::observe
