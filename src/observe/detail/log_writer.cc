#include "observe/detail/log_writer.h"

#include <cerrno>
#include <csignal>

#include <algorithm>
#include <string_view>
#include <system_error>
#include <utility>

#include "observe/worker_log.h"

namespace ebbgate::observe {
namespace {

// A batch buffer that grew beyond this in a time of trouble is given back.
constexpr std::size_t kKeptCapacity = std::size_t{1024} * 1024;

MonotonicTime now() {
  return std::chrono::steady_clock::now();
}

}  // namespace

LogWriter::LogWriter(std::unique_ptr<LogTarget> target, Metrics& metrics, Diagnostics diagnostics)
    : target_(std::move(target)),
      metrics_(metrics),
      diagnostics_(std::move(diagnostics)),
      syncer_(metrics, diagnostics_) {}

LogWriter::~LogWriter() {
  stop(Duration::zero());
}

int LogWriter::start(const std::vector<std::unique_ptr<WorkerLog>>& workers) {
  const LogTarget::Opened opened = target_->open();
  if (opened.error != 0) return opened.error;
  if (opened.position == LogTarget::Position::kMidLine) batch_ = "\n";
  syncer_.watch(target_->sync());
  for (const auto& worker : workers) workers_.push_back(worker.get());
  refusals_written_.resize(workers_.size());
  thread_ = std::thread([this] { run(); });
  return 0;
}

void LogWriter::reopen() {
  reopen_.store(true);
  doorbell_.ring();
}

std::size_t LogWriter::stop(Duration patience) {
  if (!thread_.joinable()) return 0;
  give_up_at_.store(now() + patience);
  doorbell_.ring();
  thread_.join();
  return batch_.size() - written_ + queued();
}

void LogWriter::run() {
  // A reader that went away and a file as large as it may be are errors of write(), and not signals
  // that end the process.
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGPIPE);
  sigaddset(&signals, SIGXFSZ);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);

  while (true) {
    if (reopen_.exchange(false)) open_target();
    // Looked at before the queues: what was queued before stop() is seen by the last round.
    const bool is_last_round = is_stopping();
    if (batch_.empty()) take_batch();
    if (!batch_.empty()) write_batch();
    if (now() >= give_up_at_.load()) return;
    if (!batch_.empty()) continue;
    if (is_last_round && queued() == 0) return;
    sleep_until_there_is_work();
  }
}

void LogWriter::sleep_until_there_is_work() {
  doorbell_.announce_idle();
  if (queued() == 0 && !is_stopping()) doorbell_.wait(Doorbell::kForever);
  doorbell_.announce_busy();
  if (!is_stopping()) doorbell_.wait(kNap);
}

void LogWriter::take_batch() {
  for (std::size_t i = 0; i < workers_.size(); ++i) {
    WorkerLog& worker = *workers_[i];
    const std::size_t size = worker.ring_.take_all(batch_);
    if (size == 0) continue;
    taken_ += size;
    const std::uint64_t refusals = worker.refusals_.load(std::memory_order_relaxed);
    has_refusals_ |= std::exchange(refusals_written_[i], refusals) != refusals;
    if (worker.waits_for_room_.exchange(false) && worker.on_room_) worker.on_room_();
  }
  last_progress_ = now();
}

void LogWriter::write_batch() {
  const LogTarget::Written result = target_->write(std::string_view(batch_).substr(written_));
  if (result.bytes > 0) {
    written_ += result.bytes;
    last_progress_ = now();
  }
  if (written_ == batch_.size()) {
    metrics_.log().written_bytes.add(std::exchange(taken_, 0));
    if (std::exchange(has_refusals_, false)) syncer_.wrote_refusals();
    batch_.clear();
    written_ = 0;
    if (batch_.capacity() > kKeptCapacity) batch_.shrink_to_fit();
    report_recovery();
  } else if (result.error == EAGAIN) {
    wait_until_it_takes_bytes();
  } else if (result.error != 0) {
    wait_after("cannot write", result.error);
  }
}

void LogWriter::wait_until_it_takes_bytes() {
  const MonotonicTime stalled_at = last_progress_ + kStall;
  if (now() >= stalled_at) report(State::kStalled, "its reader takes nothing");
  doorbell_.wait(std::min(is_stopping() ? give_up_at_.load() - now() : kStall, kStall),
                 target_->wait_fd());
}

void LogWriter::wait_after(const std::string& what, int error) {
  metrics_.log().write_errors.add();
  report(State::kFailing, what + ": " + std::system_category().message(error));
  doorbell_.wait(is_stopping() ? kFirstBackOff : back_off_);
  back_off_ = std::min(2 * back_off_, kLongestBackOff);
  // By its name again: there may be another file, disk or reader behind it by now.
  if (!reopen_.load()) open_target();
}

void LogWriter::open_target() {
  if (has_refusals_ && written_ > 0) syncer_.wrote_refusals();  // their part in the old file
  const LogTarget::Opened opened = target_->open();
  if (opened.error != 0) {
    metrics_.log().write_errors.add();
    report(State::kFailing, "cannot open: " + std::system_category().message(opened.error));
    return;
  }
  syncer_.watch(target_->sync());
  if (opened.position == LogTarget::Position::kContinues) return;
  // Whole lines only: one that was cut off in the old file is written again. What is before it was
  // written and leaves the batch.
  const std::size_t line_end = written_ == 0 ? std::string::npos : batch_.rfind('\n', written_ - 1);
  batch_.erase(0, line_end + 1);
  written_ = 0;
  if (opened.position == LogTarget::Position::kMidLine) batch_.insert(0, "\n");
}

void LogWriter::report(State state, const std::string& message) {
  if (state_ == state) return;
  if (state_ == State::kFine) dropped_before_ = dropped();
  state_ = state;
  diagnostics_("access log: " + target_->name() + ": " + message +
               "; refused requests wait for it, other events are dropped when the queue is full");
}

void LogWriter::report_recovery() {
  if (state_ == State::kFine) return;
  state_ = State::kFine;
  back_off_ = kFirstBackOff;
  diagnostics_("access log: " + target_->name() + ": writing again; " +
               std::to_string(dropped() - dropped_before_) + " events were dropped");
}

std::size_t LogWriter::queued() const {
  std::size_t sum = 0;
  for (const WorkerLog* worker : workers_) sum += worker->ring_.available();
  return sum;
}

std::uint64_t LogWriter::dropped() const {
  std::uint64_t sum = 0;
  for (std::size_t i = 0; i < metrics_.workers(); ++i)
    sum += metrics_.worker(i).log_dropped.value();
  return sum;
}

}  // namespace ebbgate::observe
