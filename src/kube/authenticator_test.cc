#include "kube/authenticator.h"

#include <gtest/gtest.h>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <string>

#include "kube/access.h"
#include "kube/testing.h"
#include "net/background.h"

namespace ebbgate {
// What a failing test shows of a secret, in place of its octets.
inline void PrintTo(const Secret& /*secret*/, std::ostream* out) {
  *out << "(secret)";
}
}  // namespace ebbgate

namespace ebbgate::kube {
namespace {

class TestClock final : public Clock {
 public:
  [[nodiscard]] WallTime wall() const override { return now; }
  WallTime now = WallTime(std::chrono::hours(1000));
};

// A folder of the test's own.
struct Folder {
  Folder() {
    std::string name = (std::filesystem::temp_directory_path() / "ebbgate-kube-XXXXXX").string();
    path = ::mkdtemp(name.data());
  }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  ~Folder() { std::filesystem::remove_all(path); }
  std::string write(const std::string& name, const std::string& text) const {
    std::ofstream(path + "/" + name) << text;
    return path + "/" + name;
  }
  std::string path;
};

struct Minter {
  TestClock clock;
  std::unique_ptr<net::Loop> loop = net::testing::make_loop();
  int minted = 0;
  bool fails = false;
  Duration life = std::chrono::minutes(10);
  MintedAuthenticator authenticator{*loop, clock, [this] { return mint(*this); }};

