#include "source/schedule.h"

#include <algorithm>

namespace ebbgate::source {
namespace {

// That part of `length`, between `least` and 1, which chance has.
Duration part_of(Duration length, double least, double most, std::uint64_t random) {
  const double even = static_cast<double>(random >> 11) * 0x1p-53;  // 0 to 1, without 1
  return std::chrono::duration_cast<Duration>(length * (least + (most - least) * even));
}

}  // namespace

Duration default_interval(config::SourceKind kind) {
  switch (kind) {
    case config::SourceKind::kSsm:
      return std::chrono::seconds(5);
    case config::SourceKind::kHttps:
    case config::SourceKind::kS3:
      return std::chrono::seconds(10);
    case config::SourceKind::kSecretsManager:
      break;
  }
  return std::chrono::seconds(30);
}

Duration next_pause(const Schedule& schedule, int failures, std::uint64_t random) {
  if (failures <= 0) return part_of(schedule.interval, 0.8, 1.2, random);
  const Duration most = std::max(schedule.max_backoff, schedule.interval);
  Duration length = schedule.interval;
  for (int i = 0; i < failures && length < most; ++i) length *= 2;
  return part_of(std::min(length, most), 0.5, 1.0, random);
}

}  // namespace ebbgate::source
