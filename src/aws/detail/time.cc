#include "aws/detail/time.h"

#include <algorithm>

namespace ebbgate::aws::detail {
namespace {

using std::chrono::days;
using std::chrono::floor;
using std::chrono::seconds;
using std::chrono::sys_days;
using std::chrono::sys_seconds;
using std::chrono::year_month_day;

struct Civil {
  int year;
  unsigned month, day;
  long long hour, minute, second;
};

[[nodiscard]] Civil civil_of(WallTime when) {
  const sys_seconds second = floor<seconds>(when);
  const sys_days day = floor<days>(second);
  const year_month_day date(day);
  const long long rest = (second - day).count();
  return {static_cast<int>(date.year()),
          static_cast<unsigned>(date.month()),
          static_cast<unsigned>(date.day()),
          rest / 3600,
          rest / 60 % 60,
          rest % 60};
}

[[nodiscard]] std::optional<WallTime> time_of(const Civil& civil) {
  const year_month_day date{std::chrono::year(civil.year), std::chrono::month(civil.month),
                            std::chrono::day(civil.day)};
  // The nanoseconds of WallTime end in 2262.
  if (!date.ok() || civil.year < 1970 || civil.year > 2200) return std::nullopt;
  if (civil.hour > 23 || civil.minute > 59 || civil.second > 60) return std::nullopt;
  return sys_days(date) + std::chrono::hours(civil.hour) + std::chrono::minutes(civil.minute) +
         seconds(civil.second);
}

[[nodiscard]] std::string digits(long long number, std::size_t width) {
  const std::string text = std::to_string(number);
  return std::string(width - std::min(width, text.size()), '0') + text;
}

// Reads what has a fixed form, from the left.
class Reader {
 public:
  explicit Reader(std::string_view text) : rest_(text) {}

  // `count` digits.
  [[nodiscard]] int number(std::size_t count) {
    int value = 0;
    if (rest_.size() < count) return fail();
    for (const char c : rest_.substr(0, count)) {
      if (c < '0' || c > '9') return fail();
      value = value * 10 + (c - '0');
    }
    rest_.remove_prefix(count);
    return value;
  }
  void skip(std::string_view text) {
    if (!try_skip(text)) fail();
  }
  [[nodiscard]] bool try_skip(std::string_view text) {
    if (!rest_.starts_with(text)) return false;
    rest_.remove_prefix(text.size());
    return true;
  }
  [[nodiscard]] std::string_view take(std::size_t count) {
    const std::string_view taken = rest_.substr(0, count);
    rest_.remove_prefix(taken.size());
    return taken;
  }
  void skip_digits() {
    while (!rest_.empty() && rest_[0] >= '0' && rest_[0] <= '9') rest_.remove_prefix(1);
  }
  [[nodiscard]] bool is_done() const { return !has_failed_ && rest_.empty(); }

 private:
  int fail() {
    has_failed_ = true;
    return 0;
  }
  std::string_view rest_;
  bool has_failed_ = false;
};

}  // namespace

std::string basic_iso8601(WallTime when) {
  std::string text = iso8601(when);
  std::erase_if(text, [](char c) { return c == '-' || c == ':'; });
  return text;
}

std::string iso8601(WallTime when) {
  const Civil c = civil_of(when);
  return digits(c.year, 4) + "-" + digits(c.month, 2) + "-" + digits(c.day, 2) + "T" +
         digits(c.hour, 2) + ":" + digits(c.minute, 2) + ":" + digits(c.second, 2) + "Z";
}

std::optional<WallTime> parse_iso8601(std::string_view text) {
  Reader in(text);
  Civil c{};
  c.year = in.number(4);
  in.skip("-");
  c.month = static_cast<unsigned>(in.number(2));
  in.skip("-");
  c.day = static_cast<unsigned>(in.number(2));
  in.skip("T");
  c.hour = in.number(2);
  in.skip(":");
  c.minute = in.number(2);
  in.skip(":");
  c.second = in.number(2);
  if (in.try_skip(".")) in.skip_digits();
  std::chrono::minutes offset{0};
  if (!in.try_skip("Z")) {
    const int sign = in.try_skip("-") ? -1 : 1;
    if (sign > 0) in.skip("+");
    offset = std::chrono::hours(in.number(2));
    (void)in.try_skip(":");
    offset = sign * (offset + std::chrono::minutes(in.number(2)));
  }
  const std::optional<WallTime> time = time_of(c);
  if (!in.is_done() || !time) return std::nullopt;
  return *time - offset;
}

std::optional<WallTime> parse_http_date(std::string_view text) {
  static constexpr std::string_view kMonths = "JanFebMarAprMayJunJulAugSepOctNovDec";
  Reader in(text);
  (void)in.take(3);  // the day of the week follows from the date
  in.skip(", ");
  Civil c{};
  c.day = static_cast<unsigned>(in.number(2));
  in.skip(" ");
  const std::string_view month = in.take(3);
  const std::size_t at = month.size() == 3 ? kMonths.find(month) : std::string_view::npos;
  if (at == std::string_view::npos || at % 3 != 0) return std::nullopt;
  c.month = static_cast<unsigned>(at / 3 + 1);
  in.skip(" ");
  c.year = in.number(4);
  in.skip(" ");
  c.hour = in.number(2);
  in.skip(":");
  c.minute = in.number(2);
  in.skip(":");
  c.second = in.number(2);
  in.skip(" GMT");
  return in.is_done() ? time_of(c) : std::nullopt;
}

}  // namespace ebbgate::aws::detail
