#include "observe/detail/syncer.h"

#include <system_error>
#include <utility>

namespace ebbgate::observe {
namespace {

// From the first refusal that was written to the start of the sync: half of what may be lost with
// the power, so that the sync has the other half.
constexpr Duration kSyncDelay = std::chrono::milliseconds(500);

}  // namespace

Syncer::Syncer(Metrics& metrics, Diagnostics diagnostics)
    : metrics_(metrics.log()), diagnostics_(std::move(diagnostics)), thread_([this] { run(); }) {}

Syncer::~Syncer() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_one();
  thread_.join();
}

void Syncer::watch(LogTarget::Sync sync) {
  const std::lock_guard lock(mutex_);
  if (is_due_) rotated_.push_back(std::move(current_));
  current_ = std::move(sync);
  is_due_ = false;
}

void Syncer::wrote_refusals() {
  {
    const std::lock_guard lock(mutex_);
    if (!current_ || is_due_) return;
    is_due_ = true;
  }
  wake_.notify_one();
}

void Syncer::run() {
  std::unique_lock lock(mutex_);
  while (true) {
    wake_.wait(lock, [this] { return is_due_ || !rotated_.empty() || stopping_; });
    wake_.wait_for(lock, kSyncDelay, [this] { return stopping_; });
    std::vector<LogTarget::Sync> due = std::exchange(rotated_, {});
    if (std::exchange(is_due_, false)) due.push_back(current_);
    if (due.empty() && stopping_) return;
    lock.unlock();
    for (const LogTarget::Sync& sync : due) {
      const int error = sync();
      (error == 0 ? metrics_.syncs : metrics_.sync_errors).add();
      if (error != 0 && !failed_) {
        diagnostics_("access log: cannot sync to disk: " + std::system_category().message(error));
      }
      failed_ = error != 0;
    }
    due.clear();  // closes rotated files outside the lock
    lock.lock();
  }
}

}  // namespace ebbgate::observe
