#include "config/policy_tests.h"

#include <gtest/gtest.h>

#include "config/settings.h"

namespace ebbgate::config {
namespace {

TEST(PolicyTests, AreReadWithAllThatACaseMaySay) {
  const PolicyTests tests = parse_policy_tests(
      "policy: [policy.yaml, /etc/ebbgate]\n"
      "cases:\n"
      "  - name: builders pull\n"
      "    target: https://registry-1.docker.io/v2/\n"
      "    from: 10.64.8.3\n"
      "    user: ci\n"
      "    namespace: build\n"
      "    serviceAccount: builder\n"
      "    method: GET\n"
      "    sni: Registry-1.docker.io\n"
      "    resolves: [203.0.113.7, \"2001:db8::1\"]\n"
      "    at: 2026-01-01T00:00:00Z\n"
      "    expect: allow\n"
      "    reason: allowed\n"
      "    rule: .DOCKER.io:443\n"
      "    document: ci\n"
      "  - {target: a.example, expect: report}\n",
      "folder/tests.yaml");
  ASSERT_EQ(str(tests.problems), "");
  EXPECT_EQ(tests.policies, (std::vector<std::string>{"folder/policy.yaml", "/etc/ebbgate"}));
  ASSERT_EQ(tests.cases.size(), 2U);
  const PolicyCase& first = tests.cases[0];
  EXPECT_EQ(first.name, "builders pull");
  EXPECT_EQ(first.position, (policy::Position{3, 5}));
  EXPECT_EQ(first.inquiry.target, "https://registry-1.docker.io/v2/");
  EXPECT_EQ(first.inquiry.subject.address->str(), "10.64.8.3");
  EXPECT_EQ(first.inquiry.subject.user, "ci");
  EXPECT_EQ(first.inquiry.subject.pod->pod_namespace, "build");
  EXPECT_EQ(first.inquiry.subject.pod->service_account, "builder");
  EXPECT_EQ(first.inquiry.handshake->server_name->str(), "registry-1.docker.io");
  EXPECT_EQ(first.inquiry.lookup->addresses.size(), 2U);
  EXPECT_TRUE(first.at);
  EXPECT_EQ(first.expect, policy::Verdict::kAllow);
  EXPECT_EQ(first.reason, Reason::kAllowed);
  EXPECT_EQ(first.rule, ".docker.io:443") << "in the form that answers have";
  EXPECT_EQ(first.document, "ci");
  const PolicyCase& second = tests.cases[1];
  EXPECT_EQ(second.name, "a.example");
  EXPECT_EQ(second.expect, policy::Verdict::kReport);
  EXPECT_FALSE(second.inquiry.subject.address || second.inquiry.handshake ||
               second.inquiry.lookup || second.inquiry.subject.pod);
}

TEST(PolicyTests, AreRefusedWithThePlaceAndTheFix) {
  const struct {
    const char* text;
    const char* says;
  } rows[] = {
      {"", "t.yaml: error: the file holds no cases; write `cases:`\n"},
      {"policy: [a]\n", "t.yaml:1:1: error: the file has no `cases`; add it\n"},
      {"cases: []\n", "t.yaml:1:8: error: `cases` is an empty list; leave it out, or fill it\n"},
      {"cases: [{target: a}]\n", "t.yaml:1:9: error: a case has no `expect`; add it\n"},
      {"cases: [{target: a, expect: allowed}]\n",
       "t.yaml:1:29: error: \"allowed\" is none of its values; write allow, deny or report\n"},
      {"cases: [{target: a, expect: deny, reason: nope}]\n",
       "t.yaml:1:43: error: \"nope\" is no reason; docs/reasons.md has them\n"},
      {"cases: [{target: a, expect: deny, form: 10.0.0.1}]\n",
       "t.yaml:1:35: error: unknown key \"form\" in a case; write `from`\n"},
      {"cases: [{target: a, expect: deny, from: 10.0.0.0/8}]\n",
       "t.yaml:1:41: error: \"10.0.0.0/8\" is no address; write one as in 10.64.8.3\n"},
  };
  for (const auto& row : rows) {
    EXPECT_EQ(str(parse_policy_tests(row.text, "t.yaml").problems), row.says);
  }
}

}  // namespace
}  // namespace ebbgate::config
