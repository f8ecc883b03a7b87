// From the event lines of the access log to what CloudWatch takes in one call
// (docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutLogEvents.html): in the
// order of time, over at most 24 hours, within its sizes. Plain functions.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "aws/logs.h"

namespace ebbgate::fleet {

// One event's line, without its line feed, as the tap of the access log gives it.
struct EventLine {
  std::int64_t time_ms = 0;  // since 1970; 0 where the line has no time
  std::uint64_t count = 1;   // how many requests it stands for
  bool is_refusal = false;
};
// Looks for the few fields, without parsing the whole: strings of clients cannot look like them, as
// their quotes are escaped.
[[nodiscard]] EventLine read_event_line(std::string_view line);

// `lines`: whole lines of any number and order. A line that has no time goes with `now_ms`.
[[nodiscard]] std::vector<std::vector<aws::logs::LogEvent>> batches_of(std::string_view lines,
                                                                       std::int64_t now_ms);

// Calls `take(line)` for each line of `lines`, without its line feed; empty ones are left out.
template <typename Take>
void for_each_line(std::string_view lines, Take take) {
  while (!lines.empty()) {
    const std::size_t end = lines.find('\n');
    if (const std::string_view line = lines.substr(0, end); !line.empty()) take(line);
    if (end == std::string_view::npos) return;
    lines.remove_prefix(end + 1);
  }
}

}  // namespace ebbgate::fleet