  static net::Task<Result<Credential>> mint(Minter& self) {
    if (self.fails) co_return fail(Reason::kInternal, Side::kSelf, "no");
    const std::string token = "t" + std::to_string(++self.minted);
    co_return Credential{.token = Secret(token), .expires = self.clock.now + self.life};
  }
  std::string get() {
    std::string out;
    net::spawn(keep(authenticator, out), net::testing::abort_on_failure);
    return out;
  }
  static net::Task<void> keep(Authenticator& from, std::string& out) {
    const auto credential = co_await from.get();
    out = credential ? credential->token.reveal() : "error: " + credential.error().detail;
  }
};

TEST(MintedAuthenticator, KeepsACredentialUntilShortlyBeforeItsEnd) {
  Minter minter;
  EXPECT_EQ(minter.get(), "t1");
  minter.clock.now += std::chrono::minutes(9) - std::chrono::seconds(1);
  EXPECT_EQ(minter.get(), "t1");
  minter.clock.now += std::chrono::seconds(1);
  EXPECT_EQ(minter.get(), "t2");
}

TEST(MintedAuthenticator, UsesTheOldOneWhileThereIsNoOther) {
  Minter minter;
  EXPECT_EQ(minter.get(), "t1");
  minter.fails = true;
  minter.clock.now += std::chrono::minutes(9) + std::chrono::seconds(30);
  EXPECT_EQ(minter.get(), "t1");
  minter.clock.now += std::chrono::seconds(30);
  EXPECT_EQ(minter.get(), "error: no");
  minter.fails = false;
  EXPECT_EQ(minter.get(), "t2");
}

TEST(MintedAuthenticator, MakesAnotherWhereOneIsRefused) {
  Minter minter;
  EXPECT_EQ(minter.get(), "t1");
  minter.authenticator.reject({.token = Secret("t0")});
  EXPECT_EQ(minter.get(), "t1");
  minter.authenticator.reject({.token = Secret("t1"), .expires = minter.clock.now + minter.life});
  EXPECT_EQ(minter.get(), "t2");
}

TEST(MintedAuthenticator, DoesNotGiveOutWhatHasExpired) {
  Minter minter;
  minter.life = -std::chrono::seconds(1);
  EXPECT_TRUE(minter.get().starts_with("error: the credential that was made has expired"));
}

net::Task<Result<Credential>> mint_slowly(net::Loop& loop, int& count) {
  ++count;
  const Deadline soon = loop.after(std::chrono::milliseconds(5));
  static_cast<void>(co_await net::sleep_until(loop, soon));
  co_return Credential{.token = Secret("t")};
}
net::Task<void> get_two(net::Loop& loop, Authenticator& from, std::string& first,
                        std::string& second) {
  net::spawn(Minter::keep(from, first), net::testing::abort_on_failure);
  co_await Minter::keep(from, second);
  const Deadline soon = loop.after(std::chrono::milliseconds(20));
  static_cast<void>(co_await net::sleep_until(loop, soon));
}

TEST(MintedAuthenticator, AsksOnceForAllWhoWait) {
  const auto loop = net::testing::make_loop();
  const TestClock clock;
  int count = 0;
  MintedAuthenticator authenticator(*loop, clock, [&] { return mint_slowly(*loop, count); });
  std::string first;
  std::string second;
  net::testing::run_to_end(*loop, get_two(*loop, authenticator, first, second));
  EXPECT_EQ(first + second, "tt");
  EXPECT_EQ(count, 1);
}

TEST(MintedAuthenticator, IsAskedByTheNextWhereOneGaveUp) {
  const auto loop = net::testing::make_loop();
  const TestClock clock;
  int count = 0;
  MintedAuthenticator authenticator(*loop, clock, [&] { return mint_slowly(*loop, count); });
  std::string given_up;
  {
    net::Background asking;
    asking.start(Minter::keep(authenticator, given_up), net::testing::abort_on_failure);
  }
  std::string out;
  net::testing::run_to_end(*loop, Minter::keep(authenticator, out));
  EXPECT_EQ(out, "t");
  EXPECT_EQ(given_up, "");
  EXPECT_EQ(count, 2);
}

TEST(CredentialFiles, AreReadAgainEachMinute) {
  const Folder folder;
  Minter minter;
  const std::string path = folder.write("token", "one\n");
  MintedAuthenticator authenticator(*minter.loop, minter.clock,
                                    credential_files({.token = path}, minter.clock));
  std::string out;
  const auto get = [&] {
    net::spawn(Minter::keep(authenticator, out), net::testing::abort_on_failure);
    return out;
  };
  EXPECT_EQ(get(), "one");
  folder.write("token", "two");
  EXPECT_EQ(get(), "one");
  minter.clock.now += std::chrono::minutes(1);
  EXPECT_EQ(get(), "two");
  std::filesystem::remove(path);
  EXPECT_EQ(get(), "two");
  minter.clock.now += std::chrono::minutes(1);
  EXPECT_TRUE(get().contains("token: No such file")) << out;
  folder.write("token", "\n");
  EXPECT_TRUE(get().ends_with("there is no token in it")) << out;
}

TEST(ExecCredential, IsParsed) {
  const std::string v1 = "client.authentication.k8s.io/v1";
  const auto parse = [&](const std::string& status) {
    return parse_exec_credential(
        R"({"apiVersion":")" + v1 + R"(","kind":"ExecCredential","status":)" + status + "}", v1);
  };
  const auto token = parse(R"({"token":"t","expirationTimestamp":"1970-01-01T01:00:00Z"})");
  ASSERT_TRUE(token);
  EXPECT_EQ(token->token.reveal(), "t");
  EXPECT_EQ(token->expires, WallTime(std::chrono::hours(1)));
  const auto pair = parse(R"({"clientCertificateData":"c","clientKeyData":"k"})");
  ASSERT_TRUE(pair);
  EXPECT_EQ(pair->certificate_pem, "c");
  EXPECT_EQ(pair->key_pem.reveal(), "k");
  EXPECT_EQ(pair->expires, std::nullopt);
  for (const char* status :
       {"{}", "1", R"({"token":7})", R"({"clientCertificateData":"c"})", R"({"clientKeyData":"k"})",
        R"({"token":"t","expirationTimestamp":"soon"})"}) {
    EXPECT_FALSE(parse(status)) << status;
  }
  EXPECT_FALSE(parse_exec_credential("", v1));
  EXPECT_FALSE(parse_exec_credential(R"({"kind":"ExecCredential","status":{"token":"t"}})", v1));
  EXPECT_FALSE(parse_exec_credential(
      R"({"apiVersion":"client.authentication.k8s.io/v1beta1","kind":"ExecCredential",
          "status":{"token":"t"}})",
      v1));
}

