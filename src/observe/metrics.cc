#include "observe/metrics.h"

#include <algorithm>
#include <utility>

namespace ebbgate::observe {
namespace {

MethodKind kind_of(std::string_view method) {
  if (method.empty()) return MethodKind::kNone;
  return method == "CONNECT" ? MethodKind::kConnect : MethodKind::kOther;
}

}  // namespace

void Histogram::observe(Duration duration) {
  const auto* const bound = std::ranges::lower_bound(kBounds, duration, {}, &Bound::upper);
  buckets_[static_cast<std::size_t>(bound - kBounds.begin())].add();
  nanoseconds_.add(static_cast<std::uint64_t>(std::max(duration, Duration::zero()).count()));
}

void WorkerMetrics::count(const Record& record) {
  if (record.phase == Phase::kOpen) tunnels_open.add();
  if (record.phase == Phase::kClose) tunnels_open.sub();
  if (record.phase != Phase::kClose) {
    const std::size_t index = request_index(record.verdict, record.reason, kind_of(record.method));
    requests_[index].add(record.count);
    if (record.connect) connect_duration.observe(*record.connect);
  }
  if (record.phase == Phase::kRequest) request_duration.observe(record.duration);
  if (record.phase != Phase::kOpen) {
    bytes_in.add(record.bytes_in);
    bytes_out.add(record.bytes_out);
  }
}

Metrics::Metrics(std::size_t workers, BuildInfo build) : build_(std::move(build)) {
  for (std::size_t i = 0; i < workers; ++i) workers_.push_back(std::make_unique<WorkerMetrics>());
}

}  // namespace ebbgate::observe
