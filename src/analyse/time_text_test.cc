#include "analyse/time_text.h"

#include <gtest/gtest.h>

namespace ebbgate::analyse {
namespace {

TEST(TimeText, Rfc3339) {
  const struct {
    std::string_view text;
    std::optional<std::int64_t> time;
  } kRows[] = {
      {"1970-01-01T00:00:00Z", 0},
      {"2026-01-31T12:00:00.250Z", 1769860800250},
      {"2026-01-31T14:00:00+02:00", 1769860800000},
      {"2026-01-31T12:00:00.2509999Z", 1769860800250},
      {"2024-02-29T23:59:60Z", 1709251200000},
      {"2026-01-31T12:00:00", {}},
      {"2026-13-31T12:00:00Z", {}},
      {"2026-01-31T25:00:00Z", {}},
      {"2026-01-31T12:00:00.Z", {}},
      {"2026-01-31 noon or so", {}},
      {"", {}},
  };
  for (const auto& row : kRows) EXPECT_EQ(row.time, parse_rfc3339(row.text)) << row.text;
}

TEST(TimeText, Since) {
  constexpr std::int64_t kNow = 1769860800000;
  EXPECT_EQ(kNow - 7 * 86'400'000LL, parse_since("7d", kNow));
  EXPECT_EQ(kNow - 3'600'000, parse_since("1h", kNow));
  EXPECT_EQ(1769817600000, parse_since("2026-01-31", kNow));
  EXPECT_EQ(1769860800000, parse_since("2026-01-31T12:00:00Z", kNow));
  for (const std::string_view text : {"", "d", "7", "7w", "-7d", "7.5d", "99999999d"}) {
    EXPECT_EQ(std::nullopt, parse_since(text, kNow)) << text;
  }
}

TEST(TimeText, WritesWhatItReads) {
  for (const std::int64_t time : {0LL, 951'782'400'000LL, 1'769'860'800'000LL}) {
    EXPECT_EQ(time, parse_rfc3339(rfc3339(time)));
  }
  EXPECT_EQ("2026-01-31T12:00:00Z", rfc3339(1769860800999));
}

}  // namespace
}  // namespace ebbgate::analyse