Result<Credential> run_shell(const std::string& script, bool is_told = false,
                             std::vector<std::pair<std::string, std::string>> environment = {}) {
  const auto loop = net::testing::make_loop();
  config::KubeExec plugin{.api_version = "client.authentication.k8s.io/v1",
                          .command = "sh",
                          .arguments = {"-c", script},
                          .environment = std::move(environment),
                          .install_hint = "get it",
                          .is_told_the_cluster = is_told};
  const Mint mint =
      exec_credential(*loop, std::move(plugin), {.server = "https://api", .tls_name = "name"});
  std::optional<Result<Credential>> out;
  const auto keep = [](const Mint& from, std::optional<Result<Credential>>& to) -> net::Task<void> {
    to.emplace(co_await from());
  };
  net::testing::run_to_end(*loop, keep(mint, out));
  return *std::move(out);
}

const std::string kPrint =
    R"(printf '{"apiVersion":"client.authentication.k8s.io/v1","kind":"ExecCredential",)"
    R"("status":{"token":"%s"}}' )";

TEST(ExecCredential, IsMadeByAProgram) {
  const auto plain = run_shell(kPrint + "\"$NAME-$PLACE\"; exec 2>/dev/null; read x || exit 0",
                               false, {{"NAME", "a"}, {"PLACE", "b"}});
  ASSERT_TRUE(plain) << plain.error().detail;
  EXPECT_EQ(plain->token.reveal(), "a-b");
}

TEST(ExecCredential, ProgramIsToldWhatItIsFor) {
  const std::string print = kPrint + R"sh("$(printf %s "$KUBERNETES_EXEC_INFO" | tr '"' _)")sh";
  const auto plain = run_shell(print);
  ASSERT_TRUE(plain) << plain.error().detail;
  EXPECT_EQ(plain->token.reveal(),
            "{_apiVersion_:_client.authentication.k8s.io/v1_,_kind_:_ExecCredential_,"
            "_spec_:{_interactive_:false}}");
  const auto told = run_shell(print, true);
  ASSERT_TRUE(told) << told.error().detail;
  EXPECT_TRUE(
      told->token.reveal().contains("_cluster_:{_server_:_https://api_,_tls-server-name_:_name_}"));
}

TEST(ExecCredential, SaysHowAProgramFailed) {
  const struct {
    const char* script;
    const char* said;
  } cases[] = {
      {"echo oh >&2; exit 3", "the program for credentials, sh, ended with 3: oh"},
      {"kill -9 $$", "ended with 137"},
      {"echo hello", "what it printed is no ExecCredential"},
      {"yes | head -c 2000000", "it printed more than"},
      {"nosuchprogram", "ended with 127"},
  };
  for (const auto& each : cases) {
    const auto out = run_shell(each.script);
    ASSERT_FALSE(out) << each.script;
    EXPECT_TRUE(out.error().detail.contains(each.said)) << out.error().detail;
  }
}

// A child of the program that keeps its output open must not keep us.
TEST(ExecCredential, IsThereWhenItsProgramHasEnded) {
  const auto before = std::chrono::steady_clock::now();
  const auto out = run_shell(kPrint + "t; sleep 20 &");
  ASSERT_TRUE(out) << out.error().detail;
  EXPECT_LT(std::chrono::steady_clock::now() - before, std::chrono::seconds(10));
}

// --- Access ---

