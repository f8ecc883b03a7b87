// CloudWatch Logs: shipping the access log, and looking for a line in it.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "aws/client.h"

namespace ebbgate::aws::logs {

struct LogEvent {
  std::int64_t time_ms = 0;  // since 1970
  std::string message;
  bool operator==(const LogEvent&) const = default;
};
// What PutLogEvents counts an event beyond its bytes, and what it takes in one call.
inline constexpr std::size_t kEventOverhead = 26;
inline constexpr std::size_t kMaxBatchBytes = 1'048'576;
inline constexpr std::size_t kMaxBatchEvents = 10'000;

// What CloudWatch did not take though the call succeeded: counts at both ends of the batch.
struct PutLogEventsResult {
  std::size_t too_old = 0;  // from the front: expired ones included
  std::size_t too_new = 0;  // from the back
};
// `events` in the order of time, spanning 24 hours at most, within the limits above (else
// kInvalid). Codes: ResourceNotFoundException (no such group or stream).
[[nodiscard]] net::Task<Outcome<PutLogEventsResult>> put_log_events(Client& client,
                                                                    std::string group,
                                                                    std::string stream,
                                                                    std::vector<LogEvent> events,
                                                                    Deadline deadline);

// A stream that exists already is a success.
[[nodiscard]] net::Task<Outcome<void>> create_log_stream(Client& client, std::string group,
                                                         std::string stream, Deadline deadline);

// The names of the group's streams that begin so.
[[nodiscard]] net::Task<Outcome<std::vector<std::string>>> describe_log_streams(Client& client,
                                                                                std::string group,
                                                                                std::string prefix,
                                                                                Deadline deadline);

// The events since `start_ms` that match a filter pattern, at most `limit`, oldest first.
struct Filter {
  std::string group = {};
  std::string pattern = {};
  std::int64_t start_ms = 0;
  std::size_t limit = 100;
};
[[nodiscard]] net::Task<Outcome<std::vector<LogEvent>>> filter_log_events(Client& client,
                                                                          Filter filter,
                                                                          Deadline deadline);

}  // namespace ebbgate::aws::logs
