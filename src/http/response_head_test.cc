#include "http/response_head.h"

#include <gtest/gtest.h>

#include <string>

#include "base/escape.h"

namespace ebbgate::http {
namespace {

using std::string_literals::operator""s;

Result<ResponseHead> parse(std::string_view octets, Asked asked = {}) {
  ResponseReader reader;
  auto consumed = reader.read(octets, asked);
  if (!consumed) return std::unexpected(consumed.error());
  EXPECT_EQ(*consumed, octets.size()) << escaped(octets);
  return reader.take();
}

std::string response(std::string_view status, std::string_view fields = "",
                     std::string_view version = "HTTP/1.1") {
  return std::string(version) + " " + std::string(status) + "\r\n" + std::string(fields) + "\r\n";
}

TEST(ResponseHead, ReadsTheStatusLine) {
  const auto head = parse(response("404 Not  Found\xe9", "Server: x\r\n"));
  ASSERT_TRUE(head) << head.error().detail;
  EXPECT_EQ(head->status, 404);
  EXPECT_EQ(head->reason_phrase(), "Not  Found\xe9");
  EXPECT_EQ(head->fields.first("SERVER"), "x");
  EXPECT_EQ(parse(response("200 "))->reason_phrase(), "");
  EXPECT_EQ(parse(response("200"))->reason_phrase(), "");
  EXPECT_EQ(parse(response("200 OK", "", "HTTP/1.0"))->version, Version::kHttp10);
  EXPECT_TRUE(parse(response("100 Continue"))->is_interim());
  EXPECT_TRUE(parse(response("103 Early Hints"))->is_interim());
  EXPECT_FALSE(parse(response("200 OK"))->is_interim());
}

TEST(ResponseHead, FramesTheBodyAsRfc9112Has) {
  struct Row {
    std::string octets;
    Method method;
    BodyFraming body;
    bool persistent;
  };
  const std::string length = "Content-Length: 7\r\n";
  const std::string chunked = "Transfer-Encoding: chunked\r\n";
  const Row rows[] = {
      {response("200 OK", length), Method::kGet, BodyFraming::of(7), true},
      {response("200 OK", chunked), Method::kGet, BodyFraming::chunked(), true},
      {response("200 OK"), Method::kGet, BodyFraming::until_close(), false},
      {response("200 OK", "Connection: keep-alive\r\n"), Method::kGet, BodyFraming::until_close(),
       false},
      {response("200 OK", length), Method::kHead, BodyFraming::none(), true},
      {response("200 OK", chunked), Method::kHead, BodyFraming::none(), true},
      {response("200 OK"), Method::kHead, BodyFraming::none(), true},
      {response("304 Not Modified", length), Method::kGet, BodyFraming::none(), true},
      {response("204 No Content"), Method::kGet, BodyFraming::none(), true},
      {response("204 No Content", "Content-Length: 0\r\n"), Method::kGet, BodyFraming::none(),
       true},
      {response("103 Early Hints"), Method::kGet, BodyFraming::none(), true},
      {response("200 OK", length), Method::kConnect, BodyFraming::none(), true},
      {response("403 Forbidden", length), Method::kConnect, BodyFraming::of(7), true},
      {response("200 OK", length + "Connection: close\r\n"), Method::kGet, BodyFraming::of(7),
       false},
      {response("200 OK", length, "HTTP/1.0"), Method::kGet, BodyFraming::of(7), false},
      {response("200 OK", length + "Connection: Keep-Alive\r\n", "HTTP/1.0"), Method::kGet,
       BodyFraming::of(7), true},
      {response("200 OK", "Connection: Keep-Alive\r\n", "HTTP/1.0"), Method::kGet,
       BodyFraming::until_close(), false},
      // Some origins name it, and it is the connection's in any case.
      {response("200 OK", chunked + "Connection: Transfer-Encoding\r\n"), Method::kGet,
       BodyFraming::chunked(), true},
      // Offers of other protocols are common, and end here.
      {response("200 OK", length + "Upgrade: h2,h2c\r\nConnection: Upgrade\r\n"), Method::kGet,
       BodyFraming::of(7), true},
  };
  for (const Row& row : rows) {
    const auto head = parse(row.octets, {row.method, false});
    ASSERT_TRUE(head) << escaped(row.octets) << head.error().detail;
    EXPECT_EQ(head->body, row.body) << escaped(row.octets);
    EXPECT_EQ(head->persistent, row.persistent) << escaped(row.octets);
  }
  EXPECT_EQ(parse(response("200 OK", length), {Method::kHead, false})->announced_length, 7u);
  EXPECT_EQ(parse(response("304 Not Modified", length))->announced_length, 7u);
  EXPECT_FALSE(parse(response("200 OK", length))->announced_length);
}

TEST(ResponseHead, RefusesWhatBreaksTheProtocol) {
  struct Row {
    std::string octets;
    std::string_view detail;
  };
  const Row rows[] = {
      {"SSH-2.0-OpenSSH", "does not begin like HTTP/1"},
      {"\r\nHTTP/1.1 200 OK\r\n\r\n", "does not begin like HTTP/1"},
      {"HTTP/2 200\r\n\r\n", "does not begin like HTTP/1"},
      {"HTTP/1.2 200 OK\r\n\r\n", "neither 1.0 nor 1.1"},
      {"HTTP/1.1\r\n\r\n", "status line"},
      {"HTTP/1.1  200 OK\r\n\r\n", "not a number"},
      {"HTTP/1.1 20 OK\r\n\r\n", "not a number"},
      {"HTTP/1.1 2000 OK\r\n\r\n", "not a number"},
      {"HTTP/1.1 099 OK\r\n\r\n", "not a number"},
      {"HTTP/1.1 600 OK\r\n\r\n", "not a number"},
      {"HTTP/1.1 +20 OK\r\n\r\n", "not a number"},
      {"HTTP/1.1 200\tOK\r\n\r\n", "not a number"},
      {"HTTP/1.1 200 O\0K\r\n\r\n"s, "control character"},
      {"HTTP/1.1 200 O\rK\r\n\r\n", "control character"},
      {"HTTP/1.1 200 OK\n", "LF without CR"},
      {response("200 OK", "A : b\r\n"), "white space"},
      {response("200 OK", "A: b\r\n c\r\n"), "folding"},
      {response("200 OK", "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n"), "both"},
      {response("200 OK", "Content-Length: 1\r\nContent-Length: 1\r\n"), "more than one"},
      {response("200 OK", "Content-Length: 1,1\r\n"), "decimal"},
      {response("200 OK", "Transfer-Encoding: gzip\r\n"), "not chunked"},
      {response("200 OK", "Transfer-Encoding: chunked\r\n", "HTTP/1.0"), "HTTP/1.0"},
      {response("204 No Content", "Content-Length: 1\r\n"), "has no body"},
      {response("204 No Content", "Transfer-Encoding: chunked\r\n"), "has no body"},
      {response("100 Continue", "Content-Length: 1\r\n"), "has no body"},
      {response("101 Switching", "Upgrade: websocket\r\nConnection: upgrade\r\n"), "not asked for"},
      {response("200 OK", "Connection: content-length\r\nContent-Length: 3\r\n"),
       "not the connection's"},
  };
  for (const Row& row : rows) {
    ResponseReader reader;
    const auto refused = reader.read(row.octets, {});
    ASSERT_FALSE(refused) << escaped(row.octets);
    EXPECT_EQ(refused.error().reason, Reason::kOriginInvalid);
    EXPECT_EQ(refused.error().side, Side::kOrigin);
    EXPECT_NE(refused.error().detail.find(row.detail), std::string::npos)
        << escaped(row.octets) << ": " << refused.error().detail;
  }
}

TEST(ResponseHead, SwitchesOnlyToWhatWasAskedFor) {
  const Asked websocket{Method::kGet, true};
  const std::string good = response("101 S", "Upgrade: WebSocket\r\nConnection: Upgrade\r\n");
  const auto head = parse(good, websocket);
  ASSERT_TRUE(head) << head.error().detail;
  EXPECT_FALSE(head->is_interim());
  EXPECT_FALSE(head->persistent);
  EXPECT_FALSE(parse(response("101 S", "Upgrade: h2c\r\nConnection: Upgrade\r\n"), websocket));
  EXPECT_FALSE(parse(response("101 S", "Upgrade: websocket\r\n"), websocket));
  EXPECT_FALSE(parse(response("101 S"), websocket));
}

TEST(ResponseHead, ReadsInterimAndFinalOneAfterTheOtherInOneOctetSteps) {
  const std::string both = response("100 Continue") + response("200 OK", "Content-Length: 2\r\n");
  ResponseReader reader;
  std::string buffered;
  std::string seen;
  for (const char c : both) {
    buffered += c;
    const auto consumed = reader.read(buffered, {});
    ASSERT_TRUE(consumed) << consumed.error().detail;
    if (*consumed != 0) {
      seen += std::to_string(reader.head().status) + " ";
      buffered.erase(0, *consumed);
    }
  }
  EXPECT_EQ(seen, "100 200 ");
  EXPECT_TRUE(buffered.empty());
}

TEST(ResponseHead, IsRefusedPastItsLimits) {
  ResponseReader octets({.octets = 64, .fields = 256});
  const auto large = octets.read(response("200 OK", "A: " + std::string(64, 'x') + "\r\n"), {});
  ASSERT_FALSE(large);
  EXPECT_EQ(large.error().reason, Reason::kOriginInvalid);
  ResponseReader fields({.octets = 1024, .fields = 1});
  EXPECT_FALSE(fields.read(response("200 OK", "A: 1\r\nB: 2\r\n"), {}));
}

TEST(ResponseHead, KnowsAChallengeThatBindsTheConnection) {
  const auto binds = [](std::string_view value) {
    return parse(response("401 U",
                          "Content-Length: 0\r\nWWW-Authenticate: " + std::string(value) + "\r\n"))
        ->binds_connection;
  };
  EXPECT_TRUE(binds("Negotiate"));
  EXPECT_TRUE(binds("ntlm TlRMTVNT"));
  EXPECT_TRUE(binds("Basic realm=\"x\", NTLM"));
  EXPECT_FALSE(binds("Basic realm=\"x\""));
  EXPECT_FALSE(binds("Bearer"));
}

}  // namespace
}  // namespace ebbgate::http