TEST(ClusterTransport, SaysWhoWeAreAndRenewsWhatIsRefused) {
  testing::World world;
  Minter minter;
  int dialed = 0;
  testing::Script* api = &world.api;
  class Shared final : public https::StreamTransport {
   public:
    explicit Shared(testing::Script* to) : to_(to) {}
    net::Task<Result<https::Response>> send(https::Request request) override {
      return to_->send(std::move(request));
    }
    net::Task<Result<https::Response>> stream(https::Request request,
                                              https::BodySink sink) override {
      return to_->stream(std::move(request), std::move(sink));
    }

   private:
    testing::Script* to_;
  };
  ClusterTransport transport(minter.authenticator, [&](const Credential&) {
    ++dialed;
    return Result<std::unique_ptr<https::StreamTransport>>(std::make_unique<Shared>(api));
  });
  world.api.status(401).add("{}");
  const auto out = world.run(transport.send({.url = "https://api.example/"}));
  ASSERT_TRUE(out);
  EXPECT_EQ(out->status, 200);
  ASSERT_EQ(world.api.seen.size(), 2U);
  const https::Header first{"Authorization", "Bearer t1"};
  const https::Header second{"Authorization", "Bearer t2"};
  EXPECT_EQ(world.api.seen[0].headers, std::vector{first});
  EXPECT_EQ(world.api.seen[1].headers, std::vector{second});
  EXPECT_EQ(dialed, 1);
}

TEST(ClusterTransport, ConnectsAnewForAnotherCertificate) {
  testing::World world;
  std::vector<std::string> dialed;
  class Changing final : public Authenticator {
   public:
    net::Task<Result<Credential>> get() override { co_return credential; }
    void reject(const Credential&) override { credential.certificate_pem += "+"; }
    Credential credential{.certificate_pem = "c"};
  } authenticator;
  ClusterTransport transport(
      authenticator,
      [&](const Credential& credential) -> Result<std::unique_ptr<https::StreamTransport>> {
        dialed.push_back(credential.certificate_pem);
        auto script = std::make_unique<testing::Script>(*world.loop);
        script->status(dialed.size() == 1 ? 401 : 200, "x");
        return script;
      });
  const auto out = world.run(
      transport.stream({.url = "https://api.example/"}, [](std::string_view) { return true; }));
  ASSERT_TRUE(out);
  EXPECT_EQ(out->status, 200);
  EXPECT_EQ(dialed, (std::vector<std::string>{"c", "c+"}));
}

TEST(Access, OfAPodIsWhatItIsGiven) {
  const Folder folder;
  const auto loop = net::testing::make_loop();
  const TestClock clock;
  std::string host = "10.0.0.1";
  const auto environment = [&](const std::string& name) -> std::optional<std::string> {
    if (name == "KUBERNETES_SERVICE_HOST") return host;
    if (name == "KUBERNETES_SERVICE_PORT") return "443";
    return std::nullopt;
  };
  EXPECT_FALSE(access_in_cluster(environment, clock, *loop, folder.path));
  folder.write("ca.crt", "PEM");
  EXPECT_FALSE(access_in_cluster(environment, clock, *loop, folder.path));
  folder.write("token", "t");
  folder.write("namespace", "egress");
  const auto access = access_in_cluster(environment, clock, *loop, folder.path);
  ASSERT_TRUE(access) << access.error().detail;
  EXPECT_EQ(access->server, "https://10.0.0.1:443");
  EXPECT_EQ(access->ca_pem, "PEM");
  EXPECT_EQ(access->home_namespace, "egress");
  host = "fd00::1";
  EXPECT_EQ(access_in_cluster(environment, clock, *loop, folder.path)->server,
            "https://[fd00::1]:443");
  const auto nothing = [](const std::string&) -> std::optional<std::string> { return {}; };
  EXPECT_FALSE(access_in_cluster(nothing, clock, *loop, folder.path));
}

TEST(Access, ReadsTheFilesOfAKubeconfig) {
  const Folder folder;
  const auto loop = net::testing::make_loop();
  const TestClock clock;
  config::Kubeconfig config{.server = "https://api", .tls_name = "n", .home_namespace = "h"};
  config.ca_file = folder.path + "/ca";
  EXPECT_FALSE(access_of(config, *loop, clock));
  folder.write("ca", "PEM");
  config.token_file = folder.write("t", "token\r\n");
  const auto access = access_of(config, *loop, clock);
  ASSERT_TRUE(access);
  EXPECT_EQ(access->ca_pem, "PEM");
  EXPECT_EQ(access->tls_name, "n");
  std::string token;
  net::spawn(Minter::keep(*access->authenticator, token), net::testing::abort_on_failure);
  EXPECT_EQ(token, "token");
}

}  // namespace
}  // namespace ebbgate::kube
