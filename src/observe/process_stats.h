// What /proc says about this process, for the process_* metrics that every Prometheus client has.
#pragma once

#include <cstdint>
#include <optional>

namespace ebbgate::observe {

struct ProcessStats {
  std::optional<double> cpu_seconds;  // user and system
  std::optional<double> start_time;   // seconds since the epoch
  std::optional<std::uint64_t> resident_bytes;
  std::optional<std::uint64_t> virtual_bytes;
  std::optional<std::uint64_t> open_fds;
  std::optional<std::uint64_t> max_fds;  // soft limit
};

// What cannot be read is left out. Takes some tens of microseconds and a descriptor.
[[nodiscard]] ProcessStats read_process_stats();

}  // namespace ebbgate::observe
