#include "http/forward.h"

#include <gtest/gtest.h>

#include <string>

namespace ebbgate::http {
namespace {

constexpr std::string_view kUs = "ebbgate-1";

RequestHead request(std::string_view octets) {
  RequestReader reader;
  const auto consumed = reader.read(octets);
  EXPECT_TRUE(consumed && *consumed != 0) << octets << consumed.error().detail;
  return reader.take();
}

ResponseHead response(std::string_view octets, Asked asked = {}) {
  ResponseReader reader;
  const auto consumed = reader.read(octets, asked);
  EXPECT_TRUE(consumed && *consumed != 0) << octets << consumed.error().detail;
  return reader.take();
}

std::string forwarded(std::string_view octets, Persistence persistence = Persistence::kKeepAlive) {
  const RequestHead head = request(octets);
  std::string out;
  append_forwarded(out, head, *asked_of_proxy(head), kUs, persistence);
  return out;
}

TEST(ForwardedRequest, TakesHostFromTheTargetAndLeavesWhatEndsHere) {
  EXPECT_EQ(forwarded("GET http://A.example/x?y HTTP/1.1\r\nHost: other.example\r\n"
                      "Accept: */*\r\nProxy-Authorization: Basic c2VjcmV0\r\n"
                      "Proxy-Connection: keep-alive\r\nKeep-Alive: timeout=5\r\n"
                      "Connection: keep-alive, X-Hop\r\nX-Hop: 1\r\nProxy-Authenticate: x\r\n"
                      "Authorization: Basic eA==\r\nVia: 1.0 before\r\nX-Hop: 2\r\n\r\n"),
            "GET /x?y HTTP/1.1\r\nHost: a.example\r\nAccept: */*\r\nAuthorization: Basic eA==\r\n"
            "Via: 1.0 before\r\nVia: 1.1 ebbgate-1\r\n\r\n");
}

TEST(ForwardedRequest, FramesTheBodyAsItCame) {
  EXPECT_EQ(forwarded("POST http://a.example:8080/ HTTP/1.1\r\nHost: a\r\nContent-Length: 007\r\n"
                      "Trailer: x\r\nExpect: 100-continue\r\n\r\n"),
            "POST / HTTP/1.1\r\nHost: a.example:8080\r\nExpect: 100-continue\r\n"
            "Content-Length: 7\r\nVia: 1.1 ebbgate-1\r\n\r\n");
  EXPECT_EQ(forwarded("POST http://a.example/ HTTP/1.1\r\nHost: a\r\nTrailer: x\r\n"
                      "TRANSFER-ENCODING: Chunked\r\nTE: trailers\r\nConnection: TE\r\n\r\n"),
            "POST / HTTP/1.1\r\nHost: a.example\r\nTrailer: x\r\nTransfer-Encoding: chunked\r\n"
            "Via: 1.1 ebbgate-1\r\nConnection: TE\r\nTE: trailers\r\n\r\n");
}

TEST(ForwardedRequest, OfHttp10BecomesHttp11) {
  EXPECT_EQ(forwarded("POST http://[2001:db8::1]/ HTTP/1.0\r\nContent-Length: 0\r\n"
                      "Expect: 100-continue\r\n\r\n",
                      Persistence::kClose),
            "POST / HTTP/1.1\r\nHost: [2001:db8::1]\r\nContent-Length: 0\r\nVia: 1.0 ebbgate-1\r\n"
            "Connection: close\r\n\r\n");
}

TEST(ForwardedRequest, AsksForTheWebsocketAnew) {
  EXPECT_EQ(forwarded("GET http://a.example/chat HTTP/1.1\r\nHost: a.example\r\n"
                      "Upgrade: websocket\r\nConnection: keep-alive, Upgrade\r\n"
                      "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"),
            "GET /chat HTTP/1.1\r\nHost: a.example\r\n"
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nVia: 1.1 ebbgate-1\r\n"
            "Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n");
}

TEST(ForwardedRequest, CountsMaxForwardsDownForOptionsAndTraceOnly) {
  EXPECT_EQ(forwarded("OPTIONS http://a.example HTTP/1.1\r\nHost: a\r\nMax-Forwards: 5\r\n\r\n"),
            "OPTIONS * HTTP/1.1\r\nHost: a.example\r\nMax-Forwards: 4\r\n"
            "Via: 1.1 ebbgate-1\r\n\r\n");
  EXPECT_EQ(forwarded("GET http://a.example/ HTTP/1.1\r\nHost: a\r\nMax-Forwards: 5\r\n\r\n"),
            "GET / HTTP/1.1\r\nHost: a.example\r\nMax-Forwards: 5\r\nVia: 1.1 ebbgate-1\r\n\r\n");
}

TEST(CheckLoop, FindsOwnNameInVia) {
  const auto looped = [](std::string_view via) {
    const auto checked = check_loop(
        request("GET / HTTP/1.1\r\nHost: a\r\nVia: " + std::string(via) + "\r\n\r\n"), kUs);
    return !checked && checked.error().reason == Reason::kLoop;
  };
  EXPECT_TRUE(looped("1.1 ebbgate-1"));
  EXPECT_TRUE(looped("1.0 a, HTTP/1.1  EBBGATE-1 (comment)"));
  EXPECT_TRUE(looped("1.0 a\r\nVia: 1.1 ebbgate-1"));
  EXPECT_FALSE(looped("1.1 ebbgate-12"));
  EXPECT_FALSE(looped("1.1 a (ebbgate-1)"));
  EXPECT_FALSE(looped("ebbgate-1"));
  EXPECT_TRUE(check_loop(request("GET / HTTP/1.1\r\nHost: a\r\n\r\n"), kUs));
}

TEST(ForwardedResponse, KeepsTheMessageAndLosesTheHop) {
  const ResponseHead head = response(
      "HTTP/1.0 200 Fine\r\nServer: x\r\nConnection: keep-alive, x-hop\r\nX-Hop: 1\r\n"
      "Keep-Alive: 5\r\nUpgrade: h2\r\nProxy-Authenticate: Basic realm=x\r\n"
      "Content-Length: 3\r\nSet-Cookie: a\r\nSet-Cookie: b\r\n\r\n");
  std::string out;
  append_forwarded(out, head, forwarded_body(head, Version::kHttp11), kUs, Persistence::kKeepAlive);
  EXPECT_EQ(out,
            "HTTP/1.1 200 Fine\r\nServer: x\r\nSet-Cookie: a\r\nSet-Cookie: b\r\n"
            "Content-Length: 3\r\nVia: 1.0 ebbgate-1\r\n\r\n");
}

TEST(ForwardedResponse, IsFramedForTheClientsVersion) {
  const ResponseHead chunked =
      response("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: a\r\n\r\n");
  EXPECT_EQ(forwarded_body(chunked, Version::kHttp11), BodyFraming::chunked());
  EXPECT_EQ(forwarded_body(chunked, Version::kHttp10), BodyFraming::until_close());
  std::string out;
  append_forwarded(out, chunked, BodyFraming::chunked(), kUs, Persistence::kKeepAlive);
  EXPECT_EQ(out,
            "HTTP/1.1 200 OK\r\nTrailer: a\r\nTransfer-Encoding: chunked\r\n"
            "Via: 1.1 ebbgate-1\r\n\r\n");
  out.clear();
  append_forwarded(out, chunked, BodyFraming::until_close(), kUs, Persistence::kKeepAlive);
  EXPECT_EQ(out, "HTTP/1.1 200 OK\r\nVia: 1.1 ebbgate-1\r\nConnection: close\r\n\r\n");
}

TEST(ForwardedResponse, WithoutBodyKeepsTheLengthThatItAnnounces) {
  const ResponseHead head =
      response("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n", {Method::kHead, false});
  std::string out;
  append_forwarded(out, head, head.body, kUs, Persistence::kClose);
  EXPECT_EQ(out,
            "HTTP/1.1 200 OK\r\nContent-Length: 9\r\nVia: 1.1 ebbgate-1\r\n"
            "Connection: close\r\n\r\n");
  out.clear();
  const ResponseHead empty = response("HTTP/1.1 204\r\nContent-Length: 0\r\n\r\n");
  append_forwarded(out, empty, empty.body, kUs, Persistence::kKeepAlive);
  EXPECT_EQ(out, "HTTP/1.1 204 \r\nVia: 1.1 ebbgate-1\r\n\r\n");
}

TEST(ForwardedResponse, SaysInterimAndSwitchingAsTheyAre) {
  const ResponseHead hints = response("HTTP/1.1 103 Early\r\nLink: </a>\r\n\r\n");
  std::string out;
  append_forwarded(out, hints, hints.body, kUs, Persistence::kClose);
  EXPECT_EQ(out, "HTTP/1.1 103 Early\r\nLink: </a>\r\nVia: 1.1 ebbgate-1\r\n\r\n");
  out.clear();
  const ResponseHead switching = response(
      "HTTP/1.1 101 Go\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n", {Method::kGet, true});
  append_forwarded(out, switching, switching.body, kUs, Persistence::kClose);
  EXPECT_EQ(out,
            "HTTP/1.1 101 Go\r\nVia: 1.1 ebbgate-1\r\nConnection: Upgrade\r\n"
            "Upgrade: websocket\r\n\r\n");
}

}  // namespace
}  // namespace ebbgate::http
