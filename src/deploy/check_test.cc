// Each row is the sample with one line changed, and what is said of it: where, what, what to do.
#include "deploy/check.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <string>
#include <vector>

#include "config/settings.h"

namespace ebbgate::deploy {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;

std::string sample() {
  return *config::read_file(std::string(EBBGATE_SOURCE_DIR) + "/deploy/eks.yaml");
}

// The sample with the first line that holds `at` replaced.
std::string with(const std::string& at, const std::string& line) {
  std::string text = sample();
  const std::size_t found = text.find(at);
  EXPECT_NE(found, std::string::npos) << at;
  const std::size_t begin = found == 0 ? 0 : text.rfind('\n', found) + 1;
  const std::size_t end = text.find('\n', found);
  return text.replace(begin, end - begin, line);
}

std::vector<config::Problem> problems_of(const std::string& text,
                                         std::map<std::string, std::string> files = {}) {
  config::LoadedEks loaded = config::parse_eks(text, "eks.yaml");
  std::vector<config::Problem> all = loaded.problems;
  if (policy::has_errors(all)) return all;
  const auto read = [&](const std::string& path) -> std::expected<std::string, std::string> {
    const auto found = files.find(path);
    if (found == files.end()) return std::unexpected(std::string("it is not there"));
    return found->second;
  };
  for (auto& problem : check(loaded.settings, read).problems) all.push_back(std::move(problem));
  return all;
}

TEST(Check, TheSampleIsWithoutFault) {
  const auto problems = problems_of(sample());
  EXPECT_THAT(problems, IsEmpty()) << config::str(problems);
}

TEST(Check, TheSamplesAllowlistIsAPolicyOfItsBundlesAndDomains) {
  const auto loaded = config::parse_eks(sample(), "eks.yaml");
  const Checked checked = check(loaded.settings);
  EXPECT_THAT(checked.allowlist, HasSubstr("- bundle: ecr\n"));
  EXPECT_THAT(checked.allowlist, HasSubstr("region: \"eu-west-2\""));
  EXPECT_THAT(checked.allowlist, HasSubstr("- \".example.com:443\"\n"));
}

struct Row {
  const char* what;
  const char* at;    // what the line to be changed holds
  const char* line;  // what stands there instead
  const char* said;  // a part of `file:line:column: severity: message; fix`
  const char* fix;   // another part of it
};

class Faults : public testing::TestWithParam<Row> {};

TEST_P(Faults, IsSaidWithItsPlaceAndWhatToDo) {
  const Row& row = GetParam();
  const auto problems = problems_of(with(row.at, row.line));
  const std::string all = config::str(problems);
  EXPECT_THAT(all, HasSubstr(row.said));
  EXPECT_THAT(all, HasSubstr(row.fix));
  for (const config::Problem& each : problems) EXPECT_FALSE(each.fix.empty()) << all;
}

constexpr const char* kCidr = "  cidr: 10.64.0.0/16";
constexpr const char* kZones = "  zones:";
constexpr const char* kServices = "  serviceCidr:";
constexpr const char* kEndpoints = "  endpoints:";
constexpr const char* kDomain = "  - api.github.com";

INSTANTIATE_TEST_SUITE_P(
    Blocks, Faults,
    testing::Values(
        Row{"the text's own block, which is public", kCidr, "  cidr: 172.32.0.0/16",
            "eks.yaml:8:9: error: the VPC's block 172.32.0.0/16 is public address space",
            "as in 10.64.0.0/16"},
        Row{"public", kCidr, "  cidr: 8.8.0.0/16", "eks.yaml:8:9: error: the VPC's block",
            "within 10.0.0.0/8"},
        Row{"more than the private block", kCidr, "  cidr: 172.0.0.0/8", "public address space",
            "as in"},
        Row{"too small", kCidr, "  cidr: 10.64.0.0/24",
            "eks.yaml:8:9: error: the VPC's block 10.64.0.0/24 is too small", "from /16 to /21"},
        Row{"too large", kCidr, "  cidr: 10.0.0.0/8", "is too large", "from /16 to /21"},
        Row{"of IPv6", kCidr, "  cidr: fd00::/16",
            "eks.yaml:8:9: error: the VPC's block is of IPv6", "as in 10.64.0.0/16"},
        Row{"host bits", kCidr, "  cidr: 10.64.1.0/16", "eks.yaml:8:9", "write 10.64.0.0/16"},
        Row{"no block", kCidr, "  cidr: ten", "eks.yaml:8:9", "write it as in"},
        Row{"services within the VPC", kServices, "  serviceCidr: 10.64.128.0/20",
            "eks.yaml:10:16: error: the service block 10.64.128.0/20 overlaps the VPC's block "
            "10.64.0.0/16",
            "choose another block"},
        Row{"services too small", kServices, "  serviceCidr: 10.100.0.0/28",
            "eks.yaml:10:16: error: the service block 10.100.0.0/28 is too small", "/12 to /24"},
        Row{"services public", kServices, "  serviceCidr: 11.0.0.0/16",
            "eks.yaml:10:16: error: the service block 11.0.0.0/16 is public", "10.0.0.0/8"},
        Row{"docker's bridge", kServices, "  serviceCidr: 172.17.0.0/16",
            "eks.yaml:10:16: warning: the service block 172.17.0.0/16 overlaps 172.17.0.0/16",
            "Docker"},
        Row{"the bastion's is the VPC's", "  cidr: 172.31", "  cidr: 10.64.0.0/20",
            "eks.yaml:15:9: error: the bastion's block 10.64.0.0/20 overlaps the VPC's block",
            "choose another"},
        Row{"the bastion's is the services'", "  cidr: 172.31", "  cidr: 10.100.0.0/16",
            "eks.yaml:15:9: error: the bastion's block 10.100.0.0/16 overlaps the service block",
            "choose another"}));

INSTANTIATE_TEST_SUITE_P(
    Places, Faults,
    testing::Values(
        Row{"another region's zone", kZones, "  zones: [eu-west-2a, eu-west-1b]",
            "eks.yaml:9:23: error: \"eu-west-1b\" is no zone of eu-west-2", "eu-west-2a"},
        Row{"a region for a zone", kZones, "  zones: [eu-west-2, eu-west-2b]",
            "eks.yaml:9:11: error: \"eu-west-2\" is no availability zone", "as in eu-west-2a"},
        Row{"one zone", kZones, "  zones: [eu-west-2a]", "eks.yaml:9:11: error: there is 1 zone",
            "EKS needs two"},
        Row{"four zones", kZones, "  zones: [eu-west-2a, eu-west-2b, eu-west-2c, eu-west-2d]",
            "there are 4 zones", "three"},
        Row{"a zone twice", kZones, "  zones: [eu-west-2a, eu-west-2a]", "stands there twice",
            "leave one out"},
        Row{"no zones", kZones, "  zones: []", "eks.yaml:9:10: error: `zones` is an empty list",
            "fill it"},
        Row{"a zone for a region", "region: eu-west-2", "region: eu-west-2a",
            "eks.yaml:4:9: error: \"eu-west-2a\" is no region", "write eu-west-2"},
        Row{"no region at all", "region: eu-west-2", "region: London", "is no region",
            "as in eu-west-2"},
        Row{"an unknown endpoint", kEndpoints, "  endpoints: [ec3]",
            "eks.yaml:11:15: error: \"ec3\" is no endpoint", "ecr.api"},
        Row{"an endpoint twice", kEndpoints, "  endpoints: [ec2, ec2]", "stands there twice",
            "leave one out"},
        Row{"the endpoint that is always there", kEndpoints, "  endpoints: [s3, ec2]",
            "warning: the endpoint of s3 is always there", "leave it out"}));

INSTANTIATE_TEST_SUITE_P(
    Domains, Faults,
    testing::Values(
        Row{"a URL", kDomain, "  - https://api.github.com/x", "eks.yaml:22:5: error: ", "write "},
        Row{"a path", kDomain, "  - github.com/acme", "eks.yaml:22:5: error: ", "write "},
        Row{"a star in the middle", kDomain, "  - api.*.com", "eks.yaml:22:5: error: ", ""},
        Row{"a blank", kDomain, "  - \"api.github.com gist.github.com\"", "eks.yaml:22:5", ""},
        Row{"a trailing dot", kDomain, "  - api.github.com.", "eks.yaml:22:5", ""},
        Row{"host bits", kDomain, "  - 198.51.100.7/24", "eks.yaml:22:5", ""},
        Row{"a port that is none", kDomain, "  - api.github.com:99999", "eks.yaml:22:5", ""},
        Row{"an unknown bundle", "bundles:", "bundles: [docker-hubb]",
            "eks.yaml:20:11: error: there is no bundle \"docker-hubb\"", "write docker-hub"},
        Row{"a policy that is not there", "domains:", "policy: missing.yaml\ndomains:",
            "eks.yaml:21:9: error: missing.yaml: it is not there", "relative to this file"}));

INSTANTIATE_TEST_SUITE_P(
    Values, Faults,
    testing::Values(
        Row{"an unknown key", "nodes:", "nodez:", "eks.yaml:35:1: error: unknown key \"nodez\"",
            "write `nodes`"},
        Row{"an unknown key below", "  serviceCidr:", "  servicesCidr: 10.100.0.0/16",
            "eks.yaml:10:3: error: unknown key \"servicesCidr\" in `network`",
            "write `serviceCidr`"},
        Row{"a version without quotes", "version:", "version: 1.30",
            "eks.yaml:5:10: error: `version` is not in quotes", "write \"1.30\""},
        Row{"an old version", "version:", "version: \"1.14\"",
            "eks.yaml:5:10: error: Kubernetes 1.14 gets no new clusters", "\"1.35\""},
        Row{"no version", "version:", "version: \"latest\"", "is no Kubernetes version", "1.35"},
        Row{"a version at the end of its support", "version:", "version: \"1.33\"", "warning",
            "extended support"},
        Row{"a name that no stack takes", "name: EKSdemo", "name: eks_demo",
            "eks.yaml:3:7: error: \"eks_demo\" is no name", "letters, digits and -"},
        Row{"fewer gateways than zones", "  min: 2", "  min: 1",
            "eks.yaml:26:8: error: `min` is 1, with 2 zones", "at least 2"},
        Row{"more at least than at most", "  max: 4", "  max: 1",
            "eks.yaml:27:8: error: `max` 1 is less than `min` 2", "at least 2"},
        Row{"more addresses than the quota", "  max: 4", "  max: 9",
            "eks.yaml:27:8: error: 9 gateways, and one more while another drains, need 10 Elastic "
            "IPs",
            "nat"},
        Row{"more addresses than the default quota", "  max: 4", "  max: 5",
            "eks.yaml:27:8: warning: 5 gateways, and one more while another drains, need 6",
            "L-0263D0A3"},
        Row{"no room beside", "  max: 4", "  max: 2", "eks.yaml:27:8: error: `max` is as `min`",
            "at least 3"},
        Row{"a privileged port", "  addresses:", "  port: 80\n  addresses: eip",
            "eks.yaml:30:9: error: ", "write one"},
        Row{"Intel for arm64", "  instanceTypes: [c7g", "  instanceTypes: [c7i.large]",
            "eks.yaml:29:19: error: c7i.large is of x86-64", "c7g.large"},
        Row{"arm64 for Intel", "  architecture:", "  architecture: x86-64",
            "eks.yaml:29:19: error: c7g.medium is of arm64", "c7i.large"},
        Row{"an unknown word", "  addresses:", "  addresses: public",
            "eks.yaml:30:14: error: \"public\" is none of its values", "eip or nat"},
        Row{"a digest that is cut", "  sha256:", "  sha256: \"abc\"",
            "eks.yaml:33:11: error: \"abc\" is no SHA-256", "sha256sum"},
        Row{"nodes with room for 4 pods", "  instanceTypes: [m7g", "  instanceTypes: [t3.micro]",
            "eks.yaml:40:19: error: t3.micro has room for 4 pods", "larger"},
        Row{"nodes of two kinds", "  instanceTypes: [m7g",
            "  instanceTypes: [m7g.large, m7i.large]", "are of two architectures", "keep to one"},
        Row{"fewer wanted than at least", "  desired: 2", "  desired: 1",
            "eks.yaml:37:12: error: `desired` 1 is less than `min` 2", "desired: 2"},
        Row{"more wanted than at most", "  desired: 2", "  desired: 9",
            "`max` 4 is less than `desired` 9", "max: 9"},
        Row{"a session for a role",
            "  role:", "  role: arn:aws:sts::111122223333:assumed-role/bastion/me",
            "eks.yaml:16:9: error: ", "role's own ARN"},
        Row{"no id of a VPC", "  vpc:", "  vpc: default",
            "eks.yaml:14:8: error: \"default\" is no id", "vpc-0123456789abcdef0"},
        Row{"another account without a role", "  securityGroup:", "  account: \"444455556666\"",
            "another account has to accept the peering", "peerRole"},
        Row{"an account without quotes", "  securityGroup:", "  account: 111122223333",
            "eks.yaml:17:12: error: `account` is not in quotes", "write \"111122223333\""},
        Row{"a group of another region", "  cidr: 172.31",
            "  cidr: 172.31.0.0/16\n  region: eu-west-1", "a security group of another region",
            "leave it out"},
        Row{"an address that is none", "  email:", "  email: platform",
            "eks.yaml:43:10: error: \"platform\" is no e-mail address", "team@example.com"},
        Row{"a topic of another region",
            "  email:", "  topic: arn:aws:sns:us-east-1:111122223333:alerts",
            "eks.yaml:43:10: error: the topic is of another region", "eu-west-2"},
        Row{"a tag of AWS's", "tags:", "tags: {\"aws:team\": platform}",
            "eks.yaml:45:8: error: \"aws:team\" is no key of a tag", "aws:"}));

TEST(Check, SaysEverythingAtOnce) {
  std::string text = with(kCidr, "  cidr: 172.32.0.0/16");
  text.replace(text.find("eu-west-2b]"), 11, "eu-west-1b]");
  text.replace(text.find("  max: 4"), 8, "  max: 1");
  EXPECT_EQ(problems_of(text).size(), 3U) << config::str(problems_of(text));
}

TEST(Check, APolicyFilesFaultsHaveTheirPlaceInThatFile) {
  const auto problems =
      problems_of(with("domains:", "policy: policy.yaml\ndomains:"),
                  {{"policy.yaml",
                    "apiVersion: ebbgate.dev/v1alpha1\nkind: EgressPolicy\nmetadata: {name: a}\n"
                    "spec: {allow: [{hosts: [\"https://x/\"]}]}\n"}});
  EXPECT_THAT(config::str(problems), HasSubstr("policy.yaml:4:25: error: "));
}

TEST(Check, APolicyThatAParameterCannotHoldIsRefused) {
  std::string domains = "domains:\n";
  for (int i = 0; i < 400; ++i) domains += "  - host-" + std::to_string(i) + ".example.net\n";
  EXPECT_THAT(config::str(problems_of(with("domains:", domains + "  - x.example.com"))),
              HasSubstr("and a parameter of a stack holds 4096"));
}

TEST(Check, NothingAboutTheClusterIsSaidTwice) {
  const auto problems = problems_of("name: a\n");
  EXPECT_EQ(problems.size(), 4U) << config::str(problems);  // region, network, gateway, domains
}

}  // namespace
}  // namespace ebbgate::deploy
