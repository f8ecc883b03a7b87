#include "analyse/time_text.h"

#include <charconv>
#include <chrono>

namespace ebbgate::analyse {
namespace {

constexpr std::int64_t kMinute = 60'000;
constexpr std::int64_t kHour = 60 * kMinute;
constexpr std::int64_t kDay = 24 * kHour;

// `count` digits at `at`, or -1.
int digits(std::string_view text, std::size_t at, std::size_t count) {
  int value = 0;
  for (std::size_t i = at; i < at + count; ++i) {
    const char c = text[i];
    if (c < '0' || c > '9') return -1;
    value = value * 10 + (c - '0');
  }
  return value;
}

// Days since 1970 of a proleptic Gregorian date.
std::int64_t days_of(int year, int month, int day) {
  using namespace std::chrono;
  const auto date = std::chrono::year(year) / month / 1;
  return sys_days(date).time_since_epoch().count() + day - 1;
}

std::optional<std::int64_t> parse_date(std::string_view text) {
  if (text.size() < 10 || text[4] != '-' || text[7] != '-') return std::nullopt;
  const int year = digits(text, 0, 4);
  const int month = digits(text, 5, 2);
  const int day = digits(text, 8, 2);
  if (year < 0 || month < 1 || month > 12 || day < 1 || day > 31) return std::nullopt;
  return days_of(year, month, day) * kDay;
}

// The offset of `Z` or `+hh:mm`.
std::optional<std::int64_t> parse_offset(std::string_view text) {
  if (text == "Z" || text == "z") return 0;
  if (text.size() != 6 || (text[0] != '+' && text[0] != '-') || text[3] != ':') return std::nullopt;
  const int hours = digits(text, 1, 2);
  const int minutes = digits(text, 4, 2);
  if (hours < 0 || hours > 23 || minutes < 0 || minutes > 59) return std::nullopt;
  const std::int64_t offset = hours * kHour + minutes * kMinute;
  return text[0] == '+' ? offset : -offset;
}

}  // namespace

std::optional<std::int64_t> parse_rfc3339(std::string_view text) {
  if (text.size() < 20) return std::nullopt;
  const auto day = parse_date(text);
  const bool is_time =
      (text[10] == 'T' || text[10] == 't' || text[10] == ' ') && text[13] == ':' && text[16] == ':';
  if (!day || !is_time) return std::nullopt;
  const int hour = digits(text, 11, 2);
  const int minute = digits(text, 14, 2);
  const int second = digits(text, 17, 2);
  if (hour < 0 || hour > 23 || minute < 0 || minute > 59 || second < 0 || second > 60) {
    return std::nullopt;
  }
  std::int64_t time = *day + hour * kHour + minute * kMinute + second * 1000;
  std::size_t at = 19;
  if (text[at] == '.') {
    std::int64_t unit = 100;
    const std::size_t first = ++at;
    for (; at < text.size() && text[at] >= '0' && text[at] <= '9'; ++at, unit /= 10) {
      time += (text[at] - '0') * unit;
    }
    if (at == first) return std::nullopt;
  }
  const auto offset = parse_offset(text.substr(at));
  if (!offset) return std::nullopt;
  return time - *offset;
}

std::optional<std::int64_t> parse_since(std::string_view text, std::int64_t now) {
  if (text.empty()) return std::nullopt;
  if (text.size() == 10) {
    if (const auto day = parse_date(text)) return day;
  }
  if (const auto time = parse_rfc3339(text)) return time;
  const char unit = text.back();
  const std::int64_t length = unit == 'd'   ? kDay
                              : unit == 'h' ? kHour
                              : unit == 'm' ? kMinute
                              : unit == 's' ? 1000
                                            : 0;
  std::uint32_t count = 0;
  const char* const end = text.data() + text.size() - 1;
  const auto read = std::from_chars(text.data(), end, count);
  if (length == 0 || read.ec != std::errc{} || read.ptr != end || count > 100'000) {
    return std::nullopt;
  }
  return now - length * count;
}

std::string date(std::int64_t milliseconds) {
  return rfc3339(milliseconds).substr(0, 10);
}

std::string rfc3339(std::int64_t milliseconds) {
  using namespace std::chrono;
  const sys_seconds time =
      floor<seconds>(sys_time<std::chrono::milliseconds>(std::chrono::milliseconds(milliseconds)));
  const sys_days day = floor<days>(time);
  const year_month_day ymd(day);
  const hh_mm_ss clock(time - day);
  std::string out = "0000-00-00T00:00:00Z";
  const auto put = [&](std::size_t at, std::size_t count, long value) {
    for (std::size_t i = at + count; i-- > at; value /= 10) {
      out[i] = static_cast<char>('0' + value % 10);
    }
  };
  put(0, 4, static_cast<int>(ymd.year()));
  put(5, 2, static_cast<unsigned>(ymd.month()));
  put(8, 2, static_cast<unsigned>(ymd.day()));
  put(11, 2, clock.hours().count());
  put(14, 2, clock.minutes().count());
  put(17, 2, clock.seconds().count());
  return out;
}

}  // namespace ebbgate::analyse
