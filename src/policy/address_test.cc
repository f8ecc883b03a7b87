#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "policy/address_class.h"
#include "policy/address_guard.h"
#include "policy/detail/test_documents.h"

namespace ebbgate::policy {
namespace {

using detail::address;
using detail::at;
using detail::cidr;
using detail::client;
using detail::compiled;
using detail::decide_tunnel;
using detail::document;
using detail::entry;
using detail::host;
using detail::port;
using testing::HasSubstr;

TEST(SpecialBlock, FollowsTheRegistriesToTheEdgesOfEachBlock) {
  struct Row {
    std::string_view first;
    std::string_view last;
    std::string_view name;
  };
  for (const Row& row : {
           Row{"0.0.0.0", "0.255.255.255", "this host"},
           Row{"10.0.0.0", "10.255.255.255", "private"},
           Row{"100.64.0.0", "100.127.255.255", "shared"},
           Row{"127.0.0.0", "127.255.255.255", "loopback"},
           Row{"169.254.0.0", "169.254.255.255", "link-local"},
           Row{"172.16.0.0", "172.31.255.255", "private"},
           Row{"192.0.0.0", "192.0.0.255", "IETF"},
           Row{"192.0.2.0", "192.0.2.255", "documentation"},
           Row{"192.88.99.0", "192.88.99.255", "6to4"},
           Row{"192.168.0.0", "192.168.255.255", "private"},
           Row{"198.18.0.0", "198.19.255.255", "benchmarking"},
           Row{"198.51.100.0", "198.51.100.255", "documentation"},
           Row{"203.0.113.0", "203.0.113.255", "documentation"},
           Row{"224.0.0.0", "239.255.255.255", "multicast"},
           Row{"240.0.0.0", "255.255.255.255", "reserved"},
           Row{"::", "::", "unspecified"},
           Row{"::1", "::1", "loopback"},
           Row{"::2", "::ffff:ffff", "IPv4-compatible"},
           Row{"::ffff:0:0", "::ffff:ffff:ffff", "IPv4-mapped"},
           Row{"64:ff9b:1::", "64:ff9b:1:ffff:ffff:ffff:ffff:ffff", "local-use translation"},
           Row{"100::", "100::ffff:ffff:ffff:ffff", "discard"},
           Row{"2001::", "2001:0:ffff:ffff:ffff:ffff:ffff:ffff", "Teredo"},
           Row{"2001:2::", "2001:2:0:ffff:ffff:ffff:ffff:ffff", "benchmarking"},
           Row{"2001:1::", "2001:1ff:ffff:ffff:ffff:ffff:ffff:ffff", "IETF"},
           Row{"2001:db8::", "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff", "documentation"},
           Row{"2002::", "2002:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "6to4"},
           Row{"3fff::", "3fff:fff:ffff:ffff:ffff:ffff:ffff:ffff", "documentation"},
           Row{"4000::", "5eff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "reserved"},
           Row{"5f00::", "5f00:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "segment routing"},
           Row{"fc00::", "fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "unique local"},
           Row{"fe80::", "febf:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "link-local"},
           Row{"fec0::", "feff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "site-local"},
           Row{"ff00::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "multicast"},
       }) {
    for (const auto text : {row.first, row.last}) {
      const auto block = special_block(address(text));
      ASSERT_TRUE(block) << text;
      EXPECT_THAT(std::string(block->name), HasSubstr(std::string(row.name))) << text;
      EXPECT_TRUE(block->block.contains(address(text)));
    }
  }
}

TEST(SpecialBlock, LeavesWhatThePublicInternetRoutes) {
  for (const std::string_view text : {"1.0.0.0",
                                      "9.255.255.255",
                                      "11.0.0.0",
                                      "100.63.255.255",
                                      "100.128.0.0",
                                      "126.255.255.255",
                                      "128.0.0.0",
                                      "169.253.255.255",
                                      "169.255.0.0",
                                      "172.15.255.255",
                                      "172.32.0.0",
                                      "191.255.0.1",
                                      "192.0.1.0",
                                      "192.0.3.0",
                                      "192.167.255.255",
                                      "192.169.0.0",
                                      "198.17.255.255",
                                      "198.20.0.0",
                                      "203.0.112.255",
                                      "203.0.114.0",
                                      "223.255.255.255",
                                      "8.8.8.8",
                                      "2000::",
                                      "2001:200::",
                                      "2001:4860:4860::8888",
                                      "2003::1",
                                      "2600:1f00::1",
                                      "3ffe::1",
                                      "3fff:1000::",
                                      "64:ff9b::1"}) {
    EXPECT_FALSE(special_block(address(text))) << text;
  }
}

std::vector<std::string> readings(std::string_view text, std::vector<Cidr> nat64 = {}) {
  std::vector<std::string> all;
  for (const IpAddress& reading : Readings(address(text), nat64)) all.push_back(reading.str());
  return all;
}

TEST(Readings, FindTheIpv4AddressInsideAnIpv6One) {
  using testing::ElementsAre;
  EXPECT_THAT(readings("10.0.0.1"), ElementsAre("10.0.0.1"));
  EXPECT_THAT(readings("2001:db8::1"), ElementsAre("2001:db8::1"));
  EXPECT_THAT(readings("::ffff:10.0.0.1"), ElementsAre("::ffff:10.0.0.1", "10.0.0.1"));
  EXPECT_THAT(readings("::1"), ElementsAre("::1")) << "no IPv4-compatible address";
  EXPECT_THAT(readings("::10.0.0.1"), ElementsAre("::10.0.0.1", "10.0.0.1"));
  EXPECT_THAT(readings("64:ff9b::10.0.0.1"), ElementsAre("64:ff9b::a00:1", "10.0.0.1"));
  EXPECT_THAT(readings("2002:a00:1::5"), ElementsAre("2002:a00:1::5", "10.0.0.1"));
  EXPECT_THAT(readings("2001:0:4136:e378:8000:63bf:f5ff:fffe"),
              ElementsAre("2001:0:4136:e378:8000:63bf:f5ff:fffe", "65.54.227.120", "10.0.0.1"));
  EXPECT_THAT(readings("64:ff9b:1::10.0.0.1"), ElementsAre("64:ff9b:1::a00:1", "10.0.0.1"));
  EXPECT_THAT(readings("64:ff9b:1:a00:0:100::"), ElementsAre("64:ff9b:1:a00:0:100::", "10.0.0.1"));
}

TEST(Readings, KnowTheTranslationPrefixesOfTheNetwork) {
  // RFC 6052 2.4: 192.0.2.33 under each length of prefix.
  for (const auto& [text, prefix] : std::initializer_list<std::pair<const char*, const char*>>{
           {"2001:db8:c000:221::", "2001:db8::/32"},
           {"2001:db8:1c0:2:21::", "2001:db8:100::/40"},
           {"2001:db8:122:c000:2:2100::", "2001:db8:122::/48"},
           {"2001:db8:122:3c0:0:221::", "2001:db8:122:300::/56"},
           {"2001:db8:122:344:c0:2:2100::", "2001:db8:122:344::/64"},
           {"2001:db8:122:344::192.0.2.33", "2001:db8:122:344::/96"}}) {
    EXPECT_THAT(readings(text, {cidr(prefix)}), testing::Contains("192.0.2.33")) << prefix;
    EXPECT_THAT(readings(text), testing::SizeIs(1));
  }
}

// "free", or what forbids the address on port 443.
std::string judged(const AddressGuard& guard, std::string_view text,
                   std::vector<Cidr> opted_in = {}, std::uint32_t on_port = 443) {
  const auto obstacle = guard.judge(address(text), port(on_port), opted_in);
  return obstacle ? std::string(obstacle->what) : "free";
}

TEST(AddressGuard, ForbidsSpecialAddressesHoweverTheyAreDressed) {
  const AddressGuard guard;
  for (const std::string_view text :
       {"127.0.0.1", "10.0.0.1", "169.254.1.1", "::1", "::", "0.0.0.0", "fe80::1", "fd12::1",
        "::ffff:10.0.0.1", "::127.0.0.1", "64:ff9b::127.0.0.1", "64:ff9b::a00:1",
        "64:ff9b:1::808:808", "2002:a00:1::", "2002:808:808::", "2001:0:1::1", "ff02::1",
        "255.255.255.255"}) {
    EXPECT_NE(judged(guard, text), "free") << text;
  }
  for (const std::string_view text : {"8.8.8.8", "2600:1f00::1", "64:ff9b::8.8.8.8"}) {
    EXPECT_EQ(judged(guard, text), "free") << text;
  }
}

TEST(AddressGuard, OptsInWhatIsNamedForTheAddressAndTheOneInside) {
  const AddressGuard guard;
  EXPECT_EQ(judged(guard, "10.9.0.7", {cidr("10.9.0.0/24")}), "free");
  EXPECT_NE(judged(guard, "10.9.1.7", {cidr("10.9.0.0/24")}), "free");
  EXPECT_EQ(judged(guard, "64:ff9b::10.9.0.7", {cidr("10.9.0.0/24")}), "free");
  EXPECT_NE(judged(guard, "64:ff9b::10.9.0.7", {cidr("64:ff9b::/96")}), "free");
  EXPECT_NE(judged(guard, "::ffff:10.9.0.7", {cidr("10.9.0.0/24")}), "free");
  EXPECT_EQ(judged(guard, "::ffff:10.9.0.7", {cidr("10.9.0.0/24"), cidr("::ffff:0:0/96")}), "free");
  const AddressGuard lax({.allow_private = {cidr("192.168.0.0/16")},
                          .inside = {},
                          .own = {},
                          .listeners = {},
                          .nat64 = {}});
  EXPECT_EQ(judged(lax, "192.168.1.1"), "free");
  EXPECT_NE(judged(lax, "10.0.0.1"), "free");
}

TEST(AddressGuard, NeverOpensTheAgentsOrItsOwnListeners) {
  const std::vector<Cidr> everything = {cidr("0.0.0.0/0"), cidr("::/0")};
  const AddressGuard guard(
      {.allow_private = everything,
       .inside = {},
       .own = {cidr("10.0.0.5"), cidr("198.51.100.9")},
       .listeners = {*Endpoint::parse("0.0.0.0:3128"), *Endpoint::parse("10.0.0.6:3129")},
       .nat64 = {cidr("2001:db8:64::/96")}});
  struct Row {
    std::string_view text;
    std::uint32_t on_port;
    std::string_view what;
  };
  for (const Row& row : {
           Row{"169.254.169.254", 80, "the metadata service"},
           Row{"fd00:ec2::254", 80, "the metadata service"},
           Row{"::ffff:169.254.169.254", 80, "the metadata service"},
           Row{"64:ff9b::a9fe:a9fe", 80, "the metadata service"},
           Row{"2002:a9fe:a9fe::", 80, "the metadata service"},
           Row{"2001:db8:64::a9fe:a9fe", 80, "the metadata service"},
           Row{"169.254.170.23", 80, "the Pod Identity agent"},
           Row{"fd00:ec2::23", 80, "the Pod Identity agent"},
           Row{"169.254.170.2", 80, "the container credentials agent"},
           Row{"127.0.0.1", 3128, "the gateway's own listener"},
           Row{"127.8.8.8", 3128, "the gateway's own listener"},
           Row{"::1", 3128, "the gateway's own listener"},
           Row{"0.0.0.0", 3128, "the gateway's own listener"},
           Row{"::", 3129, "the gateway's own listener"},
           Row{"10.0.0.5", 3128, "the gateway's own listener"},
           Row{"198.51.100.9", 3128, "the gateway's own listener"},
           Row{"10.0.0.6", 3129, "the gateway's own listener"},
           Row{"::ffff:10.0.0.6", 3129, "the gateway's own listener"},
           Row{"10.0.0.5", 22, "free"},
           Row{"127.0.0.1", 22, "free"},
           Row{"10.0.0.6", 3128, "free"},
           Row{"169.254.169.253", 80, "free"},
       }) {
    EXPECT_EQ(judged(guard, row.text, everything, row.on_port), row.what) << row.text;
  }
}

TEST(AddressGuard, ForbidsTheHousesOwnNetworksAndAddresses) {
  const AddressGuard guard({.allow_private = {},
                            .inside = {cidr("2600:1f18::/32"), cidr("52.0.0.0/16")},
                            .own = {cidr("54.1.2.3")},
                            .listeners = {},
                            .nat64 = {cidr("2600:64::/96")}});
  EXPECT_EQ(judged(guard, "2600:1f18::1"), "inside the network");
  EXPECT_EQ(judged(guard, "52.0.3.4"), "inside the network");
  EXPECT_EQ(judged(guard, "64:ff9b::3400:304"), "inside the network");
  EXPECT_EQ(judged(guard, "52.0.3.4", {cidr("52.0.3.0/24")}), "free");
  EXPECT_EQ(judged(guard, "54.1.2.3"), "an address of the gateway's fleet");
  EXPECT_EQ(judged(guard, "2600:64::8.8.8.8"), "free");
  EXPECT_NE(judged(guard, "2600:64::10.0.0.1"), "free");
}

TEST(AddressGuard, TakesAListedLiteralInsideASpecialBlockForAnOptIn) {
  const AddressGuard guard;
  const auto ask = [&](std::string_view text, std::string_view pattern) {
    const Cidr literal = cidr(pattern);
    return !guard.judge(address(text), port(443), {}, &literal).has_value();
  };
  EXPECT_TRUE(ask("10.1.2.3", "10.1.2.3"));
  EXPECT_TRUE(ask("10.1.2.3", "10.0.0.0/8"));
  EXPECT_TRUE(ask("127.0.0.1", "127.0.0.1"));
  EXPECT_TRUE(ask("fd12::1", "fd12::/16"));
  EXPECT_FALSE(ask("10.1.2.3", "0.0.0.0/0"));
  EXPECT_FALSE(ask("10.1.2.3", "8.0.0.0/5"));
  EXPECT_FALSE(ask("fd12::1", "::/0"));
  EXPECT_FALSE(ask("169.254.169.254", "169.254.169.254"));
  EXPECT_FALSE(ask("64:ff9b::10.0.0.1", "64:ff9b::a00:1")) << "the address inside is not named";
}

class JudgeAddress : public testing::Test {
 protected:
  // Whether that address may be dialed for a request to `target`, "host:port".
  AddressJudgement judge(const Policy& policy, std::string_view target, std::string_view text) {
    const auto authority = Authority::parse(target);
    const Decision decision = decide_tunnel(policy, target);
    EXPECT_NE(decision.verdict, Verdict::kDeny) << target;
    return judge_address(policy, guard_, client("10.0.0.1"), authority->host, decision,
                         address(text), authority->port, at(0));
  }
  AddressGuard guard_;
};

TEST_F(JudgeAddress, OpensASpecialAddressOnlyToTheEntryThatNamesIt) {
  Entry inside = entry({"a.example"});
  inside.addresses = {cidr("10.9.0.0/24")};
  const auto policy = compiled({document({inside, entry({"b.example", "10.1.2.3", "0.0.0.0/0"})})});
  EXPECT_EQ(judge(*policy, "a.example:443", "10.9.0.1").reason, Reason::kAllowed);
  EXPECT_EQ(judge(*policy, "a.example:443", "10.8.0.1").reason, Reason::kForbiddenAddress);
  EXPECT_EQ(judge(*policy, "b.example:443", "10.9.0.1").reason, Reason::kForbiddenAddress);
  EXPECT_EQ(judge(*policy, "b.example:443", "10.9.0.1").what, "private (RFC 1918)");
  EXPECT_EQ(judge(*policy, "b.example:443", "8.8.8.8").reason, Reason::kAllowed);
  // A name that leads to a listed literal is still a name.
  EXPECT_EQ(judge(*policy, "b.example:443", "10.1.2.3").reason, Reason::kForbiddenAddress);
  EXPECT_EQ(judge(*policy, "10.1.2.3:443", "10.1.2.3").reason, Reason::kAllowed);
  EXPECT_EQ(judge(*policy, "10.1.2.4:443", "10.1.2.4").reason, Reason::kForbiddenAddress);
  EXPECT_EQ(judge(*policy, "8.8.8.8:443", "8.8.8.8").reason, Reason::kAllowed);
}

TEST_F(JudgeAddress, RemovesResolvedAddressesThatADenyEntryNames) {
  Entry web_only = entry({"9.9.9.0/24"});
  web_only.ports = {{80, 80}};
  const auto policy =
      compiled({document({entry({"a.example", "::/0"})}, {entry({"8.8.8.0/24"}), web_only})});
  EXPECT_EQ(judge(*policy, "a.example:443", "8.8.4.4").reason, Reason::kAllowed);
  EXPECT_EQ(judge(*policy, "a.example:80", "9.9.9.9").reason, Reason::kForbiddenAddress);
  EXPECT_EQ(judge(*policy, "a.example:443", "9.9.9.9").reason, Reason::kAllowed);
  for (const std::string_view text : {"8.8.8.8", "64:ff9b::8.8.8.8"}) {
    const AddressJudgement judgement = judge(*policy, "a.example:443", text);
    EXPECT_EQ(judgement.reason, Reason::kForbiddenAddress);
    ASSERT_TRUE(judgement.denied_by);
    EXPECT_EQ(policy->cite(*judgement.denied_by).pattern, "8.8.8.0/24");
    EXPECT_TRUE(policy->cite(*judgement.denied_by).denies);
  }
}

TEST_F(JudgeAddress, IsNeverRelaxedByReportMode) {
  Document reporting = document({entry({"a.example"})}, {entry({"8.8.8.0/24"})});
  reporting.mode = Mode::kReport;
  const auto policy = compiled({reporting});
  EXPECT_EQ(judge(*policy, "other.example:443", "10.0.0.1").reason, Reason::kForbiddenAddress);
  EXPECT_EQ(judge(*policy, "other.example:443", "8.8.8.8").reason, Reason::kForbiddenAddress);
  EXPECT_EQ(judge(*policy, "other.example:443", "9.9.9.9").reason, Reason::kAllowed);
  EXPECT_EQ(judge(*policy, "8.8.8.8:443", "8.8.8.8").reason, Reason::kAllowed)
      << "a denied literal is reported, and let pass";
  EXPECT_EQ(judge(*policy, "127.0.0.1:443", "127.0.0.1").reason, Reason::kForbiddenAddress);
}

TEST_F(JudgeAddress, KeepsOnlyTheEntriesThatAdmitTheAddress) {
  Entry inside = entry({".example"});
  inside.addresses = {cidr("10.9.0.0/24")};
  Entry lax = entry({"a.example"});
  lax.tls = TlsRule::kOff;
  const auto policy = compiled({document({inside, lax})});
  const AddressJudgement in_house = judge(*policy, "a.example:443", "10.9.0.1");
  ASSERT_EQ(in_house.admissions.all().size(), 1U);
  EXPECT_EQ(policy->terms(in_house.admissions.all()[0].terms).tls, TlsRule::kRequire);
  EXPECT_EQ(judge(*policy, "a.example:443", "8.8.8.8").admissions.all().size(), 2U);
}

}  // namespace
}  // namespace ebbgate::policy
