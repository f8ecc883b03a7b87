#include "noproxy/build.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "noproxy/aws_names.h"
#include "noproxy/dialects.h"
#include "noproxy/lint.h"

namespace ebbgate::noproxy {
namespace {

using testing::Contains;
using testing::Not;

ClusterFacts facts() {
  return {
      .vpc_cidrs = {*Cidr::parse("10.64.0.0/16"), *Cidr::parse("2600:1f13:a:b00::/56")},
      .service_cidrs = {*Cidr::parse("172.20.0.0/16")},
      .cluster_endpoint = *Hostname::parse("0A1B2C.gr7.eu-west-2.eks.amazonaws.com"),
      .region = "eu-west-2",
      .vpc_endpoints = {"s3", "ecr.api", "ecr.dkr", "sts", "eks-auth"},
      .extras = {".corp.example", "git.example", "10.64.0.9", "2001:db8::7", "192.0.2.0/24"},
  };
}

TEST(Build, WritesTheListOfACluster) {
  EXPECT_EQ(
      join(*build_entries(facts())),
      "localhost,127.0.0.1,::1,[::1],169.254.169.254,fd00:ec2::254,[fd00:ec2::254],"
      "169.254.170.23,fd00:ec2::23,[fd00:ec2::23],172.20.0.0/16,172.20.0.1,"
      "kubernetes.default.svc,.svc,.cluster.local,.internal,10.64.0.0/16,2600:1f13:a:b00::/56,"
      "0a1b2c.gr7.eu-west-2.eks.amazonaws.com,"
      "s3.eu-west-2.amazonaws.com,.s3.eu-west-2.amazonaws.com,"
      "s3.dualstack.eu-west-2.amazonaws.com,.s3.dualstack.eu-west-2.amazonaws.com,"
      "api.ecr.eu-west-2.amazonaws.com,.dkr.ecr.eu-west-2.amazonaws.com,"
      "sts.eu-west-2.amazonaws.com,eks-auth.eu-west-2.api.aws,"
      "corp.example,.corp.example,git.example,.git.example,10.64.0.9,2001:db8::7,[2001:db8::7],"
      "192.0.2.0/24");
}

TEST(Build, NamesTheApisServiceInTheFirstOfTwoBlocks) {
  ClusterFacts dual;
  dual.service_cidrs = {*Cidr::parse("fd00:1::/108"), *Cidr::parse("172.20.0.0/16")};
  EXPECT_THAT(
      join(*build_entries(dual)),
      testing::HasSubstr(",fd00:1::/108,fd00:1::1,[fd00:1::1],172.20.0.0/16,kubernetes.default"));
}

TEST(Build, NamesNoAwsServiceWithoutItsEndpoint) {
  ClusterFacts without = facts();
  without.vpc_endpoints = {};
  EXPECT_THAT(*build_entries(without),
              Not(Contains(testing::HasSubstr("s3.eu-west-2.amazonaws.com"))));
}

TEST(Build, WritesWhatItsOwnLinterHasNothingToSayOf) {
  const auto entries = build_entries(facts());
  for (const Finding& finding : lint(join(*entries), {"eu-west-2", facts().vpc_endpoints})) {
    ADD_FAILURE() << word(finding.pitfall) << ' ' << finding.entry << ' ' << finding.text;
  }
}

// What has to go direct does for every client; Java by its own form of the list.
TEST(Build, IsReadAlikeByEveryClient) {
  const auto entries = *build_entries(facts());
  for (const std::string_view url : {"http://localhost",
                                     "http://127.0.0.1",
                                     "http://[::1]",
                                     "http://169.254.169.254",
                                     "http://[fd00:ec2::254]",
                                     "http://169.254.170.23",
                                     "http://[fd00:ec2::23]",
                                     "https://172.20.0.1",
                                     "https://kubernetes.default.svc",
                                     "https://a.b.svc",
                                     "https://a.b.svc.cluster.local",
                                     "https://ip-10-64-0-1.eu-west-2.compute.internal",
                                     "https://0A1B2C.gr7.eu-west-2.eks.amazonaws.com",
                                     "https://s3.eu-west-2.amazonaws.com",
                                     "https://bucket.s3.eu-west-2.amazonaws.com",
                                     "https://api.ecr.eu-west-2.amazonaws.com",
                                     "https://111122223333.dkr.ecr.eu-west-2.amazonaws.com",
                                     "https://eks-auth.eu-west-2.api.aws",
                                     "https://corp.example",
                                     "https://a.corp.example"}) {
    const Target target = *Target::parse(url);
    for (const Client client : kClients) {
      const std::string value =
          client == Client::kJava ? java_non_proxy_hosts(entries) : join(entries);
      EXPECT_TRUE(ask(client, target, value).is_direct) << name(client) << ' ' << url;
    }
  }
  for (const std::string_view url :
       {"https://github.com", "https://eks.eu-west-2.amazonaws.com", "https://10.65.0.1",
        "https://bucket.s3.eu-west-1.amazonaws.com", "https://ec2.eu-west-2.amazonaws.com"}) {
    const Target target = *Target::parse(url);
    for (const Client client : kClients) {
      const std::string value =
          client == Client::kJava ? java_non_proxy_hosts(entries) : join(entries);
      EXPECT_FALSE(ask(client, target, value).is_direct) << name(client) << ' ' << url;
    }
  }
}

TEST(Build, RefusesWhatItDoesNotKnow) {
  const auto refused = [](const auto& change) {
    ClusterFacts changed = facts();
    change(changed);
    const auto entries = build_entries(changed);
    return entries ? "" : entries.error().detail;
  };
  using testing::HasSubstr;
  EXPECT_THAT(refused([](auto& f) { f.vpc_endpoints = {"s4"}; }), HasSubstr("'s4'"));
  EXPECT_THAT(refused([](auto& f) { f.region = "europe"; }), HasSubstr("'europe'"));
  EXPECT_THAT(refused([](auto& f) { f.extras = {"*.example.com"}; }), HasSubstr("*.example.com"));
  EXPECT_THAT(refused([](auto& f) { f.extras = {"a b"}; }), HasSubstr("'a b'"));
  EXPECT_THAT(refused([](auto& f) { f.extras = {""}; }), HasSubstr("''"));
}

TEST(Build, WritesBlocksForJavaByTheirOctets) {
  EXPECT_EQ(java_non_proxy_hosts({"10.0.0.0/8", "10.64.0.0/16", "192.0.2.0/24"}),
            "10.*|10.64.*|192.0.2.*");
  EXPECT_EQ(java_non_proxy_hosts({"10.64.0.0/15", "192.0.2.0/23"}),
            "10.64.*|10.65.*|192.0.2.*|192.0.3.*");
  EXPECT_EQ(java_non_proxy_hosts({"192.0.2.0/25", "2001:db8::/32", "0.0.0.0/0"}), "");
  EXPECT_EQ(java_non_proxy_hosts({"::1", "[::1]", ".svc", "localhost"}), "[::1]|*.svc|localhost");
}

TEST(AwsNames, KnowChinaAndTheNewDomain) {
  EXPECT_EQ(*private_names("sts", "cn-north-1"),
            std::vector<std::string>{"sts.cn-north-1.amazonaws.com.cn"});
  EXPECT_EQ(*private_names("eks-auth", "us-gov-west-1"),
            std::vector<std::string>{"eks-auth.us-gov-west-1.api.aws"});
}

TEST(AwsNames, TellPublicServicesFromWhatStandsInTheVpc) {
  for (const std::string_view name :
       {"amazonaws.com", "amazonaws.com.cn", "api.aws", "eu-west-2.amazonaws.com",
        "sts.eu-west-2.amazonaws.com", "api.ecr.eu-west-2.amazonaws.com", "sts.amazonaws.com",
        "eks.eu-west-2.amazonaws.com", "bucket.s3.amazonaws.com", "eks-auth.eu-west-2.api.aws",
        "s3.dualstack.us-gov-west-1.amazonaws.com"}) {
    EXPECT_TRUE(is_public_aws_name(name)) << name;
  }
  for (const std::string_view name :
       {"example.com", "notamazonaws.com", "0a1b.gr7.eu-west-2.eks.amazonaws.com",
        "eks.amazonaws.com", "lb-1.elb.eu-west-2.amazonaws.com", "elb.eu-west-2.amazonaws.com",
        "internal-lb.eu-west-2.elb.amazonaws.com", "db.x.eu-west-2.rds.amazonaws.com",
        "vpce-1.sts.eu-west-2.vpce.amazonaws.com", "fs-1.efs.eu-west-2.amazonaws.com"}) {
    EXPECT_FALSE(is_public_aws_name(name)) << name;
  }
}

}  // namespace
}  // namespace ebbgate::noproxy
