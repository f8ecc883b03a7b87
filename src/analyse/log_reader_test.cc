#include "analyse/log_reader.h"

#include <gtest/gtest.h>
#include <zlib.h>

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "analyse/detail/testing.h"

namespace ebbgate::analyse {
namespace {

std::string line(int i) {
  return "1795501324.331      1 10.1.2.3 TCP_TUNNEL/200 193 CONNECT h" + std::to_string(i) +
         ".example:443 - HIER_DIRECT/203.0.113.7 -\n";
}

std::string lines(int count) {
  std::string out;
  for (int i = 0; i < count; ++i) out += line(i);
  return out;
}

std::string gzip(std::string_view text) {
  z_stream z{};
  deflateInit2(&z, Z_BEST_SPEED, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY);
  std::string in(text);
  std::string out(deflateBound(&z, in.size()), '\0');
  z.next_in = reinterpret_cast<Bytef*>(in.data());
  z.avail_in = static_cast<uInt>(in.size());
  z.next_out = reinterpret_cast<Bytef*>(out.data());
  z.avail_out = static_cast<uInt>(out.size());
  EXPECT_EQ(Z_STREAM_END, deflate(&z, Z_FINISH));
  out.resize(z.total_out);
  deflateEnd(&z);
  return out;
}

struct Read {
  std::vector<std::string> hosts;
  LogCounts counts;
};

Read read(std::string_view text, std::size_t step = 1 << 20) {
  Read out;
  LogReader reader([&](const LogEvent& event) { out.hosts.emplace_back(event.host); });
  reader.read("log", detail::source_of(text, step));
  out.counts = reader.counts();
  return out;
}

TEST(LogReader, ReadsLinesHoweverTheyCome) {
  const std::string text = lines(50);
  for (const std::size_t step : {1U, 2U, 3U, 7U, 100U, 1U << 20U}) {
    const Read out = read(text, step);
    ASSERT_EQ(50U, out.hosts.size()) << step;
    EXPECT_EQ("h49.example", out.hosts.back());
    EXPECT_EQ(text.size(), out.counts.octets);
  }
}

TEST(LogReader, TheLastLineNeedsNoLineFeed) {
  std::string text = lines(2);
  text.pop_back();
  EXPECT_EQ(2U, read(text).hosts.size());
}

TEST(LogReader, EmptyLinesAndCarriageReturnsAreNothing) {
  std::string text = "\n\r\n" + line(1);
  text.insert(text.size() - 1, "\r");
  const Read out = read(text);
  EXPECT_EQ(1U, out.hosts.size());
  EXPECT_EQ(1U, out.counts.lines);
}

TEST(LogReader, AnEmptyFileIsNoTrouble) {
  EXPECT_EQ(0U, read("").counts.lines);
  EXPECT_EQ(1U, read("x").counts.unreadable);
}

TEST(LogReader, ReadsGzipMemberAfterMember) {
  const std::string packed = gzip(lines(3)) + gzip("") + gzip(lines(40'000));
  for (const std::size_t step : {1U, 4096U, 1U << 20U}) {
    const Read out = read(packed, step);
    EXPECT_EQ(40'003U, out.hosts.size()) << step;
    EXPECT_TRUE(out.counts.incomplete.empty());
  }
}

TEST(LogReader, WhatCameBeforeTheCutOfAGzipCounts) {
  const std::string packed = gzip(lines(10'000));
  const Read out = read(packed.substr(0, packed.size() / 2));
  EXPECT_GT(out.hosts.size(), 1000U);
  EXPECT_LT(out.hosts.size(), 10'000U);
  ASSERT_EQ(1U, out.counts.incomplete.size());
  EXPECT_EQ("log: the gzip data ends too early", out.counts.incomplete.front());
}

TEST(LogReader, DamagedGzipEndsWhereItIsDamaged) {
  std::string packed = gzip(lines(10'000));
  packed += "this is no gzip member";
  const Read trailing = read(packed);
  EXPECT_EQ(10'000U, trailing.hosts.size());
  ASSERT_EQ(1U, trailing.counts.incomplete.size());
  EXPECT_EQ("log: the gzip data is damaged", trailing.counts.incomplete.front());

  for (std::size_t i = 0; i < 64; ++i) packed[packed.size() / 2 + i] = '\x55';
  EXPECT_EQ(1U, read(packed).counts.incomplete.size());
}

TEST(LogReader, ALineOfAHundredMegabytesIsSkippedAndCounted) {
  // The source makes it up, so that the test itself needs no memory for it.
  const std::string before = line(1);
  const std::string after = "\n" + line(2);
  std::size_t left = 100'000'000;
  std::size_t part = 0;
  std::vector<std::string> hosts;
  LogReader reader([&](const LogEvent& event) { hosts.emplace_back(event.host); });
  reader.read("log", [&](std::span<char> space) -> std::expected<std::size_t, std::string> {
    const auto give = [&](std::string_view text) {
      text.copy(space.data(), text.size());
      return text.size();
    };
    if (part == 0) return ++part, give(before);
    if (left > 0) {
      const std::size_t size = std::min(left, space.size());
      std::ranges::fill(space.first(size), 'x');
      left -= size;
      return size;
    }
    if (part == 1) return ++part, give(after);
    return 0;
  });
  EXPECT_EQ((std::vector<std::string>{"h1.example", "h2.example"}), hosts);
  EXPECT_EQ(1U, reader.counts().too_long);
  EXPECT_EQ(3U, reader.counts().lines);
}

TEST(LogReader, LinesUpToTheLimitAreLookedAt) {
  const auto padded = [](std::size_t size) {
    std::string text = line(1);
    text.pop_back();
    const std::size_t at = text.find(".example");
    return text.insert(at, std::string(size - text.size(), 'a')) + "\n";
  };
  EXPECT_EQ(0U, read(padded(kMaxLine) + line(2)).counts.too_long);
  const Read out = read(padded(kMaxLine + 1) + line(2), 1000);
  EXPECT_EQ(1U, out.counts.too_long);
  EXPECT_EQ("h2.example", out.hosts.back());
}

TEST(LogReader, BinaryIsCountedAndPassedOver) {
  std::string binary;
  for (unsigned i = 0; i < 1'000'000; ++i) binary.push_back(static_cast<char>(i * i * 31 >> 5U));
  const Read out = read(binary + "\n" + line(5));
  EXPECT_EQ("h5.example", out.hosts.back());
  EXPECT_EQ(out.counts.lines, out.counts.events + out.counts.unreadable +
                                  out.counts.without_target + out.counts.too_long);
}

TEST(LogReader, AnErrorOfTheSourceIsTold) {
  LogReader reader([](const LogEvent&) {});
  bool is_first = true;
  reader.read("log", [&](std::span<char> space) -> std::expected<std::size_t, std::string> {
    if (!std::exchange(is_first, false)) return std::unexpected("the disk is broken");
    const std::string text = line(1);
    return text.copy(space.data(), text.size());
  });
  EXPECT_EQ(1U, reader.counts().events);
  EXPECT_EQ((std::vector<std::string>{"log: the disk is broken"}), reader.counts().incomplete);
}

}  // namespace
}  // namespace ebbgate::analyse
