#include "tls/stream.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <functional>
#include <string>
#include <utility>

#include "net/dial.h"
#include "net/run.h"
#include "net/testing.h"
#include "tls/client_context.h"
#include "tls/testing/peer.h"

namespace ebbgate::tls {
namespace {

using ::testing::AllOf;
using testing::CertificateRequest;
using testing::Conversation;
using ::testing::HasSubstr;
using testing::Identity;
using testing::Server;
using testing::TestAuthority;

const TestAuthority& authority() {
  static const TestAuthority kAuthority("Test authority");
  return kAuthority;
}

Identity good_identity() {
  return authority().issue({.names = {"DNS:good.test", "IP:127.0.0.1", "DNS:*.wild.test"}});
}

std::unique_ptr<ClientContext> trusting(const std::string& ca_pem) {
  return std::move(ClientContext::make({.ca_pem = ca_pem}).value());
}

Host host(std::string_view text) {
  return *Host::parse(text);
}

struct Outcome {
  Result<void> handshake;
  Result<std::string> read = std::string();  // all of it, to the end
};

net::Task<Outcome> talk(net::Loop& loop, const ClientContext& context, Host name,
                        std::uint16_t port, std::string said, Duration patience) {
  const Deadline deadline = loop.after(patience);
  auto dialed =
      co_await net::dial(loop, {net::testing::ip("127.0.0.1")}, *Port::of(port), deadline);
  Stream stream(context, std::move(dialed->stream));
  Outcome out{.handshake = co_await stream.handshake(std::move(name), deadline)};
  if (!out.handshake) co_return out;
  if (const auto written = co_await stream.write_all(said, deadline); !written) {
    out.read = std::unexpected(written.error());
    co_return out;
  }
  std::array<char, 4096> buffer{};
  for (;;) {
    const auto got = co_await stream.read_some(buffer, deadline);
    if (!got) out.read = std::unexpected(got.error());
    if (!got || *got == 0) co_return out;
    *out.read += std::string_view(buffer.data(), *got);
  }
}

Outcome talk(const ClientContext& context, std::string_view name, std::uint16_t port,
             std::string said = "hello", Duration patience = std::chrono::seconds(10)) {
  const auto loop = net::testing::make_loop();
  return net::run_to_end(*loop, talk(*loop, context, host(name), port, std::move(said), patience));
}

void answer(Conversation& conversation) {
  conversation.write("you said " + conversation.read_some());
  conversation.close_orderly();
}

TEST(TlsStream, TalksToAServerWhoseCertificateIsForTheName) {
  Server server({.identity = good_identity()}, answer);
  const auto context = trusting(authority().certificate_pem());
  for (const char* name : {"good.test", "any.wild.test", "127.0.0.1"}) {
    const Outcome out = talk(*context, name, server.port());
    ASSERT_TRUE(out.handshake) << name << ": " << out.handshake.error().detail;
    ASSERT_TRUE(out.read) << out.read.error().detail;
    EXPECT_EQ(*out.read, "you said hello");
  }
}

TEST(TlsStream, CarriesMegabytesBothWays) {
  std::string big(std::size_t{3} << 20, 'x');
  for (std::size_t i = 0; i < big.size(); i += 7) big[i] = static_cast<char>(i >> 3);
  Server server({.identity = good_identity()}, [&](Conversation& conversation) {
    std::string got;
    while (got.size() < big.size()) got += conversation.read_some();
    conversation.write(got);
    conversation.close_orderly();
  });
  const Outcome out =
      talk(*trusting(authority().certificate_pem()), "good.test", server.port(), big);
  ASSERT_TRUE(out.read) << out.read.error().detail;
  EXPECT_TRUE(*out.read == big);
}

TEST(TlsStream, RefusesACertificateThatDoesNotProveWhoAnswers) {
  using namespace std::chrono_literals;
  const TestAuthority other("Another authority");
  struct Case {
    const char* what;
    Identity identity;
    const char* asked;
    const char* says;
  };
  const Case cases[] = {
      {"another name", good_identity(), "bad.test", "it is for good.test, 127.0.0.1"},
      {"another address", authority().issue({.names = {"DNS:good.test", "IP:127.0.0.9"}}),
       "127.0.0.1", "it is for good.test, 127.0.0.9"},
      {"an address as a name", authority().issue({.names = {"DNS:127.0.0.1"}}), "127.0.0.1",
       "it is for"},
      {"two labels below a wildcard", good_identity(), "a.b.wild.test", "it is for"},
      {"the name in the subject only", authority().issue({.common_name = "good.test"}), "good.test",
       "it is for no name at all"},
      {"expired", authority().issue({.names = {"DNS:good.test"}, .from = -48h, .until = -24h}),
       "good.test", "it expired at 20"},
      {"not yet valid", authority().issue({.names = {"DNS:good.test"}, .from = 24h, .until = 48h}),
       "good.test", "correct the clock"},
      {"an unknown authority", other.issue({.names = {"DNS:good.test"}}), "good.test",
       "--ca-file FILE"},
  };
  const auto context = trusting(authority().certificate_pem());
  for (const Case& each : cases) {
    SCOPED_TRACE(each.what);
    Server server({.identity = each.identity}, answer);
    const Outcome out = talk(*context, each.asked, server.port());
    ASSERT_FALSE(out.handshake);
    EXPECT_EQ(out.handshake.error().reason, Reason::kConnectFailed);
    EXPECT_THAT(out.handshake.error().detail,
                AllOf(HasSubstr(each.says), HasSubstr(each.asked), HasSubstr("does not verify")));
  }
}

TEST(TlsStream, ShowsItsCertificateToAServerThatAsks) {
  const TestAuthority clients("Clients");
  const Identity own = clients.issue({.common_name = "gateway-1"});
  std::string seen;
  {
    Server server({.identity = good_identity(), .client_ca_pem = clients.certificate_pem()},
                  [&](Conversation& conversation) {
                    seen = conversation.client_certificate();
                    answer(conversation);
                  });
    const auto with = ClientContext::make({.ca_pem = authority().certificate_pem(),
                                           .certificate_pem = own.certificate_pem,
                                           .key_pem = own.key_pem});
    ASSERT_TRUE(with) << with.error().detail;
    const Outcome out = talk(**with, "good.test", server.port());
    ASSERT_TRUE(out.read) << out.read.error().detail;
    EXPECT_EQ(*out.read, "you said hello");

    // TLS 1.3 has the refusal come after the client's part of the handshake.
    const Outcome without =
        talk(*trusting(authority().certificate_pem()), "good.test", server.port());
    ASSERT_TRUE(without.handshake);
    ASSERT_FALSE(without.read);
    EXPECT_EQ(without.read.error().reason, Reason::kConnectFailed);
    EXPECT_THAT(without.read.error().detail, HasSubstr("wants a client certificate"));
  }
  EXPECT_EQ(seen, "gateway-1");
}

TEST(TlsStream, SpeaksNothingOlderThanTls12) {
  Server server({.identity = good_identity(), .only_tls11 = true}, answer);
  const Outcome out = talk(*trusting(authority().certificate_pem()), "good.test", server.port());
  ASSERT_FALSE(out.handshake);
  EXPECT_EQ(out.handshake.error().reason, Reason::kConnectFailed);
  EXPECT_THAT(out.handshake.error().detail, HasSubstr("neither TLS 1.2 nor 1.3"));
}

TEST(TlsStream, SaysThatWhatAnswersIsNotTls) {
  Server server({}, [](Conversation& conversation) {
    conversation.write("HTTP/1.1 400 Bad Request\r\n\r\n");
    static_cast<void>(conversation.read_some());
  });
  const Outcome out = talk(*trusting(authority().certificate_pem()), "good.test", server.port());
  ASSERT_FALSE(out.handshake);
  EXPECT_EQ(out.handshake.error().reason, Reason::kConnectFailed);
  EXPECT_EQ(out.handshake.error().detail, "what answers there is not TLS");
}

TEST(TlsStream, TellsACutFromAnEnd) {
  for (const bool is_reset : {false, true}) {
    Server server({.identity = good_identity()}, [&](Conversation& conversation) {
      static_cast<void>(conversation.read_some());
      conversation.write("half of it");
      if (is_reset) conversation.reset();
    });
    const Outcome out = talk(*trusting(authority().certificate_pem()), "good.test", server.port());
    ASSERT_TRUE(out.handshake);
    ASSERT_FALSE(out.read);
    EXPECT_EQ(out.read.error().reason, Reason::kOriginClosed);
  }
}

TEST(TlsStream, GivesUpOnAServerThatSaysNothing) {
  Server server({.is_silent = true}, {});
  const Outcome out = talk(*trusting(authority().certificate_pem()), "good.test", server.port(),
                           "hello", std::chrono::milliseconds(50));
  ASSERT_FALSE(out.handshake);
  EXPECT_EQ(out.handshake.error().reason, Reason::kTimedOut);
}

TEST(TlsStream, EndsAtTheHardStop) {
  Server server({.is_silent = true}, {});
  const auto context = trusting(authority().certificate_pem());
  const auto loop = net::testing::make_loop();
  struct Stop {
    net::Loop* loop;
    net::Timer timer{[](void* self) { static_cast<Stop*>(self)->loop->give_up_on_everything(); },
                     this};
  } stop{loop.get()};
  loop->arm(stop.timer, loop->after(std::chrono::milliseconds(20)));
  const Outcome out = net::run_to_end(
      *loop, talk(*loop, *context, host("good.test"), server.port(), "", std::chrono::seconds(10)));
  ASSERT_FALSE(out.handshake);
  EXPECT_EQ(out.handshake.error().reason, Reason::kDraining);
}

TEST(TlsClientContext, SaysWhatIsWrongWithItsOptions) {
  const Identity own = good_identity();
  const Identity another = good_identity();
  struct Case {
    ClientOptions options;
    const char* says;
  };
  const Case cases[] = {
      {{.ca_file = "/nowhere/ca.pem"}, "/nowhere/ca.pem"},
      {{.ca_pem = "nonsense"}, "no certificates in PEM"},
      {{.ca_pem = authority().certificate_pem(), .certificate_pem = own.certificate_pem},
       "needs its key"},
      {{.ca_pem = authority().certificate_pem(),
        .certificate_pem = "nonsense",
        .key_pem = own.key_pem},
       "none in PEM"},
      {{.ca_pem = authority().certificate_pem(),
        .certificate_pem = own.certificate_pem,
        .key_pem = another.key_pem},
       "another certificate"},
  };
  for (const Case& each : cases) {
    const auto made = ClientContext::make(each.options);
    ASSERT_FALSE(made) << each.says;
    EXPECT_THAT(made.error().detail, HasSubstr(each.says));
  }
}

TEST(TlsClientContext, FindsTheAuthoritiesOfEachDistribution) {
  const std::filesystem::path root =
      std::filesystem::path(::testing::TempDir()) / ("trust-" + std::to_string(::getpid()));
  const auto place = [&](const std::string& path) {
    std::filesystem::create_directories(
        (root.string() + path).substr(0, (root.string() + path).rfind('/')));
    std::ofstream(root.string() + path) << "x";
  };
  EXPECT_EQ(system_trust(nullptr, nullptr, root.string()), TrustPaths{});
  std::filesystem::create_directories(root / "etc/ssl/certs");
  EXPECT_EQ(system_trust(nullptr, nullptr, root.string()).directory,
            root.string() + "/etc/ssl/certs");
  for (const char* bundle : {"/etc/ssl/cert.pem", "/etc/pki/tls/certs/ca-bundle.crt",
                             "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
                             "/etc/ssl/certs/ca-certificates.crt"}) {
    place(bundle);
    EXPECT_EQ(system_trust("", nullptr, root.string()).file, root.string() + bundle);
  }
  const TrustPaths given{.file = "/a.pem", .directory = "/b"};
  EXPECT_EQ(system_trust("/a.pem", "/b", root.string()), given);
  std::filesystem::remove_all(root);
}

}  // namespace
}  // namespace ebbgate::tls
