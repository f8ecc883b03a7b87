// What the API says of its types and of the rights of a group, and what is made of it.
#include "deploy/prepared.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "kube/testing.h"

namespace ebbgate::deploy {
namespace {

using kube::testing::World;

const std::string kTypes =
    R"({"resources":[{"name":"egresspolicies"},{"name":"clusteregresspolicies"}]})";
const std::string kYes = R"({"status":{"allowed":true}})";
const std::string kNo = R"({"status":{"allowed":false,"reason":"no RBAC policy matched"}})";

struct Answer {
  int status;
  std::string body;
};

std::string missing(World& world, const std::vector<Answer>& answers) {
  for (const Answer& each : answers) world.api.status(each.status, each.body);
  return world.run(missing_for_gateways(world.client));
}

TEST(Prepared, IsWhatHasTypesAndRights) {
  World world;
  EXPECT_EQ(
      missing(world,
              {{200, kTypes}, {200, kTypes}, {201, kYes}, {201, kYes}, {201, kYes}, {201, kYes}}),
      "");
  ASSERT_EQ(world.api.seen.size(), 6U);
  EXPECT_EQ(world.api.path(2), "/apis/authorization.k8s.io/v1/subjectaccessreviews");
  const std::string& asked = world.api.seen[5].body;
  EXPECT_NE(asked.find(R"("ebbgate-gateways")"), std::string::npos) << asked;
  EXPECT_NE(asked.find(R"("namespace":"ebbgate-system")"), std::string::npos) << asked;
  EXPECT_EQ(world.api.seen[2].body.find("namespace"), std::string::npos);
}

TEST(Prepared, SaysWhatIsMissingOrWhyNobodyKnows) {
  const struct {
    std::vector<Answer> answers;
    const char* said;
  } cases[] = {
      {{{404, "{}"}}, "it has no type egresspolicies.ebbgate.dev"},
      {{{200, R"({"resources":[{"name":"egresspolicies"}]})"},
        {200, R"({"resources":[{"name":"egresspolicies"}]})"}},
       "it has no type clusteregresspolicies.ebbgate.dev"},
      {{{200, kTypes}, {200, kTypes}, {201, kNo}}, "the group ebbgate-gateways may not list pods"},
      {{{200, kTypes}, {200, kTypes}, {201, kYes}, {201, kYes}, {201, kYes}, {201, kNo}},
       "the group ebbgate-gateways may not create leases"},
      // Nothing that is no clear yes is one.
      {{{200, kTypes}, {200, kTypes}, {201, R"({"status":{"allowed":"true"}})"}},
       "the group ebbgate-gateways may not list pods"},
      {{{200, kTypes}, {200, kTypes}, {201, "[]"}}, "the group ebbgate-gateways may not list pods"},
      {{{401, R"({"kind":"Status","message":"Unauthorized"})"}}, "Unauthorized"},
      {{{200, kTypes}, {200, kTypes}, {403, R"({"kind":"Status","message":"may not create"})"}},
       "the rights of gateways"},
  };
  for (const auto& each : cases) {
    World world;
    const std::string said = missing(world, each.answers);
    EXPECT_NE(said.find(each.said), std::string::npos) << said;
  }
}

}  // namespace
}  // namespace ebbgate::deploy
