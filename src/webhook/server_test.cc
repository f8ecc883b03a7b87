#include "webhook/server.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "net/dial.h"
#include "net/run.h"
#include "net/testing.h"
#include "tls/client_context.h"
#include "tls/self_signed.h"

namespace ebbgate::webhook {
namespace {

using namespace std::chrono_literals;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using ::testing::StartsWith;

constexpr Duration kPatience = 10s;

tls::SelfSigned identity() {
  return tls::make_self_signed({"webhook.test"}, SystemClock().wall(), 1h).value();
}

// A server that says back the method, the target and the length of the body, and a client beside it
// on the same loop.
class WebhookServer : public ::testing::Test {
 public:
  void start(const ServerOptions& options = {}) {
    server_ =
        Server::start(
            *loop_, *Endpoint::parse("127.0.0.1:0"), context_of(own_),
            [](const Call& call) {
              return Answer{.body = std::string(call.method) + " " + std::string(call.target) +
                                    " " + std::to_string(call.body.size())};
            },
            [this](const Endpoint&, const Error& error) { faults_.push_back(error); }, options)
            .value();
    trust_ = tls::ClientContext::make({.ca_pem = own_.authority_pem}).value();
  }

  static std::shared_ptr<const tls::ServerContext> context_of(const tls::SelfSigned& from) {
    return tls::ServerContext::make(from.certificate_pem, from.key_pem).value();
  }

  net::Task<Result<tls::Stream>> connect() {
    const Deadline deadline = loop_->after(kPatience);
    auto dialed = co_await net::dial(*loop_, {net::testing::ip("127.0.0.1")},
                                     *Port::of(server_->local().port), deadline);
    tls::Stream stream(*trust_, std::move(dialed->stream));
    const Host host = *Host::parse("webhook.test");
    const auto shaken = co_await stream.handshake(host, deadline);
    if (!shaken) co_return std::unexpected(shaken.error());
    co_return stream;
  }

  // All that is answered to what is said piece by piece, until the server ends.
  net::Task<std::string> exchange(std::vector<std::string> pieces) {
    const Deadline deadline = loop_->after(kPatience);
    auto stream = co_await connect();
    if (!stream) co_return "no connection: " + stream.error().detail;
    for (const std::string& piece : pieces) {
      const auto written = co_await stream->write_all(piece, deadline);
      if (!written) break;
    }
    std::string out;
    std::array<char, 4096> buffer{};
    for (;;) {
      const auto got = co_await stream->read_some(buffer, deadline);
      if (!got) out += "[" + std::string(word(got.error().reason)) + "]";
      if (!got || *got == 0) break;
      out += std::string_view(buffer.data(), *got);
    }
    co_return out;
  }
  std::string said(std::vector<std::string> pieces) { return run(exchange(std::move(pieces))); }

  // Runs it to its end, and then the server to the end of its connections.
  std::string run(net::Task<std::string> task) {
    return net::run_to_end(*loop_, with_the_server(std::move(task)));
  }
  net::Task<std::string> with_the_server(net::Task<std::string> task) {
    std::string out = co_await task;
    server_->drain();
    while (server_->connections() > 0) {
      const Deadline soon = loop_->after(1ms);
      co_await net::sleep_until(*loop_, soon);
    }
    co_return out;
  }

