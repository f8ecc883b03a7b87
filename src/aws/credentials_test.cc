#include "aws/credentials.h"

#include <gtest/gtest.h>

#include "aws/detail/credential_sources.h"
#include "aws/detail/time.h"
#include "aws/testing.h"

namespace ebbgate::aws {
namespace {

using testing::header_of;
using testing::World;

[[nodiscard]] std::string document(std::string_view id, WallTime expiration) {
  return R"({"Code":"Success","AccessKeyId":")" + std::string(id) +
         R"(","SecretAccessKey":"SEKRET","Token":"TOKEN","Expiration":")" +
         detail::iso8601(expiration) + "\"}";
}

[[nodiscard]] std::string assumed(std::string_view id, WallTime expiration) {
  return "<AssumeRoleWithWebIdentityResponse><AssumeRoleWithWebIdentityResult><Credentials>"
         "<AccessKeyId>" +
         std::string(id) +
         "</AccessKeyId>"
         "<SecretAccessKey>SEKRET</SecretAccessKey><SessionToken>TOKEN</SessionToken><Expiration>" +
         detail::iso8601(expiration) +
         "</Expiration></Credentials>"
         "</AssumeRoleWithWebIdentityResult></AssumeRoleWithWebIdentityResponse>";
}

// The script of an instance whose role is `fleet`.
void answer_as_instance(World& world, std::string_view id, WallTime expiration) {
  world.network.answer(200, "IMDSTOKEN").answer(200, "fleet").answer(200, document(id, expiration));
}

TEST(CredentialsChain, AsksInItsOrder) {
  World world;
  const WallTime later = world.clock.now + std::chrono::hours(6);
  world.variables = {
      {"AWS_ACCESS_KEY_ID", "ENV"},
      {"AWS_SECRET_ACCESS_KEY", "SEKRET"},
      {"AWS_WEB_IDENTITY_TOKEN_FILE", "/token"},
      {"AWS_ROLE_ARN", "arn:aws:iam::1:role/r"},
      {"AWS_SHARED_CREDENTIALS_FILE", "/credentials"},
      {"AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://169.254.170.23/v1/credentials"}};
  world.files = {{"/token", "JWT\n"},
                 {"/credentials",
                  "[default]\naws_access_key_id=PROFILE\naws_secret_access_key=SEKRET\n"
                  "[ci]\naws_access_key_id=CI\naws_secret_access_key=SEKRET\n"}};
  const auto chain_says = [&world](ChainOptions options) {
    const auto chain = default_credentials(world.context, std::move(options));
    const Outcome<Credentials> got = world.run(chain->get());
    return got ? got->access_key_id : got.error().message;
  };
  const ChainOptions gateway{.region = "eu-west-2"};
  const ChainOptions command{.region = "eu-west-2", .profiles = true};

  EXPECT_EQ(chain_says({.region = "eu-west-2", .profiles = true, .profile = "ci"}), "CI");
  EXPECT_EQ(chain_says(command), "ENV");
  world.variables.erase("AWS_ACCESS_KEY_ID");
  EXPECT_EQ(chain_says(command), "AWS_SECRET_ACCESS_KEY is set without AWS_ACCESS_KEY_ID");
  world.variables.erase("AWS_SECRET_ACCESS_KEY");
  world.network.answer(200, assumed("WEB", later));
  EXPECT_EQ(chain_says(command), "WEB");
  world.variables.erase("AWS_WEB_IDENTITY_TOKEN_FILE");
  EXPECT_EQ(chain_says(command), "PROFILE");
  world.network.answer(200, document("CONTAINER", later));
  EXPECT_EQ(chain_says(gateway), "CONTAINER") << "the gateway reads no profiles";
  world.variables.erase("AWS_CONTAINER_CREDENTIALS_FULL_URI");
  answer_as_instance(world, "INSTANCE", later);
  EXPECT_EQ(chain_says(gateway), "INSTANCE");
  world.variables["AWS_EC2_METADATA_DISABLED"] = "true";
  EXPECT_TRUE(chain_says(gateway).starts_with("no AWS credentials"));
  EXPECT_TRUE(world.network.answers.empty());
}

TEST(CredentialsChain, ASourceThatFailsIsNotPassedOver) {
  World world;
  world.variables = {{"AWS_WEB_IDENTITY_TOKEN_FILE", "/token"},
                     {"AWS_ROLE_ARN", "arn:aws:iam::1:role/r"},
                     {"AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://127.0.0.1/"}};
  const auto chain = default_credentials(world.context, {.region = "eu-west-2"});
  const auto got = world.run(chain->get());
  ASSERT_FALSE(got);
  EXPECT_TRUE(got.error().message.contains("/token")) << got.error().message;
  EXPECT_TRUE(world.network.seen.empty());
}

TEST(WebIdentity, SendsItsTokenUnsignedToTheRegionsTokenService) {
  World world;
  world.variables = {{"AWS_WEB_IDENTITY_TOKEN_FILE", "/token"},
                     {"AWS_ROLE_ARN", "arn:aws:iam::1:role/r"},
                     {"AWS_ROLE_SESSION_NAME", "me"}};
  world.files["/token"] = " JWT.x\n";
  world.network.answer(503, "").answer(200, assumed("WEB", world.clock.now));
  const auto got = world.run(detail::from_web_identity(world.context, "cn-north-1"));
  ASSERT_TRUE(got && *got);
  ASSERT_EQ(world.network.seen.size(), 2U) << "a failure of the moment is tried again";
  const https::Request& request = world.network.seen[1];
  EXPECT_EQ(request.url, "https://sts.cn-north-1.amazonaws.com.cn/");
  EXPECT_EQ(request.body,
            "Action=AssumeRoleWithWebIdentity&Version=2011-06-15"
            "&RoleArn=arn%3Aaws%3Aiam%3A%3A1%3Arole%2Fr&RoleSessionName=me&WebIdentityToken=JWT.x");
  EXPECT_EQ(header_of(request, "Authorization"), "");
}

TEST(WebIdentity, AFailureHoldsNoToken) {
  World world;
  world.variables = {{"AWS_WEB_IDENTITY_TOKEN_FILE", "/token"}, {"AWS_ROLE_ARN", "arn"}};
  world.files["/token"] = "JWTSEKRET";
  world.network.answer(400,
                       "<ErrorResponse><Error><Code>InvalidIdentityToken</Code>"
                       "<Message>bad token JWTSEKRET</Message></Error></ErrorResponse>");
  const auto got = world.run(detail::from_web_identity(world.context, "eu-west-2"));
  ASSERT_FALSE(got);
  EXPECT_TRUE(got.error().message.contains("InvalidIdentityToken")) << got.error().message;
  EXPECT_FALSE(got.error().message.contains("SEKRET"));
}

TEST(ContainerCredentials, AreAskedOnlyWhereAwsKeepsThem) {
  struct Row {
    const char* uri;
    bool is_allowed;
  };
  const std::vector<Row> rows = {
      {"http://169.254.170.23/v1/credentials", true},
      {"http://[fd00:ec2::23]/v1/credentials", true},
      {"http://169.254.170.2/x", true},
      {"http://127.0.0.1:8080/x", true},
      {"http://127.9.9.9/x", true},
      {"http://[::1]:80/x", true},
      {"https://anything.example/x", true},
      {"http://169.254.169.254/latest/", false},
      {"http://169.254.170.24/x", false},
      {"http://10.0.0.1/x", false},
      {"http://localhost/x", false},
      {"http://example.com/x", false},
      {"http://169.254.170.2.example.com/x", false},
      {"http://169.254.170.2@example.com/x", false},
      {"http://127.0.0.1:80@example.com/x", false},
      {"http://[::ffff:169.254.169.254]/x", false},
      {"http://[::ffff:127.0.0.1]/x", false},
      {"http://0x7f.1/x", false},
      {"http://2130706433/x", false},
      {"http://127.1/x", false},
      {"http://0.0.0.0/x", false},
      {"http://[fd00:ec2::24]/x", false},
      {"http://[fd00:ec2::23%25eth0]/x", false},
      {"http://127.0.0.1/x#@evil", false},
      {"http://127.0.0.1/x y", false},
      {"http://127.0.0.1\\@evil/x", false},
      {"ftp://127.0.0.1/x", false},
      {"file:///etc/passwd", false},
      {"//127.0.0.1/x", false},
      {"http:///x", false},
  };
  for (const Row& row : rows) {
    World world;
    world.variables["AWS_CONTAINER_CREDENTIALS_FULL_URI"] = row.uri;
    world.variables["AWS_CONTAINER_AUTHORIZATION_TOKEN"] = "TOKEN";
    world.network.answer(200, document("A", world.clock.now));
    const auto got = world.run(detail::from_container(world.context));
    EXPECT_EQ(got.has_value(), row.is_allowed) << row.uri;
    EXPECT_EQ(world.network.seen.size(), row.is_allowed ? 1U : 0U) << row.uri;
  }
}

TEST(ContainerCredentials, ARelativeUriStaysOnItsHost) {
  for (const char* uri : {"@evil.example/", ".evil.example/", ":80@evil/", "v2/credentials"}) {
    World world;
    world.variables["AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"] = uri;
    EXPECT_FALSE(world.run(detail::from_container(world.context))) << uri;
    EXPECT_TRUE(world.network.seen.empty()) << uri;
  }
  World world;
  world.variables["AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"] = "/v2/credentials/x?a=b";
  world.network.answer(200, document("A", world.clock.now));
  EXPECT_TRUE(world.run(detail::from_container(world.context)));
  EXPECT_EQ(world.network.seen.at(0).url, "http://169.254.170.2/v2/credentials/x?a=b");
}

TEST(ContainerCredentials, TheTokensFileIsReadEachTime) {
  World world;
  world.variables = {{"AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://169.254.170.23/"},
                     {"AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", "/token"}};
  for (const char* token : {"first", "second"}) {
    world.files["/token"] = token;
    world.network.answer(200, document("A", world.clock.now));
    EXPECT_TRUE(world.run(detail::from_container(world.context)));
    EXPECT_EQ(header_of(world.network.seen.back(), "Authorization"), token);
  }
  for (const char* token : {"", " \n", "a\nX-Evil: b"}) {
    world.files["/token"] = token;
    EXPECT_FALSE(world.run(detail::from_container(world.context))) << token;
  }
  world.files.clear();
  EXPECT_FALSE(world.run(detail::from_container(world.context)));
  EXPECT_EQ(world.network.seen.size(), 2U);
}

TEST(ProfileCredentials, SayWhatTheyDoNotDo) {
  const std::vector<std::pair<const char*, const char*>> rows = {
      {"aws_access_key_id=A\n", "half of a key"},
      {"credential_process=/bin/x\n", "credential_process"},
      {"sso_session=x\n", "sso_session"},
      {"sso_start_url=https://x\n", "sso_start_url"},
      {"role_arn=arn\nsource_profile=x\n", "export-credentials"},
      {"region=x\n", "no credentials in profile p"},
  };
  for (const auto& [settings, says] : rows) {
    World world;
    world.variables["AWS_SHARED_CREDENTIALS_FILE"] = "/c";
    world.files["/c"] = std::string("[p]\n") + settings;
    const auto got = detail::from_profile(world.context, "p", true);
    ASSERT_FALSE(got) << settings;
    EXPECT_TRUE(got.error().message.contains(says)) << got.error().message;
  }
}

TEST(InstanceCredentials, BeginWithASessionToken) {
  World world;
  Imds imds(world.context);
  answer_as_instance(world, "INSTANCE", world.clock.now);
  const auto got = world.run(detail::from_instance(imds));
  ASSERT_TRUE(got && *got);
  const auto& seen = world.network.seen;
  ASSERT_EQ(seen.size(), 3U);
  EXPECT_EQ(seen[0].method, "PUT");
  EXPECT_EQ(seen[0].url, "http://169.254.169.254/latest/api/token");
  EXPECT_EQ(header_of(seen[0], "X-aws-ec2-metadata-token-ttl-seconds"), "21600");
  EXPECT_EQ(seen[0].timeout, std::chrono::seconds(1));
  EXPECT_EQ(seen[2].url, "http://169.254.169.254/latest/meta-data/iam/security-credentials/fleet");
  EXPECT_EQ(header_of(seen[2], "X-aws-ec2-metadata-token"), "IMDSTOKEN");
}

TEST(InstanceCredentials, NeverFallBackToVersionOne) {
  struct Row {
    int status;
    const char* body;
  };
  for (const Row& row : {Row{403, ""}, Row{404, ""}, Row{400, ""}, Row{200, ""}, Row{200, "a b"},
                         Row{200, "<html>\n"}}) {
    World world;
    Imds imds(world.context);
    world.network.answer(row.status, row.body);
    EXPECT_FALSE(world.run(detail::from_instance(imds))) << row.status;
    EXPECT_EQ(world.network.seen.size(), 1U) << row.status;
  }
}

TEST(InstanceCredentials, TheNameOfTheRoleIsChecked) {
  for (const char* role : {"../../user-data", "a/b", "", "a?b", "<html>"}) {
    World world;
    Imds imds(world.context);
    world.network.answer(200, "IMDSTOKEN").answer(200, role);
    EXPECT_FALSE(world.run(detail::from_instance(imds))) << role;
    EXPECT_EQ(world.network.seen.size(), 2U) << role;
  }
  World world;
  Imds imds(world.context);
  world.network.answer(200, "IMDSTOKEN").answer(404, "");
  const auto none = world.run(detail::from_instance(imds));
  ASSERT_TRUE(none);
  EXPECT_FALSE(*none) << "an instance without a role";
}

// --- Keeping them ---------------------------------------------------------------------------

// A source whose answers the test sets.
class Source final : public CredentialsProvider {
 public:
  Source(World& world, int& calls) : world_(&world), calls_(&calls) {}
  [[nodiscard]] net::Task<Outcome<Credentials>> get() override {
    ++*calls_;
    https::Request request;
    Result<https::Response> response = co_await world_->context.transport.send(request);
    if (!response) co_return failed(Failure::Kind::kCredentials, response.error().detail);
    co_return Credentials{
        response->body, Secret("s"), {}, world_->clock.now + std::chrono::hours(1)};
  }
  void reject(const Credentials& /*expired*/) override {}

