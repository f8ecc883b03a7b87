#include "https/client.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "net/run.h"
#include "net/testing.h"
#include "tls/testing/peer.h"

namespace ebbgate::https {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;
using tls::testing::Conversation;
using tls::testing::Server;
using tls::testing::ServerOptions;
using tls::testing::TestAuthority;

const TestAuthority& authority() {
  static const TestAuthority kAuthority("Test authority");
  return kAuthority;
}

ServerOptions secure() {
  return {.identity = authority().issue({.names = {"IP:127.0.0.1", "DNS:localhost"}})};
}

// Nobody answers there: what is not in /etc/hosts is unknown, and soon.
std::unique_ptr<dns::Resolver> resolver_without_server(net::Loop& loop) {
  dns::ResolverOptions options;
  options.servers = {*Endpoint::parse("127.0.0.1:9")};
  options.attempt_timeout = 50ms;
  options.rounds = 1;
  return std::move(dns::Resolver::make(loop, options).value());
}

// What a command has: a loop, a resolver, whom it trusts, and the client.
struct Fixture {
  std::unique_ptr<net::Loop> loop = net::testing::make_loop();
  std::unique_ptr<dns::Resolver> resolver = resolver_without_server(*loop);
  std::unique_ptr<tls::ClientContext> tls =
      std::move(tls::ClientContext::make({.ca_pem = authority().certificate_pem()}).value());
  std::unique_ptr<Client> client;

