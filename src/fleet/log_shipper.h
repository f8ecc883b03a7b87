// Events to CloudWatch: batches from the spool, one after the other, each until it is there. An
// outage of the service only makes the spool longer.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "aws/client.h"
#include "aws/logs.h"
#include "fleet/backoff.h"
#include "fleet/batch_source.h"
#include "fleet/say.h"
#include "net/signal.h"
#include "observe/metrics.h"

namespace ebbgate::fleet {

struct LogShipperOptions {
  std::string group;
  std::string stream;                                // is made where it does not exist
  Duration pause = std::chrono::seconds(1);          // between two batches, unless more waits
  Duration call_timeout = std::chrono::seconds(40);  // retries included
};

class LogShipper {
 public:
  // All outlive it; it outlives its coroutines.
  LogShipper(aws::Client& client, BatchSource& source, LogShipperOptions options,
             observe::FleetMetrics& metrics, Say say);

  // Ships until stop(), or the hard stop.
  [[nodiscard]] net::Task<void> run();
  // Ships what is there by now, without pauses, and lets run() end; what has not gone by the
  // deadline stays in the spool.
  [[nodiscard]] net::Task<void> finish(Deadline deadline);

  // One event to another stream of the group, for the metrics. False: it failed (once for each
  // trouble that is said), and nothing of it is kept.
  [[nodiscard]] net::Task<bool> put_now(std::string stream, aws::logs::LogEvent event);

 private:
  using Events = std::vector<aws::logs::LogEvent>;
  // Until it is there, or the time is over: then false.
  [[nodiscard]] net::Task<bool> ship(SpooledBatch batch);
  [[nodiscard]] net::Task<bool> put(std::string stream, Events events);
  [[nodiscard]] net::Task<aws::Outcome<void>> try_put(std::string stream, Events events);
  void report(const aws::Failure& failure);
  void report_success();
  [[nodiscard]] Deadline call_deadline() const;
  [[nodiscard]] net::Loop& loop() const { return client_->context().loop; }

  aws::Client* client_;
  BatchSource* source_;
  LogShipperOptions options_;
  observe::FleetMetrics* metrics_;
  Say say_;
  net::Signal hurry_;
  net::Signal ended_;
  Deadline last_call_ = Deadline::never();
  bool is_finishing_ = false;
  bool has_ended_ = true;
  std::string trouble_;  // what was said last, while it lasts
};

}  // namespace ebbgate::fleet