  std::unique_ptr<net::Loop> loop_ = net::testing::make_loop();
  tls::SelfSigned own_ = identity();
  std::unique_ptr<tls::ClientContext> trust_;
  std::vector<Error> faults_;
  std::unique_ptr<Server> server_;
};

std::string post(const std::string& body, const std::string& more = "") {
  return "POST /inject?timeout=10s HTTP/1.1\r\nHost: webhook.test\r\nContent-Length: " +
         std::to_string(body.size()) + "\r\n" + more + "\r\n" + body;
}

TEST_F(WebhookServer, AnswersOneRequestAfterTheOther) {
  start();
  const std::string out = said({post("12345"), post("") + post("1", "Connection: close\r\n")});
  EXPECT_THAT(out, AllOf(StartsWith("HTTP/1.1 200 OK\r\n"), HasSubstr("POST /inject?timeout=10s 5"),
                         HasSubstr("POST /inject?timeout=10s 0"),
                         ::testing::EndsWith("POST /inject?timeout=10s 1")));
  EXPECT_THAT(faults_, IsEmpty());
}

TEST_F(WebhookServer, ReadsABodyInPiecesAndInChunks) {
  start();
  EXPECT_THAT(said({"POST /a HTTP/1.1\r\nHost: x\r\nContent-Le", "ngth: 6\r\n\r\n12", "34",
                    "56POST /b HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
                    "Transfer-Encoding: chunked\r\n\r\n3\r\nab",
                    "c\r\n2\r\nde\r\n", "0\r\n\r\n"}),
              AllOf(HasSubstr("POST /a 6"), ::testing::EndsWith("POST /b 5")));
}

TEST_F(WebhookServer, TellsAClientThatAsksToGoOn) {
  start();
  EXPECT_THAT(said({post(std::string(std::size_t{3} << 20, 'x'),
                         "Expect: 100-continue\r\nConnection: close\r\n")}),
              AllOf(StartsWith("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK"),
                    ::testing::EndsWith(" 3145728")));
}

TEST_F(WebhookServer, RefusesWhatIsTooLarge) {
  start({.max_body = 1000});
  EXPECT_THAT(said({post(std::string(1001, 'x'))}), StartsWith("HTTP/1.1 413 "));
}

TEST_F(WebhookServer, SaysWhatIsNoHttp) {
  start();
  EXPECT_THAT(said({"GET\r\n\r\n"}), StartsWith("HTTP/1.1 400 "));
  ASSERT_THAT(faults_, SizeIs(1));
  EXPECT_EQ(faults_[0].reason, Reason::kMalformedRequest);
}

TEST_F(WebhookServer, HoldsNoMoreOfBodiesThanItMay) {
  start({.max_body = 1000, .max_bodies = 500});
  EXPECT_THAT(said({post(std::string(501, 'x'))}), StartsWith("HTTP/1.1 503 "));
}

TEST_F(WebhookServer, WaitsForNobodyForLong) {
  start({.request_timeout = 30ms, .idle_timeout = 1h});
  EXPECT_EQ(said({"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\n12"}), "");
  ASSERT_THAT(faults_, SizeIs(1));
  EXPECT_EQ(faults_[0].reason, Reason::kTimedOut);
}

TEST_F(WebhookServer, EndsAConnectionThatNobodyUses) {
  start({.idle_timeout = 30ms});
  EXPECT_THAT(said({post("1")}), ::testing::EndsWith(" 1"));
  EXPECT_THAT(faults_, IsEmpty());
}

TEST_F(WebhookServer, MakesRoomForNewOnes) {
  start({.max_connections = 2});
  const auto talk = [](WebhookServer* self) -> net::Task<std::string> {
    const auto first = co_await self->connect();
    const auto second = co_await self->connect();
    const std::vector<std::string> pieces = {post("1", "Connection: close\r\n")};
    auto out = co_await self->exchange(pieces);
    co_return out;
  };
  EXPECT_THAT(run(talk(this)), ::testing::EndsWith(" 1"));
}

TEST_F(WebhookServer, ShowsANewCertificateToNewConnections) {
  start();
  const tls::SelfSigned next = identity();
  trust_ = tls::ClientContext::make({.ca_pem = own_.authority_pem + next.authority_pem}).value();
  const auto talk = [](WebhookServer* self, const tls::SelfSigned& then) -> net::Task<std::string> {
    const Deadline deadline = self->loop_->after(kPatience);
    auto old = co_await self->connect();
    self->server_->present(context_of(then));
    self->trust_ = tls::ClientContext::make({.ca_pem = then.authority_pem}).value();
    const std::vector<std::string> pieces = {post("1", "Connection: close\r\n")};
    auto out = co_await self->exchange(pieces);
    // The one that is open goes on.
    const std::string again = post("22");
    const auto written = co_await old->write_all(again, deadline);
    std::array<char, 4096> buffer{};
    const auto got = co_await old->read_some(buffer, deadline);
    if (written && got) out += std::string_view(buffer.data(), *got);
    co_return out;
  };
  EXPECT_THAT(run(talk(this, next)), AllOf(HasSubstr(" 1"), ::testing::EndsWith(" 2")));
}

TEST_F(WebhookServer, DrainsInGoodOrder) {
  start();
  const auto talk = [](WebhookServer* self) -> net::Task<std::string> {
    const Deadline deadline = self->loop_->after(kPatience);
    auto idle = co_await self->connect();
    auto busy = co_await self->connect();
    const std::string whole = post("12");
    const std::string half = whole.substr(0, whole.size() - 1);
    const auto begun = co_await busy->write_all(half, deadline);
    const Deadline soon = self->loop_->after(20ms);
    co_await net::sleep_until(*self->loop_, soon);
    self->server_->drain();
    std::array<char, 4096> buffer{};
    const auto end = co_await idle->read_some(buffer, deadline);
    const std::string rest = "2";
    const auto ended = co_await busy->write_all(rest, deadline);
    std::string out = !end || *end == 0 ? "ended " : "not ended ";
    for (;;) {
      const auto got = co_await busy->read_some(buffer, deadline);
      if (!got || *got == 0) break;
      out += std::string_view(buffer.data(), *got);
    }
    co_return out;
  };
  EXPECT_THAT(run(talk(this)), AllOf(StartsWith("ended HTTP/1.1 200 OK"),
                                     HasSubstr("Connection: close"), ::testing::EndsWith(" 2")));
  EXPECT_EQ(server_->connections(), 0U);
}

TEST_F(WebhookServer, TellsOfAClientThatDoesNotTrustIt) {
  start();
  trust_ = tls::ClientContext::make({.ca_pem = identity().authority_pem}).value();
  const auto talk = [](WebhookServer* self) -> net::Task<std::string> {
    const std::vector<std::string> nothing;
    auto out = co_await self->exchange(nothing);
    while (self->server_->connections() > 0) {
      const Deadline soon = self->loop_->after(1ms);
      co_await net::sleep_until(*self->loop_, soon);
    }
    co_return out;
  };
  EXPECT_THAT(run(talk(this)), StartsWith("no connection"));
  ASSERT_THAT(faults_, SizeIs(1));
  EXPECT_THAT(faults_[0].detail, HasSubstr("the client refuses"));
}

}  // namespace
}  // namespace ebbgate::webhook
