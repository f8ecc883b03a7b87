#include "fleet/event_batch.h"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <string>
#include <utility>

namespace ebbgate::fleet {
namespace {

constexpr std::int64_t kLongestSpanMs = std::int64_t{24} * 60 * 60 * 1000 - 1;

// The decimal number that `text` begins with.
template <typename T>
bool read_number(std::string_view text, T& out) {
  return std::from_chars(text.data(), text.data() + text.size(), out).ec == std::errc();
}

// `2026-01-31T12:00:00.000Z`, as all events have it; 0 for anything else.
std::int64_t read_time(std::string_view text) {
  int year = 0;
  unsigned month = 0;
  unsigned day = 0;
  int hour = 0;
  int minute = 0;
  int second = 0;
  int millisecond = 0;
  if (text.size() < 24 || text[10] != 'T' || text[23] != 'Z' ||
      !read_number(text.substr(0, 4), year) || !read_number(text.substr(5, 2), month) ||
      !read_number(text.substr(8, 2), day) || !read_number(text.substr(11, 2), hour) ||
      !read_number(text.substr(14, 2), minute) || !read_number(text.substr(17, 2), second) ||
      !read_number(text.substr(20, 3), millisecond)) {
    return 0;
  }
  const std::chrono::sys_days date = std::chrono::year_month_day(
      std::chrono::year(year), std::chrono::month(month), std::chrono::day(day));
  return std::chrono::duration_cast<std::chrono::milliseconds>(date.time_since_epoch()).count() +
         ((hour * 60 + minute) * 60 + second) * std::int64_t{1000} + millisecond;
}

}  // namespace

EventLine read_event_line(std::string_view line) {
  constexpr std::string_view kTime = R"({"time":")";
  constexpr std::string_view kCount = R"(,"count":)";
  EventLine event;
  if (line.starts_with(kTime)) event.time_ms = read_time(line.substr(kTime.size()));
  if (const std::size_t at = line.find(kCount); at != std::string_view::npos) {
    read_number(line.substr(at + kCount.size()), event.count);
  }
  event.is_refusal = line.find(R"(,"verdict":"DENY")") != std::string_view::npos;
  return event;
}

std::vector<std::vector<aws::logs::LogEvent>> batches_of(std::string_view lines,
                                                         std::int64_t now_ms) {
  std::vector<std::pair<std::int64_t, std::string_view>> events;  // their time, and the line
  for_each_line(lines, [&](std::string_view line) {
    const std::int64_t time_ms = read_event_line(line).time_ms;
    events.emplace_back(time_ms == 0 ? now_ms : time_ms, line);
  });
  // Those of one moment stay in their order: it is that of their places in memory.
  std::ranges::sort(events, {},
                    [](const auto& event) { return std::pair(event.first, event.second.data()); });
  std::vector<std::vector<aws::logs::LogEvent>> batches;
  std::size_t octets = 0;
  for (const auto& [time_ms, line] : events) {
    const std::size_t size = line.size() + aws::logs::kEventOverhead;
    const bool fits = !batches.empty() && octets + size <= aws::logs::kMaxBatchBytes &&
                      batches.back().size() < aws::logs::kMaxBatchEvents &&
                      time_ms - batches.back().front().time_ms <= kLongestSpanMs;
    if (!fits) {
      batches.emplace_back();
      octets = 0;
    }
    octets += size;
    batches.back().push_back({time_ms, std::string(line)});
  }
  return batches;
}

}  // namespace ebbgate::fleet