  explicit Fixture(ClientOptions options = {})
      : client(std::make_unique<Client>(*loop, *resolver, *tls, std::move(options))) {}
};

std::string url(const Server& server, const std::string& scheme = "https",
                const std::string& path = "/") {
  return scheme + "://127.0.0.1:" + std::to_string(server.port()) + path;
}

Result<Response> send_one(Request request) {
  Fixture fixture;
  return net::run_to_end(*fixture.loop, fixture.client->send(std::move(request)));
}

// A server that answers each request with the same octets, and then ends orderly or is cut.
enum class Ending : bool { kOrderly, kCut };
Server::Script answering(std::string octets, Ending ending = Ending::kOrderly) {
  return [octets = std::move(octets), ending](Conversation& conversation) {
    if (conversation.read_request().empty()) return;
    conversation.write(octets);
    if (ending == Ending::kOrderly) conversation.close_orderly();
  };
}

TEST(HttpsClient, SendsTheRequestAsItIsWritten) {
  std::string seen;
  {
    Server server(secure(), [&](Conversation& conversation) {
      seen = conversation.read_request();
      conversation.write("HTTP/1.1 200 OK\r\nX-One: 1\r\nContent-Length: 2\r\nx-ONE: 2\r\n\r\nok");
    });
    const auto response = send_one({.method = "POST",
                                    .url = url(server, "https", "/a%20b?q=1"),
                                    .headers = {{"X-Amz-Target", "T.x"}},
                                    .body = "hello"});
    ASSERT_TRUE(response) << response.error().detail;
    EXPECT_EQ(response->status, 200);
    EXPECT_EQ(response->body, "ok");
    const std::vector<Header> headers = {{"x-one", "1"}, {"content-length", "2"}, {"x-one", "2"}};
    EXPECT_EQ(response->headers, headers);
    EXPECT_EQ(*response->header("x-one"), "1");
    EXPECT_EQ(seen, "POST /a%20b?q=1 HTTP/1.1\r\nHost: 127.0.0.1:" + std::to_string(server.port()) +
                        "\r\nX-Amz-Target: T.x\r\nUser-Agent: ebbgate\r\nContent-Length: 5\r\n\r\n"
                        "hello");
  }
}

TEST(HttpsClient, LeavesHostAndLengthThatWereSigned) {
  std::string seen;
  {
    Server server({}, [&](Conversation& conversation) {
      seen = conversation.read_request();
      conversation.write("HTTP/1.1 204 No Content\r\n\r\n");
    });
    const auto response =
        send_one({.method = "PUT",
                  .url = url(server, "http"),
                  .headers = {{"host", "signed.example"}, {"Content-Length", "0"}}});
    ASSERT_TRUE(response) << response.error().detail;
    EXPECT_EQ(response->status, 204);
  }
  EXPECT_THAT(seen, StartsWith("PUT / HTTP/1.1\r\nhost: signed.example\r\nContent-Length: 0\r\n"));
  EXPECT_THAT(seen, Not(HasSubstr("Host:")));
}

TEST(HttpsClient, RefusesRequestsThatWouldBeReadDifferently) {
  const Request cases[] = {
      {.url = "ftp://a/"},
      {.method = "GE T", .url = "http://127.0.0.1:9/"},
      {.url = "http://127.0.0.1:9/", .headers = {{"a:b", "c"}}},
      {.url = "http://127.0.0.1:9/", .headers = {{"a", "b\r\nc: d"}}},
      {.url = "http://127.0.0.1:9/", .headers = {{"Content-Length", "7"}}},
      {.url = "http://127.0.0.1:9/", .headers = {{"transfer-encoding", "chunked"}}},
  };
  for (const Request& each : cases) {
    const auto response = send_one(each);
    ASSERT_FALSE(response);
    EXPECT_EQ(response.error().reason, Reason::kMalformedRequest);
  }
}

TEST(HttpsClient, ReadsABodyHoweverItIsFramed) {
  struct Case {
    const char* octets;
    int status;
    const char* body;
  };
  const Case cases[] = {
      {"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", 200, "hello"},
      {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3;x=y\r\nllo\r\n0\r\nT: "
       "1\r\n\r\n",
       200, "hello"},
      {"HTTP/1.0 200 OK\r\n\r\nhello", 200, "hello"},
      {"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n"
       "HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\nno",
       404, "no"},
      {"HTTP/1.1 304 Not Modified\r\nContent-Length: 99\r\n\r\n", 304, ""},
      {"HTTP/1.1 302 Found\r\nLocation: http://elsewhere/\r\nContent-Length: 0\r\n\r\n", 302, ""},
      {"HTTP/1.1 500 \r\nContent-Length: 0\r\n\r\n", 500, ""},
  };
  for (const Case& each : cases) {
    SCOPED_TRACE(each.octets);
    for (const bool is_slow : {false, true}) {
      for (const char* scheme : {"https", "http"}) {
        Server server(std::string_view(scheme) == "https" ? secure() : ServerOptions{},
                      [&](Conversation& conversation) {
                        static_cast<void>(conversation.read_request());
                        is_slow ? conversation.write_slowly(each.octets)
                                : conversation.write(each.octets);
                        conversation.close_orderly();
                      });
        const auto response = send_one({.url = url(server, scheme)});
        ASSERT_TRUE(response) << response.error().detail;
        EXPECT_EQ(response->status, each.status);
        EXPECT_EQ(response->body, each.body);
      }
    }
  }
}

TEST(HttpsClient, RefusesWhatIsNoWholeAnswer) {
  struct Case {
    const char* octets;
    Ending ending;
    Reason reason;
    const char* says;
  };
  const Case cases[] = {
      {"", Ending::kOrderly, Reason::kOriginClosed, "closed before the answer"},
      {"", Ending::kCut, Reason::kOriginClosed, "closed before the answer"},
      {"HTTP/1.1 20", Ending::kOrderly, Reason::kOriginInvalid, "head was cut short"},
      {"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf", Ending::kOrderly, Reason::kOriginInvalid,
       "cut short"},
      {"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf", Ending::kCut, Reason::kOriginInvalid,
       "cut short"},
      {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nhalf", Ending::kOrderly,
       Reason::kOriginInvalid, "cut short"},
      // Without a length the end of the connection is the end of the body, so it has to be a real
      // one.
      {"HTTP/1.1 200 OK\r\n\r\nhalf", Ending::kCut, Reason::kOriginInvalid, "cut short"},
      {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", Ending::kOrderly,
       Reason::kOriginInvalid, ""},
      {"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
       Ending::kOrderly, Reason::kOriginInvalid, ""},
      {"SSH-2.0-OpenSSH_9.2\r\n", Ending::kOrderly, Reason::kOriginInvalid, "HTTP/1"},
      {"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
       Ending::kOrderly, Reason::kOriginInvalid, ""},
  };
  for (const Case& each : cases) {
    SCOPED_TRACE(each.octets);
    Server server(secure(), answering(each.octets, each.ending));
    const auto response = send_one({.url = url(server)});
    ASSERT_FALSE(response);
    EXPECT_EQ(response.error().reason, each.reason) << response.error().detail;
    EXPECT_THAT(response.error().detail, HasSubstr(each.says));
    EXPECT_THAT(response.error().detail, StartsWith(url(server).substr(0, url(server).size() - 1)));
  }
}

TEST(HttpsClient, EndlessInterimResponsesAreNoAnswer) {
  Server server({}, [](Conversation& conversation) {
    static_cast<void>(conversation.read_request());
    for (int i = 0; i < 1000; ++i) conversation.write("HTTP/1.1 100 Continue\r\n\r\n");
  });
  const auto response = send_one({.url = url(server, "http")});
  ASSERT_FALSE(response);
  EXPECT_EQ(response.error().reason, Reason::kOriginInvalid);
}

TEST(HttpsClient, TakesNoMoreOfABodyThanItMay) {
  const std::string ten(10, 'x');
  const std::string framed[] = {
      "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n" + ten,
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nxxxxx\r\n5\r\nxxxxx\r\n0\r\n\r\n",
      "HTTP/1.1 200 OK\r\n\r\n" + ten,
  };
  for (const std::string& octets : framed) {
    Server server(secure(), answering(octets));
    const auto fits = send_one({.url = url(server), .max_body = 10});
    ASSERT_TRUE(fits) << fits.error().detail;
    EXPECT_EQ(fits->body, ten);
    const auto over = send_one({.url = url(server), .max_body = 9});
    ASSERT_FALSE(over);
    EXPECT_EQ(over.error().reason, Reason::kOriginInvalid);
    EXPECT_THAT(over.error().detail, HasSubstr("longer than 9 octets"));
  }
}

TEST(HttpsClient, HasOneDeadlineForAll) {
  struct Case {
    const char* what;
    ServerOptions options;
    Server::Script script;
  };
  const Case cases[] = {
      {"no handshake", {.is_silent = true}, {}},
      {"no answer", secure(),
       [](Conversation& conversation) {
         static_cast<void>(conversation.read_request());
         static_cast<void>(conversation.read_some());
       }},
      {"an answer that drips", secure(),
       [](Conversation& conversation) {
         static_cast<void>(conversation.read_request());
         conversation.write("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n");
         for (int i = 0; i < 100; ++i) {
           conversation.write("x");
           std::this_thread::sleep_for(5ms);
         }
       }},
  };
  for (const Case& each : cases) {
    SCOPED_TRACE(each.what);
    Server server(each.options, each.script);
    const auto response = send_one({.url = url(server), .timeout = 60ms});
    ASSERT_FALSE(response);
    EXPECT_EQ(response.error().reason, Reason::kTimedOut) << response.error().detail;
  }
}

TEST(HttpsClient, SaysWhyThereIsNoConnection) {
  const TestAuthority other("Another authority");
  Server unknown({.identity = other.issue({.names = {"IP:127.0.0.1"}})}, answering(""));
  Server clear({}, [](Conversation& conversation) {
    static_cast<void>(conversation.read_some());
    conversation.write("HTTP/1.1 400 Bad Request\r\n\r\n");
  });
  std::uint16_t closed_port = 0;
  {
    const auto listener = net::testing::Socket::listening(net::testing::ip("127.0.0.1"));
    closed_port = listener.local().port;
  }
  struct Case {
    std::string url;
    Reason reason;
    const char* says;
  };
  const Case cases[] = {
      {url(unknown), Reason::kConnectFailed, "--ca-file"},
      {url(clear), Reason::kConnectFailed, "not TLS"},
      {"https://127.0.0.1:" + std::to_string(closed_port) + "/", Reason::kConnectFailed, "refused"},
      {"https://nowhere.invalid/", Reason::kDnsFailed, "nowhere.invalid"},
  };
  for (const Case& each : cases) {
    SCOPED_TRACE(each.url);
    const auto response = send_one({.url = each.url});
    ASSERT_FALSE(response);
    EXPECT_EQ(response.error().reason, each.reason);
    EXPECT_THAT(response.error().detail, HasSubstr(each.says));
  }
}

// Answers every request on a connection, `most` of them before it closes.
Server::Script serving(int most, std::function<void(Conversation&)> at_end = {}) {
  return [most, at_end](Conversation& conversation) {
    for (int i = 0; i < most; ++i) {
      if (conversation.read_request().empty()) return;
      conversation.write("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    }
    if (at_end) at_end(conversation);
    conversation.close_orderly();
  };
}

net::Task<int> send_in_turn(Client& client, Request request, int times) {
  int fine = 0;
  for (int i = 0; i < times; ++i) {
    const auto response = co_await client.send(request);
    if (response && response->status == 200) ++fine;
  }
  co_return fine;
}

TEST(HttpsClient, UsesAConnectionAgain) {
  for (const char* scheme : {"https", "http"}) {
    Server server(std::string_view(scheme) == "https" ? secure() : ServerOptions{}, serving(100));
    Fixture fixture;
    EXPECT_EQ(net::run_to_end(*fixture.loop,
                              send_in_turn(*fixture.client, {.url = url(server, scheme)}, 10)),
              10);
    EXPECT_EQ(server.connections(), 1);
    EXPECT_EQ(fixture.client->idle(), 1U);
    fixture.client->close_idle();
  }
}

TEST(HttpsClient, SurvivesTheDeathOfAConnectionThatWaited) {
  // The server closes after each third answer, at once or only when it sees a fourth request.
  for (const bool sees_fourth : {false, true}) {
    Server server(secure(), serving(3, [&](Conversation& conversation) {
                    if (sees_fourth) static_cast<void>(conversation.read_request());
                  }));
    Fixture fixture;
    EXPECT_EQ(
        net::run_to_end(*fixture.loop, send_in_turn(*fixture.client, {.url = url(server)}, 9)), 9);
    EXPECT_GE(server.connections(), 3);
    fixture.client->close_idle();
  }
}

TEST(HttpsClient, DoesNothingTwiceThatIsNotIdempotent) {
  int served = 0;
  Fixture fixture;
  {
    Server server(secure(), [&](Conversation& conversation) {
      while (!conversation.read_request().empty()) {
        if (++served == 2) return;  // it was done, and nobody will ever know
        conversation.write("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
      }
    });
    EXPECT_EQ(
        net::run_to_end(*fixture.loop,
                        send_in_turn(*fixture.client, {.method = "POST", .url = url(server)}, 2)),
        1);
    fixture.client->close_idle();
  }
  EXPECT_EQ(served, 2);
}

TEST(HttpsClient, DoesNotUseAConnectionOnWhichMoreCameThanAnAnswer) {
  Server server({}, [](Conversation& conversation) {
    while (!conversation.read_request().empty()) {
      conversation.write(
          "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\nContent-Length: "
          "4\r\n\r\nevil");
    }
  });
  Fixture fixture;
  EXPECT_EQ(net::run_to_end(*fixture.loop,
                            send_in_turn(*fixture.client, {.url = url(server, "http")}, 3)),
            3);
  EXPECT_EQ(server.connections(), 3);
}

TEST(HttpsClient, ClosesConnectionsThatWaitedLongEnough) {
  Server server(secure(), serving(100));
  Fixture fixture({.idle_for = 20ms});
  struct Patience {
    static net::Task<std::size_t> task(Fixture& fixture, Request request) {
      const auto response = co_await fixture.client->send(std::move(request));
      static_cast<void>(co_await net::sleep_until(*fixture.loop, fixture.loop->after(80ms)));
      co_return response ? fixture.client->idle() : 99;
    }
  };
  EXPECT_EQ(net::run_to_end(*fixture.loop, Patience::task(fixture, {.url = url(server)})), 0U);
}

net::Task<void> send_into(Client& client, Request request, std::vector<std::string>& bodies,
                          std::size_t most, net::Loop& loop) {
  auto response = co_await client.send(std::move(request));
  bodies.push_back(response ? response->body : response.error().detail);
  if (bodies.size() == most) loop.stop();
}

TEST(HttpsClient, ServesManyRequestsSideBySide) {
  constexpr std::size_t kMany = 32;
  Server server(secure(), [](Conversation& conversation) {
    for (;;) {
      const std::string request = conversation.read_request();
      if (request.empty()) return;
      const std::string path = request.substr(5, request.find(' ', 5) - 5);
      conversation.write("HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(path.size()) +
                         "\r\n\r\n" + path);
    }
  });
  Fixture fixture;
  std::vector<std::string> bodies;
  std::vector<std::string> expected;
  for (std::size_t i = 0; i < kMany; ++i) {
    expected.push_back(std::to_string(i));
    Request request{.url = url(server, "https", "/" + expected.back())};
    net::spawn(send_into(*fixture.client, std::move(request), bodies, kMany, *fixture.loop),
               net::testing::abort_on_failure);
  }
  fixture.loop->run();
  EXPECT_THAT(bodies, ::testing::UnorderedElementsAreArray(expected));
  EXPECT_EQ(fixture.client->idle(), ClientOptions().idle_per_origin);
  fixture.client->close_idle();
}

TEST(HttpsClient, EndsAtTheHardStop) {
  Server server(secure(), [](Conversation& conversation) {
    static_cast<void>(conversation.read_request());
    static_cast<void>(conversation.read_some());
  });
  Fixture fixture;
  struct Stop {
    net::Loop* loop;
    net::Timer timer{[](void* self) { static_cast<Stop*>(self)->loop->give_up_on_everything(); },
                     this};
  } stop{fixture.loop.get()};
  fixture.loop->arm(stop.timer, fixture.loop->after(30ms));
  const auto response =
      net::run_to_end(*fixture.loop, fixture.client->send({.url = url(server), .timeout = 60s}));
  ASSERT_FALSE(response);
  EXPECT_EQ(response.error().reason, Reason::kDraining);
}

TEST(HttpsClient, HearsAnAnswerThatComesBeforeAllWasSent) {
  Server server({}, [](Conversation& conversation) {
    static_cast<void>(conversation.read_some());
    conversation.write("HTTP/1.1 413 Content Too Large\r\nContent-Length: 0\r\n\r\n");
    while (!conversation.read_some().empty()) {
    }
  });
  const auto response = send_one({.method = "PUT",
                                  .url = url(server, "http"),
                                  .body = std::string(std::size_t{4} << 20, 'x')});
  ASSERT_TRUE(response) << response.error().detail;
  EXPECT_EQ(response->status, 413);
}

// --- Streams ---

struct Streamed {
  Result<Response> response;
  std::string pieces;
};

Streamed stream_one(Request request, std::size_t enough = std::string::npos) {
  Fixture fixture;
  std::string pieces;
  BodySink sink = [&](std::string_view piece) {
    pieces += piece;
    return pieces.size() < enough;
  };
  auto response =
      net::run_to_end(*fixture.loop, fixture.client->stream(std::move(request), std::move(sink)));
  return {std::move(response), pieces};
}

TEST(HttpsClient, StreamsABodyThatLastsLongerThanTheTimeout) {
  Server server(secure(), [](Conversation& conversation) {
    static_cast<void>(conversation.read_request());
    conversation.write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
    for (int i = 0; i < 20; ++i) {
      conversation.write("1\r\n" + std::string(1, static_cast<char>('a' + i)) + "\r\n");
      std::this_thread::sleep_for(10ms);
    }
    conversation.write("0\r\n\r\n");
  });
  const Streamed out = stream_one({.url = url(server), .timeout = 100ms, .max_body = 1});
  ASSERT_TRUE(out.response) << out.response.error().detail;
  EXPECT_EQ(out.pieces, "abcdefghijklmnopqrst");
  EXPECT_EQ(out.response->body, "");
}

TEST(HttpsClient, EndsAStreamThatFallsSilent) {
  Server server(secure(), [](Conversation& conversation) {
    static_cast<void>(conversation.read_request());
    conversation.write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n");
    static_cast<void>(conversation.read_some());
  });
  const Streamed out = stream_one({.url = url(server), .timeout = 50ms});
  ASSERT_FALSE(out.response);
  EXPECT_EQ(out.response.error().reason, Reason::kTimedOut);
  EXPECT_EQ(out.pieces, "a");
}

TEST(HttpsClient, TellsWhenTheHeadOfAStreamIsThereAndGrantsPiecesATimeOfTheirOwn) {
  Server server(secure(), [](Conversation& conversation) {
    static_cast<void>(conversation.read_request());
    conversation.write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
    static_cast<void>(conversation.read_some());
  });
  Fixture fixture;
  int calls = 0;
  std::string pieces;
  BodySink sink = [&](std::string_view piece) {
    ++calls;
    pieces += piece;
    return true;
  };
  const auto response = net::run_to_end(
      *fixture.loop,
      fixture.client->stream({.url = url(server), .timeout = 10s, .piece_timeout = 50ms},
                             std::move(sink)));
  ASSERT_FALSE(response);
  EXPECT_EQ(response.error().reason, Reason::kTimedOut);
  EXPECT_EQ(calls, 1);
  EXPECT_EQ(pieces, "");
}

TEST(HttpsClient, VerifiesTheNameThatItIsTold) {
  for (const bool is_right : {true, false}) {
    Server server(secure(), serving(1));
    const char* name = is_right ? "localhost" : "elsewhere.example";
    Fixture fixture({.tls_name = *Host::parse(name)});
    const auto response =
        net::run_to_end(*fixture.loop, fixture.client->send({.url = url(server)}));
    EXPECT_EQ(response.has_value(), is_right) << name;
  }
}

TEST(HttpsClient, EndsAStreamWhenTheSinkHasEnough) {
  Server server(secure(), [](Conversation& conversation) {
    static_cast<void>(conversation.read_request());
    conversation.write("HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\nabc");
    static_cast<void>(conversation.read_some());
  });
  const Streamed out = stream_one({.url = url(server)}, 3);
  ASSERT_TRUE(out.response) << out.response.error().detail;
  EXPECT_EQ(out.response->status, 200);
  EXPECT_EQ(out.pieces, "abc");
}

TEST(HttpsClient, CollectsTheBodyOfAStreamThatIsRefused) {
  Server server(secure(), answering("HTTP/1.1 410 Gone\r\nContent-Length: 7\r\n\r\ntoo old"));
  const Streamed out = stream_one({.url = url(server)});
  ASSERT_TRUE(out.response) << out.response.error().detail;
  EXPECT_EQ(out.response->status, 410);
  EXPECT_EQ(out.response->body, "too old");
  EXPECT_EQ(out.pieces, "");
}

TEST(HttpsClient, NamesAreLookedUp) {
  Server server(secure(), serving(1));
  const auto response =
      send_one({.url = "https://localhost:" + std::to_string(server.port()) + "/"});
  ASSERT_TRUE(response) << response.error().detail;
  EXPECT_EQ(response->body, "ok");
}

}  // namespace
}  // namespace ebbgate::https
