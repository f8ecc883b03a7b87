#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>

#include <array>
#include <chrono>
#include <memory>
#include <string>
#include <utility>

#include "net/run.h"
#include "net/signal.h"
#include "net/testing.h"
#include "tls/client_context.h"
#include "tls/self_signed.h"
#include "tls/server_context.h"
#include "tls/stream.h"

namespace ebbgate::tls {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;

constexpr Duration kPatience = 10s;
const WallTime kNow = SystemClock().wall();

SelfSigned made(Duration lifetime = 24h, WallTime now = kNow) {
  return make_self_signed({"webhook.system.svc", "webhook.system"}, now, lifetime).value();
}

std::shared_ptr<const ServerContext> serving(const SelfSigned& identity) {
  return ServerContext::make(identity.certificate_pem, identity.key_pem).value();
}

std::unique_ptr<ClientContext> trusting(const std::string& authorities) {
  return std::move(ClientContext::make({.ca_pem = authorities}).value());
}

struct Outcome {
  Result<void> client;
  Result<void> server;
  std::string echoed;
};

// Says back what it hears, to the end.
net::Task<void> echo(Stream& stream, Result<void>& out, net::Signal& has_ended, Deadline deadline) {
  out = co_await stream.accept(deadline);
  std::array<char, 4096> buffer{};
  while (out) {
    const auto got = co_await stream.read_some(buffer, deadline);
    if (!got) out = std::unexpected(got.error());
    if (!got || *got == 0) break;
    const std::string said(buffer.data(), *got);
    const auto written = co_await stream.write_all(said, deadline);
    if (!written) out = written;
  }
  stream.close();
  has_ended.notify_all();
}

// Both sides of one connection, on one loop.
net::Task<Outcome> talk(net::Loop& loop, std::shared_ptr<const ServerContext> own,
                        const ClientContext& trust, std::string name, std::string said) {
  const Deadline deadline = loop.after(kPatience);
  const auto fds = net::testing::connected_pair();
  Stream client(trust, net::Stream(loop, fds[0]));
  Stream server(*own, net::Stream(loop, fds[1]));
  own.reset();  // nobody needs it any more
  Outcome out;
  net::Signal has_ended(loop);
  net::spawn(echo(server, out.server, has_ended, deadline), net::testing::abort_on_failure);
  out.client = co_await client.handshake(*Host::parse(name), deadline);
  std::array<char, 4096> buffer{};
  if (out.client) {
    const auto written = co_await client.write_all(said, deadline);
    if (!written) out.client = written;
  }
  while (out.client && out.echoed.size() < said.size()) {
    const auto got = co_await client.read_some(buffer, deadline);
    if (!got || *got == 0) break;
    out.echoed += std::string_view(buffer.data(), *got);
  }
  client.close();
  const auto end = co_await has_ended.wait(deadline);
  EXPECT_EQ(end, net::Wait::End::kHappened);
  co_return out;
}

Outcome talk(const std::shared_ptr<const ServerContext>& own, const ClientContext& trust,
             std::string name = "webhook.system.svc", std::string said = "hello") {
  const auto loop = net::testing::make_loop();
  return net::run_to_end(*loop, talk(*loop, own, trust, std::move(name), std::move(said)));
}

TEST(TlsServer, TalksToAClientThatTrustsTheAuthority) {
  const SelfSigned own = made();
  for (const char* name : {"webhook.system.svc", "webhook.system"}) {
    const Outcome out = talk(serving(own), *trusting(own.authority_pem), name);
    ASSERT_TRUE(out.client) << out.client.error().detail;
    EXPECT_TRUE(out.server) << out.server.error().detail;
    EXPECT_EQ(out.echoed, "hello");
  }
}

TEST(TlsServer, CarriesMoreThanARecord) {
  const SelfSigned own = made();
  // No more than the sockets hold: the client says all of it before it listens.
  const std::string much(std::size_t{100} << 10, 'x');
  EXPECT_EQ(talk(serving(own), *trusting(own.authority_pem), "webhook.system", much).echoed, much);
}

TEST(TlsServer, IsToldThatAClientDoesNotTrustIt) {
  const Outcome out = talk(serving(made()), *trusting(made().authority_pem));
  ASSERT_FALSE(out.client);
  EXPECT_EQ(out.client.error().reason, Reason::kConnectFailed);
  ASSERT_FALSE(out.server);
  EXPECT_EQ(out.server.error().reason, Reason::kMalformedRequest);
  EXPECT_EQ(out.server.error().side, Side::kClient);
  EXPECT_THAT(out.server.error().detail, HasSubstr("the client refuses"));
}

TEST(TlsServer, IsTrustedThroughARenewal) {
  // Clients trust the old authority and the new one while servers change, one after the other.
  const SelfSigned before = made();
  const SelfSigned after = made();
  const auto trust = trusting(after.authority_pem + before.authority_pem);
  EXPECT_TRUE(talk(serving(before), *trust).client);
  EXPECT_TRUE(talk(serving(after), *trust).client);
}

TEST(TlsServer, HoldsForItsLifetimeOnly) {
  const SelfSigned old = made(24h, kNow - 48h);
  const Outcome out = talk(serving(old), *trusting(old.authority_pem));
  ASSERT_FALSE(out.client);
  EXPECT_THAT(out.client.error().detail, HasSubstr("expired"));
  const auto expiry = expiry_of(old.certificate_pem);
  ASSERT_TRUE(expiry);
  EXPECT_NEAR(std::chrono::duration<double>(*expiry - (kNow - 24h)).count(), 0, 1.5);
  EXPECT_EQ(serving(old)->expires(), *expiry);
  EXPECT_FALSE(expiry_of("nonsense"));
}

TEST(TlsServer, EndsWithAClientThatSaysNothing) {
  const auto loop = net::testing::make_loop();
  const auto fds = net::testing::connected_pair();
  const net::testing::Socket silent(fds[0]);
  Stream server(*serving(made()), net::Stream(*loop, fds[1]));
  const auto out = net::run_to_end(*loop, server.accept(loop->after(20ms)));
  ASSERT_FALSE(out);
  EXPECT_EQ(out.error().reason, Reason::kTimedOut);
}

TEST(TlsServer, TellsWhatIsNoTls) {
  const auto loop = net::testing::make_loop();
  const auto fds = net::testing::connected_pair();
  const net::testing::Socket client(fds[0]);
  const std::string_view said = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";
  ASSERT_EQ(::send(client.fd(), said.data(), said.size(), 0), static_cast<ssize_t>(said.size()));
  Stream server(*serving(made()), net::Stream(*loop, fds[1]));
  const auto out = net::run_to_end(*loop, server.accept(loop->after(kPatience)));
  ASSERT_FALSE(out);
  EXPECT_EQ(out.error().reason, Reason::kMalformedRequest);
}

TEST(TlsServer, SaysWhatIsWrongWithItsCertificate) {
  const SelfSigned own = made();
  const SelfSigned another = made();
  struct Case {
    std::string certificate;
    std::string key;
    const char* says;
  };
  const Case cases[] = {{"nonsense", own.key_pem, "the certificate is none in PEM"},
                        {own.certificate_pem, "nonsense", "the key of the certificate"},
                        {own.certificate_pem, another.key_pem, "another certificate"}};
  for (const Case& each : cases) {
    const auto context = ServerContext::make(each.certificate, each.key);
    ASSERT_FALSE(context) << each.says;
    EXPECT_THAT(context.error().detail, HasSubstr(each.says));
    EXPECT_THAT(context.error().detail, ::testing::Not(HasSubstr("PRIVATE")));
  }
}

}  // namespace
}  // namespace ebbgate::tls
