#include "http/request_head.h"

#include <gtest/gtest.h>

#include <string>

#include "base/escape.h"

namespace ebbgate::http {
namespace {

using std::string_literals::operator""s;

Result<RequestHead> parse(std::string_view octets, HeadLimits limits = {}) {
  RequestReader reader(limits);
  auto consumed = reader.read(octets);
  if (!consumed) return std::unexpected(consumed.error());
  EXPECT_EQ(*consumed, octets.size()) << escaped(octets);
  return reader.take();
}

// A head of HTTP/1.1 with these field lines beside Host.
std::string with(std::string_view fields,
                 std::string_view line = "GET http://a.example/ HTTP/1.1") {
  return std::string(line) + "\r\nHost: a.example\r\n" + std::string(fields) + "\r\n";
}

TEST(RequestHead, ReadsConnect) {
  const auto head = parse(
      "CONNECT Registry.Example:443 HTTP/1.1\r\nHost: Registry.Example:443\r\n"
      "User-Agent: curl/8.1\r\nProxy-Connection: Keep-Alive\r\n\r\n");
  ASSERT_TRUE(head) << head.error().detail;
  EXPECT_EQ(head->method, Method::kConnect);
  EXPECT_EQ(head->target.form, TargetForm::kAuthority);
  EXPECT_EQ(head->target.authority->str(), "registry.example:443");
  EXPECT_EQ(head->target_text(), "Registry.Example:443");
  EXPECT_EQ(head->host->host.str(), "registry.example");
  EXPECT_EQ(head->host->port->value(), 443);
  EXPECT_EQ(head->body, BodyFraming::none());
  EXPECT_EQ(head->fields.first("user-agent"), "curl/8.1");
}

TEST(RequestHead, TakesTheFormOfTheTargetThatTheMethodHas) {
  struct Row {
    std::string_view line;
    TargetForm form;
    std::string_view authority;  // empty: none
    std::string_view path;
  };
  const Row rows[] = {
      {"GET http://a.example/x?y=1 HTTP/1.1", TargetForm::kAbsolute, "a.example:80", "/x?y=1"},
      {"GET HTTP://A.example:8080 HTTP/1.1", TargetForm::kAbsolute, "a.example:8080", "/"},
      {"GET http://a.example:?q HTTP/1.1", TargetForm::kAbsolute, "a.example:80", "/?q"},
      {"GET http://[2001:db8::1]:81/ HTTP/1.0", TargetForm::kAbsolute, "[2001:db8::1]:81", "/"},
      {"GET http://203.0.113.7/ HTTP/1.1", TargetForm::kAbsolute, "203.0.113.7:80", "/"},
      {"OPTIONS http://a.example HTTP/1.1", TargetForm::kAbsolute, "a.example:80", "*"},
      {"OPTIONS http://a.example/ HTTP/1.1", TargetForm::kAbsolute, "a.example:80", "/"},
      {"OPTIONS http://a.example?x HTTP/1.1", TargetForm::kAbsolute, "a.example:80", "/?x"},
      {"OPTIONS * HTTP/1.1", TargetForm::kAsterisk, "", "*"},
      {"GET /a|b?{c} HTTP/1.1", TargetForm::kOrigin, "", "/a|b?{c}"},
      {"GET //a.example/x HTTP/1.1", TargetForm::kOrigin, "", "//a.example/x"},
      {"CONNECT [::1]:443 HTTP/1.1", TargetForm::kAuthority, "[::1]:443", ""},
      {"M-SEARCH /x HTTP/1.1", TargetForm::kOrigin, "", "/x"},
      {"connect /x HTTP/1.1", TargetForm::kOrigin, "", "/x"},  // methods have their case
  };
  for (const Row& row : rows) {
    const auto head = parse(with("", row.line));
    ASSERT_TRUE(head) << row.line << ": " << head.error().detail;
    EXPECT_EQ(head->target.form, row.form) << row.line;
    EXPECT_EQ(head->target.authority ? head->target.authority->str() : "", row.authority);
    EXPECT_EQ(head->target.path, row.path);
  }
}

TEST(RequestHead, RefusesWithASentenceWhatCouldBeReadTwoWays) {
  struct Row {
    std::string octets;
    std::string_view detail;  // a part of it
  };
  const std::string host = "Host: a.example\r\n";
  const Row rows[] = {
      // The request line.
      {"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "HTTP/2"},
      {"\x16\x03\x01"s, "TLS"},
      {"\0"s, "does not begin like HTTP"},
      {" GET / HTTP/1.1\r\n", "does not begin like HTTP"},
      {"GET\r\n", "not a method, a target and a version"},
      {"GET /\r\n", "not a method, a target and a version"},
      {"G(T / HTTP/1.1\r\n", "method is no token"},
      {"GET  / HTTP/1.1\r\n", "space and an HTTP version"},
      {"GET  HTTP/1.1\r\n", "target is empty"},
      {"GET\t/ HTTP/1.1\r\n", "method is no token"},
      {"GET /  HTTP/1.1\r\n", "space and an HTTP version"},
      {"GET / HTTP/1.1 \r\n", "neither 1.0 nor 1.1"},
      {"GET / http/1.1\r\n", "space and an HTTP version"},
      {"GET / HTTP/2.0\r\n", "neither 1.0 nor 1.1"},
      {"GET / HTTP/1.2\r\n", "neither 1.0 nor 1.1"},
      {"GET / HTTP/01.1\r\n", "neither 1.0 nor 1.1"},
      {"GET / HTTP/1.1\n", "LF without CR"},
      {"\n", "LF without CR"},
      {"\r\n\r\n", "more than one empty line"},
      // The target.
      {"GET * HTTP/1.1\r\n", "only OPTIONS"},
      {"GET https://a.example/ HTTP/1.1\r\n", "CONNECT"},
      {"GET ftp://a.example/ HTTP/1.1\r\n", "not http"},
      {"GET a.example HTTP/1.1\r\n", "neither a path nor an absolute URI"},
      {"GET http:/a HTTP/1.1\r\n", "no authority"},
      {"GET http:/// HTTP/1.1\r\n", "empty"},
      {"GET http://u:p@a.example/ HTTP/1.1\r\n", "userinfo"},
      {"GET http://a.example\\@b/ HTTP/1.1\r\n", "userinfo"},
      {"GET http://a.example/#x HTTP/1.1\r\n", "fragment"},
      {"GET /\x80 HTTP/1.1\r\n", "a character that no URI has"},
      {"GET /\r HTTP/1.1\r\n", "a character that no URI has"},
      {"GET /\0 HTTP/1.1\r\n"s, "a character that no URI has"},
      {"CONNECT a.example HTTP/1.1\r\n", "no port"},
      {"CONNECT a.example:0 HTTP/1.1\r\n", "port"},
      {"CONNECT http://a.example:443 HTTP/1.1\r\n", "host and a port"},
      {"CONNECT /x HTTP/1.1\r\n", "host and a port"},
      {"CONNECT 0x7f.1:443 HTTP/1.1\r\n", "IPv4"},
      // Field lines.
      {with("A : b\r\n"), "white space stands between"},
      {with("A\t: b\r\n"), "white space stands between"},
      {with(" folded\r\n"), "folding"},
      {"GET / HTTP/1.1\r\n Host: a.example\r\n", "folding"},
      {with(": b\r\n"), "no name"},
      {with("no colon\r\n"), "a character that no token has"},
      {with("nocolon\r\n"), "no colon"},
      {with("A(: b\r\n"), "a character that no token has"},
      {with("A\0: b\r\n"s), "a character that no token has"},
      {with("\xc3\xa4: b\r\n"), "a character that no token has"},
      {with("A: b\rc\r\n"), "field A has a control character"},
      {with("A: b\r\r\n"), "control character"},
      {with("A: b\0c\r\n"s), "control character"},
      {with("A: 0123456789\x7f\r\n"), "control character"},
      {with("A: b\nc: d\r\n"), "LF without CR"},
      {with("A: b\r\n\n"), "LF without CR"},
      // Host.
      {"GET / HTTP/1.1\r\n\r\n", "no Host"},
      {with("host: a.example\r\n"), "more than one Host"},
      {with("Host: b.example\r\n", "GET / HTTP/1.0"), "more than one Host"},
      {"GET / HTTP/1.1\r\nHost:\r\n\r\n", "Host field"},
      {"GET / HTTP/1.1\r\nHost: a.example b\r\n\r\n", "Host field"},
      {"GET / HTTP/1.1\r\nHost: a.example, b.example\r\n\r\n", "Host field"},
      {"GET / HTTP/1.1\r\nHost: u@a.example\r\n\r\n", "userinfo"},
      {"GET / HTTP/1.1\r\nHost: a.example:99999\r\n\r\n", "port"},
      {"GET / HTTP/1.1\r\nHost: http://a.example\r\n\r\n", "Host field"},
      // Framing.
      {with("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n"), "both"},
      {with("Transfer-Encoding: chunked\r\nContent-Length: 0\r\n"), "both"},
      {with("Content-Length: 5\r\nContent-Length: 6\r\n"), "more than one Content-Length"},
      {with("Content-Length: 5\r\ncontent-length: 5\r\n"), "more than one Content-Length"},
      {with("Content-Length: 5, 5\r\n"), "decimal"},
      {with("Content-Length: +5\r\n"), "decimal"},
      {with("Content-Length: -5\r\n"), "decimal"},
      {with("Content-Length: 0x5\r\n"), "decimal"},
      {with("Content-Length: 5 5\r\n"), "decimal"},
      {with("Content-Length:\r\n"), "decimal"},
      {with("Content-Length: 9223372036854775808\r\n"), "decimal"},
      {with("Content-Length: 18446744073709551617\r\n"), "decimal"},
      {with("Transfer-Encoding: gzip, chunked\r\n"), "not chunked"},
      {with("Transfer-Encoding: chunked, identity\r\n"), "not chunked"},
      {with("Transfer-Encoding: identity\r\n"), "not chunked"},
      {with("Transfer-Encoding: xchunked\r\n"), "not chunked"},
      {with("Transfer-Encoding: \"chunked\"\r\n"), "not chunked"},
      {with("Transfer-Encoding: chunked;q=1\r\n"), "not chunked"},
      {with("Transfer-Encoding:\r\n"), "not chunked"},
      {with("Transfer-Encoding: \x0b"
            "chunked\r\n"),
       "control"},
      {with("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n"),
       "more than one Transfer-Encoding"},
      {with("Transfer-Encoding: chunked\r\n", "POST / HTTP/1.0"), "HTTP/1.0"},
      {with("Content-Length: 1\r\n", "CONNECT a.example:443 HTTP/1.1"), "CONNECT has no body"},
      {with("Transfer-Encoding: chunked\r\n", "CONNECT a.example:443 HTTP/1.1"), "no body"},
      {with("Content-Length: 1\r\n", "TRACE / HTTP/1.1"), "TRACE has no body"},
      // The connection and what it may become.
      {with("Connection: host\r\n"), "not the connection's"},
      {with("Connection: close, Content-Length\r\n"), "not the connection's"},
      {with("Connection: via\r\n"), "not the connection's"},
      {with("Connection: a b\r\n"), "no token"},
      {with("Upgrade: h2c\r\nConnection: Upgrade, HTTP2-Settings\r\n"), "websocket"},
      {with("Upgrade: h2c\r\n"), "websocket"},
      {with("Upgrade: websocket, h2c\r\nConnection: Upgrade\r\n"), "websocket"},
      {with("Upgrade: websocket\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"), "websocket"},
      {with("Upgrade: websocket\r\n"), "Connection does not name"},
      {with("Upgrade: websocket\r\nConnection: upgrade\r\n", "POST / HTTP/1.1"), "GET"},
      {with("Upgrade: websocket\r\nConnection: upgrade\r\nContent-Length: 3\r\n"),
       "without a body"},
      {with("Expect: 200-ok\r\n"), "100-continue"},
      {with("Max-Forwards: -1\r\n", "OPTIONS * HTTP/1.1"), "Max-Forwards"},
      {with("Max-Forwards: 1\r\nMax-Forwards: 1\r\n", "TRACE / HTTP/1.1"), "Max-Forwards"},
  };
  for (const Row& row : rows) {
    RequestReader reader;
    const auto consumed = reader.read(row.octets);
    ASSERT_FALSE(consumed) << escaped(row.octets);
    EXPECT_EQ(consumed.error().reason, Reason::kMalformedRequest) << escaped(row.octets);
    EXPECT_EQ(consumed.error().side, Side::kClient);
    EXPECT_NE(consumed.error().detail.find(row.detail), std::string::npos)
        << escaped(row.octets) << ": " << consumed.error().detail;
  }
}

TEST(RequestHead, ReadsTheSameInOneOctetStepsAndAmongOtherOctets) {
  const std::string first =
      "\r\n" + with("Content-Length: 3\r\n", "POST http://a.example/1 HTTP/1.1");
  const std::string second = with("", "GET http://a.example/2 HTTP/1.1");
  RequestReader reader;
  std::string buffered;
  for (std::size_t i = 0; i < first.size(); ++i) {
    buffered += first[i];
    buffered.shrink_to_fit();  // elsewhere in memory, as a buffer that grows may be
    const auto consumed = reader.read(buffered);
    ASSERT_TRUE(consumed) << consumed.error().detail;
    ASSERT_EQ(*consumed, i + 1 == first.size() ? first.size() : 0) << i;
  }
  EXPECT_EQ(reader.head().target.path, "/1");
  EXPECT_EQ(reader.head().method_name(), "POST");
  EXPECT_EQ(reader.head().body, BodyFraming::of(3));

  const auto consumed = reader.read(second + "GET ");
  ASSERT_TRUE(consumed);
  EXPECT_EQ(*consumed, second.size());
  EXPECT_EQ(reader.head().target.path, "/2");
  EXPECT_EQ(reader.head().body, BodyFraming::none());
  EXPECT_EQ(reader.head().fields.size(), 1u);
}

TEST(RequestHead, RefusesAHeadPastItsLimits) {
  const HeadLimits limits{.octets = 100, .fields = 3};
  const std::string line = "GET / HTTP/1.1\r\nHost: a\r\n";
  const std::string exact = line + "A: " + std::string(100 - line.size() - 7, 'x') + "\r\n\r\n";
  EXPECT_TRUE(parse(exact, limits));
  std::string over = exact;
  over.insert(over.size() - 4, "x");
  RequestReader reader(limits);
  EXPECT_EQ(reader.read(std::string_view(over).substr(0, 99)), 0u);
  const auto refused = reader.read(std::string_view(over).substr(0, 100));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().reason, Reason::kHeadTooLarge);

  EXPECT_TRUE(parse(line + "A:\r\nB:\r\n\r\n", limits));
  const auto many = parse(line + "A:\r\nB:\r\nC:\r\n\r\n", limits);
  ASSERT_FALSE(many);
  EXPECT_EQ(many.error().reason, Reason::kHeadTooLarge);

  std::string options;
  for (int i = 0; i < 33; ++i) options += "a,";
  EXPECT_FALSE(parse(with("Connection: " + options + "\r\n")));
}

TEST(RequestHead, KeepsForTheLogWhatItReadOfARefusedHead) {
  RequestReader reader;
  ASSERT_TRUE(reader.read(with("", "GET /first HTTP/1.1")));
  ASSERT_FALSE(reader.read("CONNECT a.example:443 HTTP/1.1\r\nBad Field: x\r\n\r\n"));
  EXPECT_EQ(reader.head().method_name(), "CONNECT");
  EXPECT_EQ(reader.head().target_text(), "a.example:443");

  RequestReader garbage;
  ASSERT_TRUE(garbage.read(with("", "GET /first HTTP/1.1")));
  ASSERT_FALSE(garbage.read("\x01garbage"));
  EXPECT_EQ(garbage.head().method_name(), "");
  EXPECT_EQ(garbage.head().target_text(), "");
}

TEST(RequestHead, KnowsTheBodyAndWhatBecomesOfTheConnection) {
  EXPECT_EQ(parse(with("Content-Length: 00042\r\n"))->body, BodyFraming::of(42));
  EXPECT_EQ(parse(with("Content-Length: 9223372036854775807\r\n"))->body,
            BodyFraming::of(INT64_MAX));
  EXPECT_EQ(parse(with("Transfer-Encoding:  Chunked \r\n"))->body, BodyFraming::chunked());
  EXPECT_EQ(parse(with(""))->body, BodyFraming::none());
  EXPECT_TRUE(
      parse(with("Content-Length: 0\r\n", "CONNECT a.example:1 HTTP/1.1"))->body.is_empty());

  EXPECT_TRUE(parse(with(""))->persistent);
  EXPECT_TRUE(parse(with("Connection: , keep-alive\r\n"))->persistent);
  EXPECT_FALSE(parse(with("Connection: x, CLOSE\r\n"))->persistent);
  EXPECT_FALSE(parse(with("Connection: x\r\nConnection: close\r\n"))->persistent);
  EXPECT_FALSE(parse(with("Connection: keep-alive\r\n", "GET / HTTP/1.0"))->persistent);

  const auto old = parse("GET http://a.example/ HTTP/1.0\r\n\r\n");
  ASSERT_TRUE(old);
  EXPECT_FALSE(old->host);
}

TEST(RequestHead, KnowsExpectationsUpgradesTrailersAndBoundCredentials) {
  EXPECT_TRUE(parse(with("Expect: 100-Continue\r\n"))->expects_continue);
  EXPECT_FALSE(parse(with("Expect: 100-continue\r\n", "POST / HTTP/1.0"))->expects_continue);
  EXPECT_TRUE(parse(with("Upgrade: WebSocket\r\nConnection: keep-alive, Upgrade\r\n"))->upgrade);
  EXPECT_FALSE(parse(with("Connection: Upgrade\r\n"))->upgrade);
  EXPECT_FALSE(
      parse(with("Upgrade: websocket\r\nConnection: upgrade\r\n", "GET / HTTP/1.0"))->upgrade);
  EXPECT_TRUE(parse(with("TE: deflate;q=0.5, trailers\r\n"))->accepts_trailers);
  EXPECT_FALSE(parse(with("TE: deflate\r\n"))->accepts_trailers);
  EXPECT_TRUE(parse(with("Authorization: NTLM TlRM\r\n"))->binds_connection);
  EXPECT_TRUE(parse(with("authorization: negotiate YII=\r\n"))->binds_connection);
  EXPECT_FALSE(parse(with("Authorization: Basic bnRsbTpudGxt\r\n"))->binds_connection);
  EXPECT_EQ(parse(with("Max-Forwards: 7\r\n", "OPTIONS * HTTP/1.1"))->max_forwards, 7u);
  EXPECT_FALSE(parse(with("Max-Forwards: x\r\n"))->max_forwards);
}

TEST(RequestHead, MarksWhatConnectionNames) {
  const auto head =
      parse(with("X-One: 1\r\nConnection: x-one, x-none\r\nX-Two: 2\r\nTE: trailers\r\n"));
  ASSERT_TRUE(head);
  std::string gone;
  for (const Field field : head->fields.all()) {
    if (field.hop_by_hop) gone += std::string(field.name) + " ";
  }
  EXPECT_EQ(gone, "X-One Connection TE ");
}

TEST(AskedOfProxy, NeedsAHostInTheTarget) {
  EXPECT_EQ(asked_of_proxy(*parse(with("", "CONNECT b.example:443 HTTP/1.1")))->str(),
            "b.example:443");
  EXPECT_EQ(asked_of_proxy(*parse(with("", "GET http://b.example/ HTTP/1.1")))->str(),
            "b.example:80");
  for (const std::string_view line : {"GET / HTTP/1.1", "OPTIONS * HTTP/1.1"}) {
    const auto refused = asked_of_proxy(*parse(with("", line)));
    ASSERT_FALSE(refused) << line;
    EXPECT_EQ(refused.error().reason, Reason::kMalformedRequest);
  }
}

TEST(AskedOfOrigin, IsTheHostFieldOnThePortOfTheConnection) {
  const Port port = *Port::of(8080);
  const auto asked = [&](std::string_view octets) { return asked_of_origin(*parse(octets), port); };
  EXPECT_EQ(asked("GET / HTTP/1.1\r\nHost: a.example\r\n\r\n")->str(), "a.example:8080");
  EXPECT_EQ(asked("GET / HTTP/1.1\r\nHost: a.example:\r\n\r\n")->str(), "a.example:8080");
  EXPECT_EQ(asked("GET / HTTP/1.1\r\nHost: a.example:8080\r\n\r\n")->str(), "a.example:8080");
  EXPECT_EQ(asked("GET / HTTP/1.1\r\nHost: [::1]\r\n\r\n")->str(), "[::1]:8080");
  EXPECT_FALSE(asked("GET / HTTP/1.1\r\nHost: a.example:80\r\n\r\n"));
  EXPECT_FALSE(asked("GET / HTTP/1.1\r\nHost: [::1]:80\r\n\r\n"));
  EXPECT_FALSE(asked("GET / HTTP/1.0\r\n\r\n"));
  EXPECT_FALSE(asked("GET http://a.example:8080/ HTTP/1.1\r\nHost: a.example:8080\r\n\r\n"));
  EXPECT_FALSE(asked("CONNECT a.example:8080 HTTP/1.1\r\nHost: a.example:8080\r\n\r\n"));
}

}  // namespace
}  // namespace ebbgate::http
