#include "config/detail/values.h"

#include <gtest/gtest.h>

#include <chrono>

#include "config/detail/nearest.h"

namespace ebbgate::config::detail {
namespace {

using namespace std::chrono_literals;

TEST(ParseDuration, TakesOneNumberWithOneUnit) {
  const std::pair<const char*, Duration> cases[] = {
      {"0", 0s},    {"0s", 0s}, {"250ms", 250ms}, {"30s", 30s},
      {"5m", 5min}, {"1h", 1h}, {"007s", 7s},     {"87600h", 87600h},
  };
  for (const auto& [text, duration] : cases) EXPECT_EQ(parse_duration(text).value(), duration);
  for (const char* text : {"", "s", "30", "-1s", "+1s", "1.5s", "1 s", "1S", "1d", "1h30m", "0x1s",
                           "99999h", "18446744073709551616s", "1s "}) {
    EXPECT_FALSE(parse_duration(text)) << text;
  }
}

TEST(ParseSize, TakesOctetsAndBinaryUnits) {
  const std::pair<const char*, std::size_t> cases[] = {
      {"0", 0}, {"65536", 65536}, {"64KiB", 65536}, {"1MiB", 1048576}, {"1024GiB", 1ULL << 40}};
  for (const auto& [text, size] : cases) EXPECT_EQ(parse_size(text).value(), size);
  for (const char* text :
       {"", "KiB", "64KB", "64K", "64kib", "64 KiB", "-1", "1.5MiB", "1025GiB"}) {
    EXPECT_FALSE(parse_size(text)) << text;
  }
}

// Seconds since 1970 as GNU date reads them.
TEST(ParseTime, TakesWhatRfc3339Has) {
  const std::pair<const char*, Duration> cases[] = {
      {"1970-01-01T00:00:00Z", 0s},
      {"2026-12-31T00:00:00Z", 1798675200s},
      {"2026-12-31t00:00:00z", 1798675200s},
      {"2026-12-31T01:30:00+01:30", 1798675200s},
      {"2026-12-30T16:00:00-08:00", 1798675200s},
      {"2026-12-31T00:00:00.25Z", 1798675200s + 250ms},
      {"2026-12-31T00:00:00.1234567891Z", 1798675200s + 123456789ns},
      {"2024-02-29T23:59:59Z", 1709251199s},
      {"2016-12-31T23:59:60Z", 1483228800s},
      {"1985-04-12T23:20:50.52Z", 482196050s + 520ms},  // RFC 3339 5.8
      {"1996-12-19T16:39:57-08:00", 851042397s},        // RFC 3339 5.8
      {"2261-12-31T23:59:59Z", 9214646399s},
  };
  for (const auto& [text, since] : cases) {
    const auto time = parse_time(text);
    ASSERT_TRUE(time) << text;
    EXPECT_EQ(time->time_since_epoch(), since) << text;
  }
  for (const char* text :
       {"", "2026-12-31", "2026-12-31T00:00Z", "2026-12-31 00:00:00Z", "2026-12-31T00:00:00",
        "2026-13-01T00:00:00Z", "2025-02-29T00:00:00Z", "2026-12-31T24:00:00Z",
        "2026-12-31T00:60:00Z", "2026-12-31T00:00:61Z", "2026-12-31T00:00:00.Z",
        "2026-12-31T00:00:00+24:00", "2026-12-31T00:00:00+0100", "2026-12-31T00:00:00Zz",
        "2026-12-31T00:00:00+01:00x", "26-12-31T00:00:00Z", "2026-12-31T00:00:0aZ",
        "1969-12-31T23:59:59Z", "9999-12-31T00:00:00Z"}) {
    EXPECT_FALSE(parse_time(text)) << text;
  }
}

TEST(ParseMethod, WantsCapitalTokens) {
  for (const char* text : {"GET", "M-SEARCH", "X1"}) EXPECT_EQ(parse_method(text).value(), text);
  for (const char* text : {"", "get", "Get", "G T", "GET,", "GE\xc3\x84", "CONNECT"}) {
    EXPECT_FALSE(parse_method(text)) << text;
  }
}

TEST(ParsePath, WantsAPathFromItsSlash) {
  for (const char* text : {"/", "/acme/", "/a%20b"}) EXPECT_EQ(parse_path(text).value(), text);
  for (const char* text : {"", "acme", "/a b", "/a?x", "/a#x", "/\xc3\xa4", "/\x7f"}) {
    EXPECT_FALSE(parse_path(text)) << text;
  }
}

TEST(ParseObjectName, WantsWhatKubernetesTakes) {
  for (const char* text : {"a", "ci-builders", "a.b-1"}) {
    EXPECT_EQ(parse_object_name(text).value(), text);
  }
  for (const std::string& text : {std::string(), std::string("CI"), std::string("-a"),
                                  std::string("a."), std::string("a_b"), std::string(254, 'a')}) {
    EXPECT_FALSE(parse_object_name(text)) << text;
  }
}

TEST(Nearest, IsWhatWasProbablyMeant) {
  static constexpr std::string_view kKnown[] = {"listen", "allow",       "allow-file",   "sni",
                                                "dns",    "report-only", "egressAddress"};
  const std::pair<const char*, const char*> cases[] = {
      {"lisen", "listen"},
      {"lsiten", "listen"},
      {"LISTEN", "listen"},
      {"report_only", "report-only"},
      {"egress-address", "egressAddress"},
      {"alow", "allow"},
      {"snii", "sni"},
      {"xyz", ""},
      {"", ""},
      {"sausage", ""},
      {"allow-files", "allow-file"},
  };
  for (const auto& [word, meant] : cases) EXPECT_EQ(nearest(word, kKnown), meant) << word;
  EXPECT_EQ(nearest(std::string(100'000, 'a'), kKnown), "");
}

}  // namespace
}  // namespace ebbgate::config::detail
