#include "observe/worker_log.h"

#include <algorithm>

namespace ebbgate::observe {

WorkerLog::WorkerLog(const AccessLogOptions& options, WorkerMetrics& metrics, Doorbell& doorbell)
    : format_(options.format),
      kept_for_refusals_(std::max(options.queue_bytes, kMinQueueBytes) / 4),
      metrics_(metrics),
      doorbell_(doorbell),
      folds_(options.fold_entries, options.fold_window),
      ring_(std::max(options.queue_bytes, kMinQueueBytes)) {
  if (options.tap_bytes > 0) tap_.emplace(std::max(options.tap_bytes, kMinQueueBytes));
}

bool WorkerLog::try_queue(const Record& refusal, MonotonicTime now) {
  flush_folds(now);
  if (folds_.absorb(refusal)) {
    metrics_.log_folded.add();
    return true;
  }
  if (!push_refusal(refusal)) return false;
  folds_.remember(now);
  return true;
}

void WorkerLog::queue_or_drop(const Record& record) {
  line_.clear();
  append_event(line_, format_, record);
  if (!push(kept_for_refusals_)) metrics_.log_dropped.add();
  tap(record);
}

bool WorkerLog::flush_folds(MonotonicTime now) {
  return folds_.expire(now, [this](const Record& refusal) { return push_refusal(refusal); });
}

bool WorkerLog::push_refusal(const Record& refusal) {
  line_.clear();
  append_event(line_, format_, refusal);
  // Before the line, so that a writer which sees the line also sees that it has to reach the disk.
  refusals_.store(refusals_.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
  if (!push(0)) {
    // First say that somebody waits, then look again: otherwise the room that the writer makes in
    // between would go unnoticed.
    waits_for_room_.store(true, std::memory_order_seq_cst);
    if (!push(0)) return false;
    waits_for_room_.store(false, std::memory_order_relaxed);
  }
  tap(refusal);
  return true;
}

void WorkerLog::tap(const Record& record) {
  if (!tap_) return;
  if (format_ != LogFormat::kJson) {
    line_.clear();
    append_json(line_, record);
  }
  const bool is_refusal = record.verdict == Verdict::kDeny;
  if (tap_->push(line_, is_refusal ? 0 : tap_->capacity() / 4)) return;
  (is_refusal ? metrics_.tap_dropped_refusals : metrics_.tap_dropped_others).add(record.count);
}

bool WorkerLog::push(std::size_t keep_free) {
  if (line_.empty()) return true;  // the format has no line for this event
  const bool was_half_full = ring_.is_half_full();
  if (!ring_.push(line_, keep_free)) return false;
  metrics_.log_events.add();
  metrics_.log_queued_bytes.add(line_.size());
  if (!was_half_full && ring_.is_half_full()) {
    doorbell_.ring();
  } else {
    doorbell_.ring_if_idle();
  }
  return true;
}

}  // namespace ebbgate::observe
