#include "http/chunked.h"

#include <gtest/gtest.h>

#include <string>

#include "base/escape.h"

namespace ebbgate::http {
namespace {

using std::string_literals::operator""s;
using Output = ChunkedReader::Output;

struct Outcome {
  std::string onwards;
  std::string left;  // of the next message
  bool done = false;
  std::uint64_t body_octets = 0;
  bool operator==(const Outcome&) const = default;
};

// Feeds `octets` in pieces of `piece`, as they would come from a socket.
Result<Outcome> run(std::string_view octets, Output output, std::size_t piece) {
  ChunkedReader reader(output, kOriginsFault);
  Outcome outcome;
  std::string pending;
  while (!octets.empty() && !reader.is_done()) {
    pending += octets.substr(0, piece);
    octets.remove_prefix(std::min(piece, octets.size()));
    while (!pending.empty()) {
      const auto step = reader.read(pending);
      if (!step) return std::unexpected(step.error());
      if (step->consumed == 0) break;
      outcome.onwards += step->onwards;
      pending.erase(0, step->consumed);
      outcome.done = step->done;
      if (step->done) break;
    }
  }
  outcome.left = pending + std::string(octets);
  outcome.body_octets = reader.body_octets();
  return outcome;
}

TEST(ChunkedReader, PassesOnWhatIsValidWithoutExtensionsAndLateFields) {
  struct Row {
    std::string_view octets, coded, decoded;
  };
  const Row rows[] = {
      {"0\r\n\r\n", "0\r\n\r\n", ""},
      {"5\r\nhello\r\n0\r\n\r\n", "5\r\nhello\r\n0\r\n\r\n", "hello"},
      {"0A\r\n0123456789\r\n1\r\nx\r\n000\r\n\r\n", "0A\r\n0123456789\r\n1\r\nx\r\n000\r\n\r\n",
       "0123456789x"},
      {"2\r\n\r\n\r\n0\r\n\r\n", "2\r\n\r\n\r\n0\r\n\r\n", "\r\n"},
      {"5;a=b;c;d=\"x;\\\"y\"\r\nhello\r\n0;z\r\n\r\n", "5\r\nhello\r\n0\r\n\r\n", "hello"},
      {"1\r\nx\r\n0\r\nX-Sum: 1\r\nSet-Cookie: a=b\r\nX-Two: 2\r\n\r\n",
       "1\r\nx\r\n0\r\nX-Sum: 1\r\nX-Two: 2\r\n\r\n", "x"},
      {"0\r\nAuthorization: x\r\nTrailer: a\r\nX: y\r\n\r\n", "0\r\nX: y\r\n\r\n", ""},
  };
  for (const Row& row : rows) {
    for (std::size_t piece = 1; piece <= row.octets.size(); ++piece) {
      const std::string input = std::string(row.octets) + "NEXT";
      const auto coded = run(input, Output::kChunked, piece);
      ASSERT_TRUE(coded) << escaped(row.octets) << coded.error().detail;
      EXPECT_EQ(*coded, (Outcome{std::string(row.coded), "NEXT", true, row.decoded.size()}))
          << escaped(row.octets) << " in pieces of " << piece;
      const auto decoded = run(input, Output::kDecoded, piece);
      ASSERT_TRUE(decoded);
      EXPECT_EQ(*decoded, (Outcome{std::string(row.decoded), "NEXT", true, row.decoded.size()}))
          << escaped(row.octets) << " in pieces of " << piece;
    }
  }
}

TEST(ChunkedReader, RefusesWhatReadersDisagreeAbout) {
  struct Row {
    std::string octets;
    std::string_view detail;
  };
  const std::string size_line_too_long = "1;" + std::string(ChunkedReader::kMaxLine, 'a') + "\r\n";
  const std::string trailer = "A: " + std::string(1000, 'x') + "\r\n";
  std::string trailers = "0\r\n";
  for (int i = 0; i < 17; ++i) trailers += trailer;
  const Row rows[] = {
      {"\r\n", "hexadecimal"},
      {"x\r\n", "hexadecimal"},
      {"-1\r\n", "hexadecimal"},
      {"+1\r\n", "hexadecimal"},
      {" 1\r\n", "hexadecimal"},
      {"0x1\r\n", "extension"},
      {"1 \r\n", "extension"},
      {"1 ;a\r\n", "extension"},
      {"1;\r\n", "extension"},
      {"1; a\r\n", "extension"},
      {"1;a=\r\n", "extension"},
      {"1;a=\"x\r\n", "extension"},
      {"1;a\rb\r\n", "extension"},
      {"1;a\0\r\n"s, "extension"},
      {"1,1\r\n", "extension"},
      {"8000000000000000\r\n", "too large"},
      {"ffffffffffffffff\r\n", "too large"},
      {"10000000000000001\r\n", "too large"},
      {"00000000000000001\r\n", "too large"},
      {"1\n", "LF without CR"},
      {"\n", "LF without CR"},
      {"1;a\n", "LF without CR"},
      {"1\r\nx\n", "longer than its size"},
      {"1\r\nxy\r\n", "longer than its size"},
      {"1\r\nx\r\r\n", "longer than its size"},
      {"0\r\n\n", "LF without CR"},
      {"0\r\nA : b\r\n", "white space"},
      {"0\r\n a\r\n", "folding"},
      {"0\r\nA: b\n", "LF without CR"},
      {"0\r\nA: b\0\r\n"s, "control character"},
      {"0\r\nContent-Length: 5\r\n\r\n", "Content-Length"},
      {"0\r\nTransfer-Encoding: chunked\r\n\r\n", "Transfer-Encoding"},
      {"0\r\nConnection: close\r\n\r\n", "Connection"},
      {"0\r\nproxy-authorization: x\r\n\r\n", "proxy-authorization"},
      {"0\r\nHost: b.example\r\n\r\n", "Host"},
      {size_line_too_long, "too long"},
      {trailers, "too large"},
  };
  for (const Row& row : rows) {
    for (const std::size_t piece : {std::size_t{1}, row.octets.size()}) {
      const auto refused = run(row.octets, Output::kChunked, piece);
      ASSERT_FALSE(refused) << escaped(row.octets);
      EXPECT_EQ(refused.error().reason, Reason::kOriginInvalid);
      EXPECT_NE(refused.error().detail.find(row.detail), std::string::npos)
          << escaped(row.octets) << ": " << refused.error().detail;
    }
  }
}

TEST(ChunkedReader, PassesNothingOnThatItHasNotSeenToBeValid) {
  ChunkedReader reader(Output::kChunked, kClientsFault);
  EXPECT_EQ(reader.read("1000")->consumed, 0u);  // may still become 10000, or wrong
  const auto step = reader.read("1000\r\nab");
  EXPECT_EQ(step->onwards, "1000\r\nab");
  const auto wrong = reader.read(std::string(0x1000 - 2, 'c') + "!!");
  ASSERT_FALSE(wrong);
  EXPECT_EQ(wrong.error().reason, Reason::kMalformedRequest);
}

}  // namespace
}  // namespace ebbgate::http
