#include "webhook/judge.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <string>

#include "webhook/detail/testing.h"

namespace ebbgate::webhook {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::Json;
using ::testing::Not;
using testing::response_of;
using testing::review_of;

const WallTime kNow = std::chrono::sys_days(std::chrono::year(2026) / 6 / 1);

Json policy_with(const Json& spec, const std::string& kind = "ClusterEgressPolicy") {
  Json metadata{{"name", "builds"},
                {"uid", "1"},
                {"creationTimestamp", nullptr},
                {"managedFields", {{{"manager", "kubectl"}}}}};
  if (kind == "EgressPolicy") metadata["namespace"] = "shop";
  return {{"apiVersion", "ebbgate.dev/v1alpha1"},
          {"kind", kind},
          {"metadata", metadata},
          {"spec", spec},
          {"status", {{"conditions", Json::array()}}}};
}

Reply judged(const Json& policy, const std::string& version = "v1alpha1") {
  return judge(review_of(policy, policy.value("kind", "?"), "ebbgate.dev", version).dump(), kNow);
}

std::string message_of(const Reply& reply) {
  const Json response = response_of(reply);
  EXPECT_EQ(response["allowed"], false);
  EXPECT_EQ(response["status"]["status"], "Failure");
  EXPECT_EQ(response["status"]["code"], 422);
  return response["status"]["message"];
}

TEST(Judge, AcceptsAValidPolicyOfEitherKind) {
  const Json spec{{"allow", {{{"hosts", {"api.example.com:443"}}}}}};
  for (const char* kind : {"ClusterEgressPolicy", "EgressPolicy"}) {
    const Reply reply = judged(policy_with(spec, kind));
    EXPECT_EQ(reply.outcome, Outcome::kAccepted) << reply.detail;
    EXPECT_EQ(response_of(reply)["allowed"], true);
    EXPECT_FALSE(response_of(reply).contains("warnings")) << reply.body;
  }
}

TEST(Judge, RefusesWithTheWordsOfCheckAndTheField) {
  struct Case {
    Json spec;
    const char* kind;
    const char* says;
  };
  const Case cases[] = {
      {{{"allow", {{{"hosts", {"good.test", "*bad.test"}}}}}},
       "ClusterEgressPolicy",
       "spec.allow[0].hosts[1]: "},
      {{{"allow", {{{"hosts", {"a.test"}}}, {{"hosts", {"b.test"}}, {"ports", {443, 99999}}}}}},
       "ClusterEgressPolicy",
       "spec.allow[1].ports[1]: "},
      {{{"allow", {{{"hosts", {"a.test"}}, {"porst", {443}}}}}},
       "ClusterEgressPolicy",
       "spec.allow[0].porst: "},
      {{{"allow", Json::array()}}, "ClusterEgressPolicy", "spec.allow: "},
      {{{"mode", "report"}, {"allow", {{{"hosts", {"a.test"}}}}}}, "EgressPolicy", "spec.mode: "},
      {Json::object(), "ClusterEgressPolicy", "spec: "},
  };
  for (const Case& each : cases) {
    SCOPED_TRACE(each.spec.dump());
    const Reply reply = judged(policy_with(each.spec, each.kind));
    EXPECT_EQ(reply.outcome, Outcome::kRefused) << reply.body;
    const std::string message = message_of(reply);
    EXPECT_TRUE(message.starts_with(each.says)) << message;
    EXPECT_EQ(message, reply.detail);
  }
}

TEST(Judge, NamesOnlyTheFirstOfManyProblems) {
  Json hosts = Json::array();
  for (int i = 0; i < 10000; ++i) hosts.push_back("*bad" + std::to_string(i) + ".test");
  const std::string message = message_of(judged(policy_with({{"allow", {{{"hosts", hosts}}}}})));
  EXPECT_THAT(message, AllOf(HasSubstr("hosts[19]"), Not(HasSubstr("hosts[20]"))));
  EXPECT_TRUE(message.ends_with(" more")) << message;
}

TEST(Judge, AcceptsTenThousandEntries) {
  Json entries = Json::array();
  for (int i = 0; i < 10000; ++i) {
    entries.push_back({{"hosts", {"host" + std::to_string(i) + ".example.com"}}});
  }
  EXPECT_EQ(judged(policy_with({{"allow", entries}})).outcome, Outcome::kAccepted);
}

TEST(Judge, WarnsOfWhatIsDoubtful) {
  const Reply reply =
      judged(policy_with({{"allow",
                           {{{"hosts", {".s3.amazonaws.com"}}},
                            {{"hosts", {"old.test"}}, {"expires", "2026-01-01T00:00:00Z"}}}}}));
  ASSERT_EQ(reply.outcome, Outcome::kAccepted);
  EXPECT_THAT(response_of(reply)["warnings"].get<std::vector<std::string>>(),
              ElementsAre(HasSubstr("spec.allow[0].hosts[0]: "), HasSubstr("spec.allow[1]")));
}

TEST(Judge, KeepsTextsOfAllKindsApart) {
  // What YAML might take for something else is still the text that JSON has.
  const Reply reply = judged(policy_with(
      {{"allow",
        {{{"hosts", {"a.test"}},
          {"owner", "true"},
          {"reason", "null # no \"comment\" \u00e9 \U0001F600 &a *b !c --- \\n: {}"}}}}}));
  EXPECT_EQ(reply.outcome, Outcome::kAccepted) << reply.detail;
}

TEST(Judge, KnowsWhatItDoesNotKnow) {
  const Json spec{{"allow", {{{"hosts", {"a.test"}}}}}};
  const Reply newer = judged(policy_with(spec), "v2");
  EXPECT_THAT(message_of(newer), HasSubstr("ClusterEgressPolicy of ebbgate.dev/v2"));
  const Reply other = judged(policy_with(spec, "EgressGateway"));
  EXPECT_THAT(message_of(other), HasSubstr("EgressGateway"));
  // Others' objects are not ours to refuse, whoever sent them here.
  const Reply foreign = judge(review_of(Json::object(), "Pod").dump(), kNow);
  EXPECT_EQ(foreign.outcome, Outcome::kPassed);
  EXPECT_EQ(response_of(foreign)["allowed"], true);
  // What is asked for in one version and written in another.
  Json wrong = policy_with(spec);
  wrong["apiVersion"] = "ebbgate.dev/v3";
  EXPECT_THAT(message_of(judged(wrong)), HasSubstr("apiVersion"));
}

TEST(Judge, LetsAPolicyGo) {
  Json review = review_of(nullptr, "EgressPolicy", "ebbgate.dev", "v1alpha1");
  review["request"]["operation"] = "DELETE";
  EXPECT_EQ(judge(review.dump(), kNow).outcome, Outcome::kAccepted);
  review["request"]["operation"] = "CREATE";
  EXPECT_EQ(judge(review.dump(), kNow).status, 400);
  EXPECT_EQ(judge("x", kNow).status, 400);
}

}  // namespace
}  // namespace ebbgate::webhook
