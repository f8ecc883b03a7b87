// Times as the API writes them, in UTC.
#pragma once

#include <array>
#include <chrono>
#include <cstdio>
#include <string>

#include "base/clock.h"

namespace ebbgate::kube::detail {

// metav1.Time: `2026-11-24T10:00:00Z`
[[nodiscard]] inline std::string time(WallTime when) {
  using std::chrono::floor;
  const auto day = floor<std::chrono::days>(when);
  const std::chrono::year_month_day date(day);
  const std::chrono::hh_mm_ss clock(floor<std::chrono::seconds>(when - day));
  std::array<char, 40> text{};
  std::snprintf(text.data(), text.size(), "%04d-%02u-%02uT%02d:%02d:%02dZ",
                static_cast<int>(date.year()), static_cast<unsigned>(date.month()),
                static_cast<unsigned>(date.day()), static_cast<int>(clock.hours().count()),
                static_cast<int>(clock.minutes().count()),
                static_cast<int>(clock.seconds().count()));
  return text.data();
}

// metav1.MicroTime, which has exactly six digits after the point.
[[nodiscard]] inline std::string micro_time(WallTime when) {
  const auto second = std::chrono::floor<std::chrono::seconds>(when);
  const auto micros = std::chrono::floor<std::chrono::microseconds>(when - second).count();
  std::string digits = std::to_string(micros);
  digits.insert(0, 6 - digits.size(), '0');
  std::string out = time(when);
  out.insert(out.size() - 1, "." + digits);
  return out;
}

}  // namespace ebbgate::kube::detail
