// What a webhook counts, and the text of its /metrics (docs/webhook.md lists them).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include "base/clock.h"
#include "observe/metrics.h"
#include "webhook/review.h"

namespace ebbgate::app::detail {

class WebhookCounters {
 public:
  void count(bool is_injection, webhook::Outcome outcome, Duration taken) {
    Row& row = rows_[is_injection ? 0 : 1];
    ++row.outcomes[static_cast<std::size_t>(outcome)];
    row.taken += taken;
  }
  void count_fault() { ++faults_; }

  struct Row {
    std::array<std::uint64_t, webhook::kOutcomes> outcomes{};
    Duration taken{};
  };
  [[nodiscard]] const std::array<Row, 2>& rows() const { return rows_; }  // inject, validate
  [[nodiscard]] std::uint64_t faults() const { return faults_; }

 private:
  std::array<Row, 2> rows_;
  std::uint64_t faults_ = 0;
};

struct WebhookGauges {
  std::size_t connections = 0;
  std::optional<WallTime> certificate_expires = {};
};

[[nodiscard]] std::string webhook_metrics(const WebhookCounters& counters,
                                          const WebhookGauges& gauges,
                                          observe::Exposition exposition);

}  // namespace ebbgate::app::detail
