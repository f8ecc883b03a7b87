#include "observe/access_log.h"

#include <system_error>
#include <utility>

#include "observe/detail/log_writer.h"
#include "observe/log_target.h"
#include "observe/worker_log.h"

namespace ebbgate::observe {

AccessLog::AccessLog() = default;
AccessLog::~AccessLog() {
  stop();
}

Result<std::unique_ptr<AccessLog>> AccessLog::start(const AccessLogOptions& options,
                                                    Metrics& metrics, Diagnostics diagnostics) {
  return start(options, make_log_target(options.target), metrics, std::move(diagnostics));
}

Result<std::unique_ptr<AccessLog>> AccessLog::start(const AccessLogOptions& options,
                                                    std::unique_ptr<LogTarget> target,
                                                    Metrics& metrics, Diagnostics diagnostics) {
  const std::string name = target->name();
  std::unique_ptr<AccessLog> log(new AccessLog());
  log->writer_ = std::make_unique<LogWriter>(std::move(target), metrics, std::move(diagnostics));
  for (std::size_t i = 0; i < metrics.workers(); ++i) {
    log->workers_.push_back(
        std::make_unique<WorkerLog>(options, metrics.worker(i), log->writer_->doorbell()));
  }
  if (const int error = log->writer_->start(log->workers_); error != 0) {
    return fail(Reason::kInternal, Side::kSelf,
                "access log " + name + ": " + std::system_category().message(error));
  }
  return log;
}

void AccessLog::reopen() {
  writer_->reopen();
}

std::size_t AccessLog::take_tapped(std::string& out) {
  std::size_t taken = 0;
  for (const auto& worker : workers_) taken += worker->take_tapped(out);
  return taken;
}

std::size_t AccessLog::stop(Duration patience) {
  return writer_->stop(patience);
}

}  // namespace ebbgate::observe
