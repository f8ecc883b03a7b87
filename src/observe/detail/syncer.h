// Brings refusals onto the disk within a second of being written (semantics 13), in a thread of
// its own: a sync may take longer than an event may wait to be written.
#pragma once

#include <condition_variable>
#include <mutex>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "observe/access_log.h"
#include "observe/log_target.h"
#include "observe/metrics.h"

namespace ebbgate::observe {

class Syncer {
 public:
  Syncer(Metrics& metrics, Diagnostics diagnostics);
  ~Syncer();  // syncs what is due, then ends
  Syncer(const Syncer&) = delete;
  Syncer& operator=(const Syncer&) = delete;

  // The target was opened: what is written from now on is synced by `sync`, which may be empty.
  void watch(LogTarget::Sync sync);
  // Refusals were written to the target.
  void wrote_refusals();

 private:
  void run();

  std::mutex mutex_;
  std::condition_variable wake_;
  LogTarget::Sync current_;
  bool is_due_ = false;
  std::vector<LogTarget::Sync> rotated_;  // targets that were due when another one was opened
  bool stopping_ = false;
  LogMetrics& metrics_;
  const Diagnostics diagnostics_;
  bool failed_ = false;  // of the thread alone
  std::thread thread_;
};

}  // namespace ebbgate::observe
