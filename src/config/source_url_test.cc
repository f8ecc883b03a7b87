#include "config/source_url.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace ebbgate::config {
namespace {

TEST(SourceUrl, NamesWhereAPolicyIsKept) {
  struct Case {
    const char* text;
    SourceKind kind;
    const char* bucket;
    const char* name;
  };
  const Case cases[] = {
      {"https://policies.example/a.yaml?v=1", SourceKind::kHttps, "", ""},
      {"https://[2001:db8::1]:8443/p", SourceKind::kHttps, "", ""},
      {"ssm:///ebbgate/policy", SourceKind::kSsm, "", "/ebbgate/policy"},
      {"ssm://policy", SourceKind::kSsm, "", "policy"},
      {"ssm://arn:aws:ssm:eu-west-2:123456789012:parameter/p", SourceKind::kSsm, "",
       "arn:aws:ssm:eu-west-2:123456789012:parameter/p"},
      {"s3://my-bucket/dir/p.yaml", SourceKind::kS3, "my-bucket", "dir/p.yaml"},
      {"secretsmanager://allowlist", SourceKind::kSecretsManager, "", "allowlist"},
      {"secretsmanager://team/list+a=b@c", SourceKind::kSecretsManager, "", "team/list+a=b@c"},
  };
  for (const Case& each : cases) {
    SCOPED_TRACE(each.text);
    const auto url = parse_source_url(each.text);
    ASSERT_TRUE(url) << policy::str(url.error());
    EXPECT_EQ(url->kind, each.kind);
    EXPECT_EQ(url->text, each.text);
    EXPECT_EQ(url->bucket, each.bucket);
    EXPECT_EQ(url->name, each.name);
  }
}

TEST(SourceUrl, RefusesAllElseWithTheFix) {
  struct Case {
    const char* text;
    const char* fix;
  };
  const Case cases[] = {
      {"", "ssm:///NAME"},
      {"policy.yaml", "--policy"},
      {"file:///policy.yaml", "--policy"},
      {"http://policies.example/", "write https://"},
      {"https://", "https://HOST/PATH"},
      {"https://a b/", "ASCII"},
      {"https://user:secret@a.example/", "leave it out"},
      {"https://a.example/#x", "leave out"},
      {"https://127.1/", "https://HOST/PATH"},
      {"ssm://", "ssm:///path"},
      {"ssm:///", "ssm:///path"},
      {"ssm:///a/", "ssm:///path"},
      {"ssm:///a//b", "ssm:///path"},
      {"ssm:///a b", "ASCII"},
      {"ssm:///a*", "ssm:///path"},
      {"ssm:///a:3", "write ssm:///a"},
      {"ssm://a:label", "write ssm://a"},
      {"ssm://arn:aws:ssm:eu-west-2:123456789012:parameter/p:3",
       "write ssm://arn:aws:ssm:eu-west-2:123456789012:parameter/p"},
      {"s3://bucket", "s3://BUCKET/KEY"},
      {"s3://bucket/", "s3://BUCKET/KEY"},
      {"s3://Bucket/key", "s3://BUCKET/KEY"},
      {"s3://b/key", "s3://BUCKET/KEY"},
      {"s3://bucket/key?versionId=1", "the key alone"},
      {"secretsmanager://", "secretsmanager://NAME"},
      {"secretsmanager://a?b", "secretsmanager://NAME"},
  };
  for (const Case& each : cases) {
    const auto url = parse_source_url(each.text);
    ASSERT_FALSE(url) << each.text;
    EXPECT_THAT(url.error().fix, ::testing::HasSubstr(each.fix)) << each.text;
    EXPECT_FALSE(url.error().message.empty());
  }
}

TEST(SourceUrl, ItsQueryIsNoBusinessOfMessages) {
  for (const char* text :
       {"https://a.example/p?token=SECRET#x", "https://u@a.example/?token=SECRET",
        "http://a.example/p?token=SECRET", "s3://bucket/key?token=SECRET"}) {
    const auto url = parse_source_url(text);
    ASSERT_FALSE(url);
    EXPECT_THAT(policy::str(url.error()), ::testing::Not(::testing::HasSubstr("SECRET")));
  }
  EXPECT_EQ(parse_source_url("https://a.example/p?token=SECRET")->shown(), "https://a.example/p");
  EXPECT_EQ(parse_source_url("ssm:///p")->shown(), "ssm:///p");
}

}  // namespace
}  // namespace ebbgate::config
