#include "policy/suffix.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "policy/detail/test_documents.h"
#include "policy/matches.h"

namespace ebbgate::policy {
namespace {

TEST(Suffix, TheRegistrableDomainIsWhereOneOwnerBegins) {
  const struct {
    std::string_view name, domain;
  } kRows[] = {
      {"a.b.example.com", "example.com"},
      {"example.com", "example.com"},
      {"com", ""},
      {"a.example.co.uk", "example.co.uk"},
      {"co.uk", ""},
      {"a.me.github.io", "me.github.io"},
      {"github.io", ""},
      {"bucket.s3.amazonaws.com", "bucket.s3.amazonaws.com"},
      {"sts.amazonaws.com", "amazonaws.com"},
      {"host.corp.internal", "corp.internal"},  // an unknown top-level name counts as public
      {"internal", ""},
  };
  for (const auto& row : kRows) EXPECT_EQ(row.domain, registrable_domain(row.name)) << row.name;
}

TEST(Suffix, SharedIsWhereStrangersHaveNames) {
  for (const std::string_view name :
       {"com", "co.uk", "github.io", "s3.amazonaws.com", "amazonaws.com", "cloudfront.net",
        "dkr.ecr.eu-west-2.amazonaws.com", "blob.core.windows.net", "googleapis.com", "internal"}) {
    EXPECT_TRUE(is_shared(name)) << name;
  }
  for (const std::string_view name :
       {"example.com", "me.github.io", "corp.internal", "notamazonaws.com", "docker.io"}) {
    EXPECT_FALSE(is_shared(name)) << name;
  }
}

TEST(Matches, AreAllThatFitNotOnlyTheOneThatDecides) {
  const auto policy = detail::compiled({detail::document(
      {detail::entry({".a.example", "x.a.example", "x.a.example:8443", "b.example"})},
      {detail::entry({"*.a.example"})})});
  std::vector<std::string> found;
  const Host asked = detail::host("x.a.example");
  visit_matches(*policy, detail::client("10.0.0.1"), {.host = asked, .port = kHttpsPort},
                detail::at(0), [&](PatternId id) { found.push_back(policy->cite(id).pattern); });
  std::ranges::sort(found);
  EXPECT_EQ((std::vector<std::string>{"*.a.example", ".a.example", "x.a.example"}), found);
}

}  // namespace
}  // namespace ebbgate::policy
