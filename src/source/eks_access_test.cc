#include "source/eks_access.h"

#include <gtest/gtest.h>

#include <string>

#include "aws/testing.h"

namespace ebbgate::source {
namespace {

struct Fixture {
  aws::testing::World world;
  aws::StaticCredentials credentials{aws::testing::example_credentials()};
  aws::Client client{world.context, credentials, {.region = "eu-central-1", .max_attempts = 1}};

  Result<kube::Access> access() {
    return world.run(eks_access(*world.loop, world.clock, client, "demo", Deadline::never()));
  }
};

std::string cluster(const std::string& fields) {
  return R"({"cluster":{"name":"demo","status":"CREATING")" + fields + "}}";
}

TEST(EksAccess, IsWhatAwsSaysOfTheCluster) {
  Fixture fixture;
  fixture.world.network.answer(
      200,
      cluster(
          R"(,"endpoint":"https://x.eks.amazonaws.com","certificateAuthority":{"data":"UEVN"})"));
  const auto access = fixture.access();
  ASSERT_TRUE(access) << access.error().detail;
  EXPECT_EQ(access->server, "https://x.eks.amazonaws.com");
  EXPECT_EQ(access->ca_pem, "PEM");
  const auto token = [&] {
    const auto credential = fixture.world.run(access->authenticator->get());
    return credential ? credential->token.reveal() : credential.error().detail;
  };
  const std::string first = token();
  EXPECT_TRUE(first.starts_with("k8s-aws-v1.")) << first;
  fixture.world.clock.now += std::chrono::minutes(10) - std::chrono::seconds(1);
  EXPECT_EQ(token(), first);
  fixture.world.clock.now += std::chrono::seconds(1);
  const std::string second = token();
  EXPECT_TRUE(second.starts_with("k8s-aws-v1."));
  EXPECT_NE(second, first);
}

TEST(EksAccess, SaysWhyThereIsNone) {
  const struct {
    int status;
    std::string body;
    const char* said;
  } cases[] = {
      {404, R"({"__type":"ResourceNotFoundException","message":"no"})",
       "the cluster demo is not there in eu-central-1"},
      {200, cluster(""), "the cluster demo has no endpoint: it is CREATING"},
      {200, cluster(R"(,"endpoint":"https://x","certificateAuthority":{"data":"%"})"),
       "the cluster demo has no authority that can be read"},
      {403, R"({"__type":"AccessDeniedException","message":"no"})", "AccessDeniedException"},
  };
  for (const auto& each : cases) {
    Fixture fixture;
    fixture.world.network.answer(each.status, each.body);
    const auto access = fixture.access();
    ASSERT_FALSE(access) << each.body;
    EXPECT_TRUE(access.error().detail.contains(each.said)) << access.error().detail;
  }
}

}  // namespace
}  // namespace ebbgate::source
