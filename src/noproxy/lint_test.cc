#include "noproxy/lint.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace ebbgate::noproxy {
namespace {

// The findings as `word:entry`.
std::vector<std::string> found(std::string_view value, const VpcEndpoints& endpoints = {}) {
  std::vector<std::string> all;
  for (const Finding& finding : lint(value, endpoints)) {
    EXPECT_FALSE(finding.text.empty());
    all.push_back(std::string(word(finding.pitfall)) + ":" + finding.entry);
  }
  return all;
}

TEST(Lint, FindsEachPitfall) {
  using Findings = std::vector<std::string>;
  struct Row {
    std::string_view value;
    Findings findings;
  };
  const std::vector<Row> rows = {
      {"localhost,127.0.0.1", {}},
      {"", {}},
      {"*", {"everything:*"}},
      {"*.example.com,example.com,.example.com", {"wildcard:*.example.com"}},
      {"a, b", {"space: b"}},
      {"a b", {"space:a b"}},
      {"example.com,.example.com example.net",
       {"missing-pair:example.com", "space:.example.com example.net", "missing-pair:example.net"}},
      {"10.64.0.0/16", {"cidr-only:10.64.0.0/16"}},
      {"10.64.0.0/16,10.64.0.9", {}},
      {"127.0.0.0/8,10.64.0.9", {"cidr-only:127.0.0.0/8"}},
      {"169.254.0.0/16,169.254.170.23", {"cidr-only:169.254.0.0/16"}},
      {"2001:db8::/32,127.0.0.1", {"cidr-only:2001:db8::/32"}},
      {"10.64.0.1/16", {"not-an-entry:10.64.0.1/16"}},
      {"10.64.0.0/33", {"not-an-entry:10.64.0.0/33"}},
      {"example.com", {"missing-pair:example.com"}},
      {".example.com", {"missing-pair:.example.com"}},
      {".svc,.cluster.local,.internal,.eu-west-2.compute.internal,kubernetes.default.svc", {}},
      {"example.com:443", {"port:example.com:443"}},
      {"https://example.com", {"not-an-entry:https://example.com"}},
      {"example.com/path", {"not-an-entry:example.com/path"}},
      {"example.com.", {"not-an-entry:example.com."}},
      {"127.1", {"not-an-entry:127.1"}},
      {"10.*", {"not-an-entry:10.*"}},
      {"::1", {"bracket-pair:::1"}},
      {"[::1]", {"bracket-pair:[::1]"}},
      {"::1,[::1]", {}},
      {"a,b,A", {"twice:a"}},
  };
  for (const Row& row : rows) EXPECT_EQ(found(row.value), row.findings) << row.value;
}

TEST(Lint, FindsAwsNamesThatLeadNowhere) {
  const VpcEndpoints endpoints{"eu-west-2", {"s3", "sts"}};
  const std::string s3 = "s3.eu-west-2.amazonaws.com,.s3.eu-west-2.amazonaws.com";
  EXPECT_THAT(found(s3 + ",sts.eu-west-2.amazonaws.com", endpoints), testing::IsEmpty());
  EXPECT_THAT(found("bucket.s3.eu-west-2.amazonaws.com", endpoints), testing::IsEmpty());
  EXPECT_THAT(found(s3), testing::ElementsAre("black-hole:s3.eu-west-2.amazonaws.com",
                                              "black-hole:.s3.eu-west-2.amazonaws.com"));
  for (const std::string entry :
       {"amazonaws.com", "eu-west-2.amazonaws.com", "ec2.eu-west-2.amazonaws.com",
        "sts.eu-west-1.amazonaws.com", "sts.amazonaws.com", "s3.amazonaws.com",
        "eks.eu-west-2.amazonaws.com"}) {
    EXPECT_THAT(found(entry, endpoints), testing::Contains("black-hole:" + entry));
    EXPECT_THAT(found("." + entry, endpoints), testing::Contains("black-hole:." + entry));
    EXPECT_THAT(found("*." + entry, endpoints), testing::Contains("black-hole:*." + entry));
  }
  // To add the other half of a pair would only black-hole more.
  EXPECT_THAT(found(".amazonaws.com"), testing::ElementsAre("black-hole:.amazonaws.com"));
  EXPECT_THAT(found("0a1b.gr7.eu-west-2.eks.amazonaws.com", endpoints), testing::IsEmpty());
  const auto control = lint("eks.eu-west-2.amazonaws.com", endpoints);
  EXPECT_THAT(control.at(0).text, testing::HasSubstr("EKS control API"));
}

TEST(Lint, ComparesTheTwoVariables) {
  EXPECT_FALSE(lint_case(std::nullopt, std::nullopt));
  EXPECT_FALSE(lint_case("a", "a"));
  EXPECT_EQ(lint_case("a", std::nullopt)->pitfall, Pitfall::kCaseDiffers);
  EXPECT_EQ(lint_case("a", "b")->pitfall, Pitfall::kCaseDiffers);
}

}  // namespace
}  // namespace ebbgate::noproxy
