#include "fleet/log_shipper.h"

#include <algorithm>
#include <utility>

#include "fleet/event_batch.h"

namespace ebbgate::fleet {
namespace {

std::int64_t milliseconds(WallTime time) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(time.time_since_epoch()).count();
}

// What no repetition makes good: the events themselves are refused.
bool is_hopeless(const aws::Failure& failure) {
  return failure.is("InvalidParameterException") || failure.kind == aws::Failure::Kind::kInvalid;
}

}  // namespace

LogShipper::LogShipper(aws::Client& client, BatchSource& source, LogShipperOptions options,
                       observe::FleetMetrics& metrics, Say say)
    : client_(&client),
      source_(&source),
      options_(std::move(options)),
      metrics_(&metrics),
      say_(std::move(say)),
      hurry_(loop()),
      ended_(loop()) {}

net::Task<void> LogShipper::run() {
  has_ended_ = false;
  while (!loop().is_giving_up()) {
    // Looked at before asking: what the workers had queued when finish() was called is then asked
    // for at least once.
    const bool is_last = is_finishing_;
    net::Task<std::optional<SpooledBatch>> asked = source_->next();
    std::optional<SpooledBatch> batch = co_await asked;
    if (batch) {
      SpooledBatch copy = *batch;
      net::Task<bool> shipping = ship(std::move(copy));
      if (!co_await shipping) break;
      source_->done(std::move(*batch));
    } else if (is_last) {
      break;
    } else if (!is_finishing_) {
      co_await hurry_.wait(loop().after(options_.pause));
    }
  }
  has_ended_ = true;
  ended_.notify_all();
}

net::Task<void> LogShipper::finish(Deadline deadline) {
  is_finishing_ = true;
  last_call_ = deadline;
  hurry_.notify_all();
  if (!has_ended_) co_await ended_.wait(deadline);
}

net::Task<bool> LogShipper::ship(SpooledBatch batch) {
  for (Events& events : batches_of(batch.lines, milliseconds(client_->now()))) {
    net::Task<bool> task = put(options_.stream, std::move(events));
    if (!co_await task) co_return false;
  }
  co_return true;
}

net::Task<bool> LogShipper::put(std::string stream, Events events) {
  for (Backoff backoff;;) {
    net::Task<aws::Outcome<void>> task = try_put(stream, events);
    const aws::Outcome<void> outcome = co_await task;
    if (outcome) {
      report_success();
      co_return true;
    }
    report(outcome.error());
    if (is_hopeless(outcome.error())) {
      metrics_->rejected_events.add(events.size());
      co_return true;
    }
    const Deadline wake =
        loop().after(backoff.next(client_->context().random())).or_earlier(last_call_);
    const net::Wait::End end = co_await hurry_.wait(wake);
    if (end == net::Wait::End::kStopped || last_call_.when() <= loop().now()) co_return false;
  }
}

net::Task<bool> LogShipper::put_now(std::string stream, aws::logs::LogEvent event) {
  Events events(1, std::move(event));
  net::Task<aws::Outcome<void>> task = try_put(std::move(stream), std::move(events));
  const aws::Outcome<void> outcome = co_await task;
  if (!outcome) report(outcome.error());
  co_return outcome.has_value();
}

net::Task<aws::Outcome<void>> LogShipper::try_put(std::string stream, Events events) {
  const std::size_t count = events.size();
  for (bool was_made = false;; was_made = true) {
    net::Task<aws::Outcome<aws::logs::PutLogEventsResult>> putting =
        aws::logs::put_log_events(*client_, options_.group, stream, events, call_deadline());
    const auto put = co_await putting;
    if (put) {
      const std::size_t rejected = std::min(count, put->too_old + put->too_new);
      metrics_->rejected_events.add(rejected);
      metrics_->shipped_events.add(count - rejected);
      co_return aws::Outcome<void>();
    }
    if (was_made || !put.error().is("ResourceNotFoundException")) {
      co_return std::unexpected(put.error());
    }
    net::Task<aws::Outcome<void>> making =
        aws::logs::create_log_stream(*client_, options_.group, stream, call_deadline());
    const aws::Outcome<void> made = co_await making;
    if (!made) co_return std::unexpected(made.error());
  }
}

void LogShipper::report(const aws::Failure& failure) {
  metrics_->ship_failures.add();
  // The same trouble once, though the number of the request is another each time.
  const std::string key = failure.kind == aws::Failure::Kind::kService ? failure.code : "network";
  if (trouble_ == key) return;
  trouble_ = key;
  say_("log group " + options_.group + ": " + failure.describe("logs") +
       (is_hopeless(failure) ? "" : "; events wait in the spool"));
}

void LogShipper::report_success() {
  if (std::exchange(trouble_, {}).empty()) return;
  say_("log group " + options_.group + ": events are shipped again");
}

Deadline LogShipper::call_deadline() const {
  return loop().after(options_.call_timeout).or_earlier(last_call_);
}

}  // namespace ebbgate::fleet
