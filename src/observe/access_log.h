// The access log: a worker formats an event into a queue of its own, one thread writes what all
// queues hold, so that no request ever waits for a disk. Refusals are kept to the promise of
// semantics 13; events of requests that were let pass are dropped, and counted, when it is that or
// waiting.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "observe/format.h"
#include "observe/metrics.h"
#include "observe/record.h"

namespace ebbgate::observe {

class LogTarget;
class WorkerLog;
class LogWriter;

struct AccessLogOptions {
  std::string target = "-";  // a file (created with mode 0640, appended to), or `-`: stdout
  LogFormat format = LogFormat::kSquid;
  std::size_t queue_bytes =
      std::size_t{1024} * 1024;  // of each worker; at least kMinQueueBytes are taken
  Duration fold_window = std::chrono::seconds(1);
  std::size_t fold_entries = 1024;  // of each worker; refusals past them are written one by one
  std::size_t tap_bytes = 0;        // of each worker's queue for take_tapped(); 0: there is none
};

inline constexpr std::size_t kMinQueueBytes = 4 * kMaxLine;

// Gets one line for a person, without its line feed, when the log stops or resumes working. Called
// by the writer's threads.
using Diagnostics = std::function<void(std::string_view)>;

class AccessLog {
 public:
  // Opens the target and starts the writer, one queue for each worker of `metrics`, which must
  // outlive the log. Fails where the target cannot be opened.
  [[nodiscard]] static Result<std::unique_ptr<AccessLog>> start(const AccessLogOptions& options,
                                                                Metrics& metrics,
                                                                Diagnostics diagnostics);
  // The same over a target of the caller's.
  [[nodiscard]] static Result<std::unique_ptr<AccessLog>> start(const AccessLogOptions& options,
                                                                std::unique_ptr<LogTarget> target,
                                                                Metrics& metrics,
                                                                Diagnostics diagnostics);
  ~AccessLog();  // stops
  AccessLog(const AccessLog&) = delete;
  AccessLog& operator=(const AccessLog&) = delete;

  [[nodiscard]] WorkerLog& worker(std::size_t index) { return *workers_[index]; }

  // Opens the target again by its name: after `logrotate` moved it away. Any thread, and safe in a
  // signal handler. Lines queued before may still go to the old file.
  void reopen();

  // Moves all events that the workers have queued since the last call to the end of `out`, as JSON
  // lines whatever the log's format is: for one other reader, on any one thread, until the log is
  // destroyed. A reader that is too slow loses events, which are counted, refusals last.
  // Out: how many octets.
  std::size_t take_tapped(std::string& out);

  // Writes what is queued and closes; no worker uses its queue any more. Out: the octets that the
  // target did not take within `patience`.
  std::size_t stop(Duration patience = std::chrono::seconds(5));

 private:
  AccessLog();
  std::vector<std::unique_ptr<WorkerLog>> workers_;
  std::unique_ptr<LogWriter> writer_;
};

}  // namespace ebbgate::observe
