// Lines of the access log become batches that PutLogEvents takes.
#include "fleet/event_batch.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace ebbgate::fleet {
namespace {

constexpr std::int64_t kNow = 1'785'542'400'000;

std::string line(std::string_view time, std::string_view rest = "") {
  return R"({"time":")" + std::string(time) + R"(","id":"x")" + std::string(rest) + "}\n";
}

TEST(ReadEventLine, FindsTheFewFieldsThatMatter) {
  struct Row {
    std::string line;
    std::int64_t time_ms;
    std::uint64_t count;
    bool is_refusal;
  };
  for (const Row& row : {
           Row{R"({"time":"2026-07-31T23:59:59.007Z","id":"a","count":3,"verdict":"DENY"})",
               1'785'542'399'007, 3, true},
           Row{R"({"time":"1970-01-01T00:00:00.001Z","count":1,"verdict":"ALLOW"})", 1, 1, false},
           // What a client chose has its quotes escaped.
           Row{R"({"time":"1970-01-01T00:00:01.000Z","target":"\",\"verdict\":\"DENY\""})", 1000, 1,
               false},
           Row{R"({"time":"yesterday"})", 0, 1, false},
           Row{"half a li", 0, 1, false},
       }) {
    const EventLine read = read_event_line(row.line);
    EXPECT_EQ(read.time_ms, row.time_ms) << row.line;
    EXPECT_EQ(read.count, row.count) << row.line;
    EXPECT_EQ(read.is_refusal, row.is_refusal) << row.line;
  }
}

TEST(BatchesOf, AreInTheOrderOfTimeAndKeepThatOfOneMoment) {
  const std::string lines = line("2026-07-31T12:00:02.000Z", R"(,"n":1)") +
                            line("2026-07-31T12:00:01.000Z", R"(,"n":2)") +
                            line("2026-07-31T12:00:02.000Z", R"(,"n":3)");
  const auto batches = batches_of(lines, kNow);
  ASSERT_EQ(batches.size(), 1U);
  std::string order;
  for (const auto& event : batches[0]) order += event.message[event.message.size() - 2];
  EXPECT_EQ(order, "213");
}

TEST(BatchesOf, SpanTwentyFourHoursAtMost) {
  const std::string lines = line("2026-07-30T12:00:00.000Z") + line("2026-07-31T11:59:59.999Z") +
                            line("2026-07-31T12:00:00.000Z");
  const auto batches = batches_of(lines, kNow);
  ASSERT_EQ(batches.size(), 2U);
  EXPECT_EQ(batches[0].size(), 2U);
}

TEST(BatchesOf, HaveTenThousandEventsAtMost) {
  std::string lines;
  for (int i = 0; i < 10'001; ++i) lines += "{}\n";
  const auto batches = batches_of(lines, kNow);
  ASSERT_EQ(batches.size(), 2U);
  EXPECT_EQ(batches[0].size(), 10'000U);
  EXPECT_EQ(batches[1][0].time_ms, kNow);  // a line without a time
}

TEST(BatchesOf, HaveAMebibyteAtMostWithWhatEachEventCosts) {
  const std::size_t size = 524'288 - 26;
  const std::string half(size, 'x');
  EXPECT_EQ(batches_of(half + "\n" + half + "\n", kNow).size(), 1U);
  EXPECT_EQ(batches_of(half + "\n" + half + "x\n", kNow).size(), 2U);
}

TEST(BatchesOf, AreNoneForNothing) {
  EXPECT_TRUE(batches_of("", kNow).empty());
  EXPECT_TRUE(batches_of("\n\n", kNow).empty());
}

}  // namespace
}  // namespace ebbgate::fleet