 private:
  World* world_;
  int* calls_;
};

struct Cache {
  World world;
  int calls = 0;
  CachedCredentials cached{world.context, std::make_unique<Source>(world, calls)};

  [[nodiscard]] std::string get() {
    const Outcome<Credentials> got = world.run(cached.get());
    return got ? got->access_key_id : "failed";
  }
};

TEST(CachedCredentials, RefreshFiveMinutesBeforeTheyExpire) {
  Cache cache;
  cache.world.network.answer(200, "A").answer(200, "B");
  EXPECT_EQ(cache.get(), "A");
  cache.world.clock.now += std::chrono::minutes(55) - std::chrono::seconds(1);
  EXPECT_EQ(cache.get(), "A");
  EXPECT_EQ(cache.calls, 1);
  cache.world.clock.now += std::chrono::seconds(1);
  EXPECT_EQ(cache.get(), "B");
  EXPECT_EQ(cache.calls, 2);
}

TEST(CachedCredentials, AFleetDoesNotRefreshAllAtOnce) {
  Cache cache;
  cache.world.random = 59'999'999'999;  // the largest jitter
  cache.world.network.answer(200, "A").answer(200, "B");
  EXPECT_EQ(cache.get(), "A");
  cache.world.clock.now += std::chrono::minutes(54);
  EXPECT_EQ(cache.get(), "A");
  cache.world.clock.now += std::chrono::seconds(1);
  EXPECT_EQ(cache.get(), "B");
}

TEST(CachedCredentials, OldOnesServeUntilTheyExpire) {
  Cache cache;
  cache.world.network.answer(200, "A").breaks(Reason::kTimedOut);
  EXPECT_EQ(cache.get(), "A");
  cache.world.clock.now += std::chrono::minutes(57);
  EXPECT_EQ(cache.get(), "A");
  EXPECT_EQ(cache.calls, 2);
  EXPECT_EQ(cache.get(), "A");
  EXPECT_EQ(cache.calls, 2) << "a source that failed is left alone for a while";
  cache.world.clock.now += std::chrono::minutes(4);
  cache.world.network.breaks(Reason::kTimedOut).answer(200, "B");
  EXPECT_EQ(cache.get(), "failed");
  EXPECT_EQ(cache.get(), "B");
}

TEST(CachedCredentials, RejectedOnesAreNotGivenOutAgain) {
  Cache cache;
  cache.world.network.answer(200, "A").answer(200, "B");
  EXPECT_EQ(cache.get(), "A");
  const Outcome<Credentials> a = cache.world.run(cache.cached.get());
  cache.cached.reject(*a);
  EXPECT_EQ(cache.get(), "B");
  cache.cached.reject(*a);
  EXPECT_EQ(cache.get(), "B") << "those that are long gone take nobody else's with them";
}

net::Task<void> get_into(CachedCredentials& cached, std::vector<std::string>& out) {
  const Outcome<Credentials> got = co_await cached.get();
  out.push_back(got ? got->access_key_id : "failed");
}

TEST(CachedCredentials, ThoseWhoAskTogetherShareOneRefresh) {
  for (const bool succeeds : {true, false}) {
    Cache cache;
    cache.world.network.answers_later = true;
    if (succeeds) {
      cache.world.network.answer(200, "A");
    } else {
      cache.world.network.breaks(Reason::kTimedOut);
    }
    std::vector<std::string> got;
    for (int i = 0; i < 5; ++i) {
      net::spawn(get_into(cache.cached, got), net::testing::abort_on_failure);
    }
    EXPECT_EQ(cache.get(), succeeds ? "A" : "failed");
    EXPECT_EQ(got, std::vector<std::string>(5, succeeds ? "A" : "failed"));
    EXPECT_EQ(cache.calls, 1);
  }
}

}  // namespace
}  // namespace ebbgate::aws
