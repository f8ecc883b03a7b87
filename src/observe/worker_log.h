// One worker's end of the access log: formats an event and puts it into this worker's queue, or
// folds it into an identical refusal of the same second (semantics 13).
#pragma once

#include <atomic>
#include <cstddef>
#include <functional>
#include <optional>
#include <string>

#include "base/clock.h"
#include "observe/access_log.h"
#include "observe/detail/byte_ring.h"
#include "observe/detail/doorbell.h"
#include "observe/detail/fold_table.h"
#include "observe/metrics.h"
#include "observe/record.h"

namespace ebbgate::observe {

// All public functions belong to the worker's thread.
class WorkerLog {
 public:
  WorkerLog(const AccessLogOptions& options, WorkerMetrics& metrics, Doorbell& doorbell);

  // For a refusal. True: it is queued, or folded into one that is, and the client may have its
  // answer. False: the queue is full; try again when `on_room` is called or after a while, for at
  // most kRefusalPatience, then close without an answer. The caller counts the first false of a
  // request as `log_refusals_waited`, and giving up as `log_refusals_unanswered`.
  [[nodiscard]] bool try_queue(const Record& refusal, MonotonicTime now);

  // For everything else: dropped and counted when the queue has only the room that is kept for
  // refusals.
  void queue_or_drop(const Record& record);

  // Queues the folded refusals whose second is over. To be called by next_tick() or soon after:
  // they are as late as the call is.
  void tick(MonotonicTime now) { flush_folds(now); }
  [[nodiscard]] Deadline next_tick() const { return folds_.next(); }

  // Queues all folded refusals, before the worker ends. False: some did not fit.
  bool flush() { return flush_folds(MonotonicTime::max()); }

  // Called from the writer's thread, once for each time that try_queue returned false, when there
  // is room again: posts to the worker. To be set before the first event.
  void set_on_room(std::function<void()> on_room) { on_room_ = std::move(on_room); }

  // On the thread of the tap's reader (AccessLog::take_tapped).
  std::size_t take_tapped(std::string& out) { return tap_ ? tap_->take_all(out) : 0; }

 private:
  friend class LogWriter;
  bool push(std::size_t keep_free);
  bool push_refusal(const Record& refusal);
  bool flush_folds(MonotonicTime now);
  // Of the record whose line stands in line_.
  void tap(const Record& record);

  const LogFormat format_;
  const std::size_t kept_for_refusals_;  // octets
  WorkerMetrics& metrics_;
  Doorbell& doorbell_;
  std::string line_;  // reused, so that formatting allocates nothing
  FoldTable folds_;
  std::function<void()> on_room_;

  // Shared with the writer.
  ByteRing ring_;
  std::atomic<std::uint64_t> refusals_{0};  // queued; counted before the ring shows the line
  std::atomic<bool> waits_for_room_{false};

  std::optional<ByteRing> tap_;  // shared with its reader
};

// How long a refused client waits for its event to be queued.
inline constexpr Duration kRefusalPatience = std::chrono::seconds(5);

}  // namespace ebbgate::observe
