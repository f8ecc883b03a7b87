// What of a namespace's document counts: every way in which a host can lie to a delegation, and
// that nothing else of the document does more than it may.
#include "policy/delegation.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

#include "policy/detail/delegated_hosts.h"
#include "policy/detail/test_documents.h"

namespace ebbgate::policy {
namespace {

using detail::decide_tunnel;
using detail::document;
using detail::entry;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

const std::vector<PortRange> kDefaultPorts = {{80, 80}, {443, 443}};

Document delegating(std::vector<std::string> namespaces,
                    std::initializer_list<std::string_view> hosts,
                    std::vector<PortRange> ports = {}) {
  Document made = document({}, {}, "cluster");
  made.delegate = Delegation{
      .namespaces = std::move(namespaces), .hosts = entry(hosts).hosts, .ports = std::move(ports)};
  return made;
}

Document of_namespace(Document made, std::string name = "shop") {
  made.resource_namespace = std::move(name);
  return made;
}

std::vector<std::string> texts(const PatternList& hosts) {
  std::vector<std::string> out;
  for (std::size_t i = 0; i < hosts.size(); ++i) out.push_back(hosts[i].str());
  return out;
}

std::vector<std::string> says(const Acceptance& acceptance) {
  std::vector<std::string> out;
  for (const PolicyProblem& problem : acceptance.problems) out.push_back(str(problem));
  return out;
}

// What is left of one host, given to one entry of the namespace shop.
std::vector<std::string> left_of(const Entry& allow, const Document& cluster) {
  const Document own = of_namespace(document({allow}));
  const Delegated all = apply_delegation({cluster}, std::span(&own, 1), kDefaultPorts);
  if (all.documents.size() == 1) return {};
  return texts(all.documents.back().allow.front().hosts);
}

TEST(Delegation, LeavesOfAHostWhatIsDelegated) {
  struct Row {
    std::string_view host;
    std::string_view delegated;
    std::string_view left;  // empty: nothing
  };
  const Row rows[] = {
      // A name.
      {"a.example", "a.example", "a.example"},
      {"a.example", "b.example", ""},
      {"a.example", "a.example.com", ""},
      {"a.example", ".a.example", "a.example"},
      {"a.example", "*.a.example", ""},
      {"x.a.example", ".a.example", "x.a.example"},
      {"x.y.a.example", "*.a.example", "x.y.a.example"},
      {"xa.example", ".a.example", ""},
      {"x.a.example", "a.example", ""},
      // A name and all below it.
      {".a.example", ".a.example", ".a.example"},
      {".a.example", "*.a.example", "*.a.example|80,443"},
      {".a.example", "a.example", "a.example|80,443"},
      {".a.example", ".example", ".a.example"},
      {".a.example", "*.example", ".a.example"},
      {".a.example", "x.a.example", "x.a.example|80,443"},
      {".a.example", ".x.a.example", ".x.a.example|80,443"},
      {".a.example", "*.x.a.example", "*.x.a.example|80,443"},
      {".a.example", ".b.example", ""},
      {".a.example", "xa.example", ""},
      // All names below one.
      {"*.a.example", "*.a.example", "*.a.example"},
      {"*.a.example", ".a.example", "*.a.example"},
      {"*.a.example", "a.example", ""},
      {"*.a.example", "x.a.example", "x.a.example|80,443"},
      {"*.a.example", ".x.a.example", ".x.a.example|80,443"},
      {"*.x.a.example", "*.a.example", "*.x.a.example"},
      {"*.x.a.example", "x.a.example", ""},
      // Addresses.
      {"203.0.113.7", "203.0.113.0/24", "203.0.113.7"},
      {"203.0.113.0/24", "203.0.113.0/24", "203.0.113.0/24"},
      {"203.0.113.0/24", "203.0.113.7", "203.0.113.7/32|80,443"},
      {"203.0.113.7", "198.51.100.0/24", ""},
      {"203.0.113.7", "2001:db8::/32", ""},
      {"2001:db8::/32", "2001:db8:1::/48", "[2001:db8:1::/48]|80,443"},
      {"203.0.113.7", ".example", ""},
      {"a.example", "0.0.0.0/0", ""},
      // Ports.
      {"a.example:443", "a.example", "a.example:443"},
      {"a.example:8443", "a.example", ""},
      {"a.example", "a.example:443", "a.example|443"},
      {"a.example", "a.example:1-65535", "a.example"},
      {"a.example:8000-8100", "a.example:8050-9000", "a.example|8050-8100"},
      {".a.example:443", "x.a.example", "x.a.example|443"},
      {".a.example:443", "x.a.example:80", ""},
      {"[2001:db8::/32]:443", "2001:db8::/32", "[2001:db8::/32]:443"},
  };
  for (const Row& row : rows) {
    std::vector<std::string> expected;
    const std::size_t bar = row.left.find('|');
    if (bar == std::string_view::npos) {
      if (!row.left.empty()) expected.push_back(detail::pattern(row.left).str());
    } else {
      for (std::string_view ports = row.left.substr(bar + 1); !ports.empty();) {
        const std::size_t end = std::min(ports.find(','), ports.size());
        const std::string text = std::string(row.left.substr(0, bar)) + ":";
        expected.push_back(detail::pattern(text + std::string(ports.substr(0, end))).str());
        ports.remove_prefix(std::min(end + 1, ports.size()));
      }
    }
    EXPECT_EQ(left_of(entry({row.host}), delegating({"shop"}, {row.delegated})), expected)
        << row.host << " within " << row.delegated;
  }
}

TEST(Delegation, LetsPortsOfTheEntryMeetThoseOfTheDelegation) {
  Entry allow = entry({"a.example"});
  allow.ports = {{443, 443}, {8000, 8010}};
  EXPECT_THAT(left_of(allow, delegating({"shop"}, {".example"}, {{443, 8005}})),
              ElementsAre("a.example:443", "a.example:8000-8005"));
  EXPECT_THAT(left_of(allow, delegating({"shop"}, {".example"}, {{1, 65535}})),
              ElementsAre("a.example"));
  EXPECT_THAT(left_of(allow, delegating({"shop"}, {".example"}, {{22, 22}})), IsEmpty());
  EXPECT_THAT(left_of(allow, delegating({"shop"}, {".example"})), ElementsAre("a.example:443"));
}

TEST(Delegation, AddsUpWhatSeveralDocumentsDelegate) {
  const Document own = of_namespace(document({entry({"a.example", ".b.example"})}));
  const Delegated all = apply_delegation({delegating({"shop"}, {"a.example"}, {{80, 80}}),
                                          delegating({"*"}, {".example"}, {{443, 443}}),
                                          delegating({"other"}, {".example"}, {{1, 65535}})},
                                         std::span(&own, 1), kDefaultPorts);
  ASSERT_EQ(all.documents.size(), 4U);
  EXPECT_THAT(texts(all.documents[3].allow[0].hosts), ElementsAre("a.example", ".b.example:443"));
  EXPECT_EQ(all.acceptances[0].whole, 1U);
  EXPECT_EQ(all.acceptances[0].partly, 1U);
}

TEST(Delegation, IsForTheNamespacesThatItNames) {
  const Entry allow = entry({"a.example"});
  EXPECT_THAT(left_of(allow, delegating({"shop", "x"}, {"a.example"})), ElementsAre("a.example"));
  EXPECT_THAT(left_of(allow, delegating({"*"}, {"a.example"})), ElementsAre("a.example"));
  EXPECT_THAT(left_of(allow, delegating({"sho"}, {"a.example"})), IsEmpty());
  EXPECT_THAT(left_of(allow, delegating({"shop-2"}, {"a.example"})), IsEmpty());
  EXPECT_THAT(left_of(allow, document({entry({"a.example"})})), IsEmpty())
      << "what the cluster allows is not delegated";
}

TEST(Delegation, SaysWhyAHostDoesNotCount) {
  Document own =
      of_namespace(document({entry({"a.example", "b.example:22", ".example", "c.test"})}));
  const auto acceptance = [&](std::vector<Document> cluster) {
    return apply_delegation(std::move(cluster), std::span(&own, 1), kDefaultPorts).acceptances[0];
  };
  const Acceptance some = acceptance({delegating({"shop"}, {"a.example", "b.example"})});
  EXPECT_THAT(
      says(some),
      ElementsAre(
          "doc.yaml:2:1: warning: b.example:22 does not count: it is delegated to `shop` on "
          "other ports; name one of those",
          "doc.yaml:3:1: warning: .example counts only as a.example:80, a.example:443, "
          "b.example:80 and 1 more: that is what is delegated to `shop`; write that",
          "doc.yaml:4:1: warning: c.test does not count: it is not delegated to `shop`; ask "
          "for a ClusterEgressPolicy with `delegate`"));
  EXPECT_EQ(some.whole, 1U);
  EXPECT_EQ(some.partly, 1U);
  EXPECT_EQ(some.none, 2U);
  EXPECT_FALSE(some.is_whole());

  own.allow = {entry({"a.example"})};
  EXPECT_THAT(
      says(acceptance({document({entry({"a.example"})})})),
      ElementsAre("doc.yaml:1:1: warning: a.example does not count: nothing is delegated to "
                  "`shop`; ask for a ClusterEgressPolicy with `delegate`"));
  EXPECT_TRUE(acceptance({delegating({"shop"}, {"a.example"})}).is_whole());
}

TEST(Delegation, BindsADocumentToThePodsOfItsNamespace) {
  Document own = of_namespace(document({entry({"a.example"})}, {}, "web"));
  const Document cluster = delegating({"shop"}, {".example"});
  const auto bound = [&] { return apply_delegation({cluster}, std::span(&own, 1), kDefaultPorts); };
  Delegated all = bound();
  ASSERT_EQ(all.documents.size(), 2U);
  EXPECT_EQ(all.documents[0], cluster);
  EXPECT_EQ(all.documents[1].name, "shop/web");
  EXPECT_EQ(all.documents[1].file, "web.yaml");
  ASSERT_EQ(all.documents[1].subjects.size(), 1U);
  EXPECT_EQ(all.documents[1].subjects[0].pod_namespace, "shop");

  own.subjects = {SubjectRule{.service_account = "builder"},
                  SubjectRule{.pod_namespace = "shop", .pod_labels = {{"app", "web"}}},
                  SubjectRule{.pod_namespace = "other", .position = {.line = 7, .column = 3}},
                  SubjectRule{.cidr = detail::cidr("10.0.0.0/8"), .position = {8, 3}}};
  all = bound();
  ASSERT_EQ(all.documents[1].subjects.size(), 2U);
  for (const SubjectRule& rule : all.documents[1].subjects) {
    EXPECT_EQ(rule.pod_namespace, "shop");
    EXPECT_EQ(rule.cidr, std::nullopt);
  }
  EXPECT_THAT(says(all.acceptances[0]),
              ElementsAre("web.yaml:7:3: warning: a subject in `other` does not count in `shop`; "
                          "leave `namespace` out",
                          "web.yaml:8:3: warning: a subject that is no pod does not count in a "
                          "namespace; name pods by `serviceAccount` or `podLabels`"));

  own.subjects.erase(own.subjects.begin(), own.subjects.begin() + 2);
  own.deny = {entry({"b.example"})};
  EXPECT_EQ(bound().documents.size(), 1U)
      << "a document that is only for others must not become one for everyone, not even to deny";
}

TEST(Delegation, LetsDeniesCountAlways) {
  const Document own = of_namespace(document({entry({"a.test"})}, {entry({"b.test"})}));
  const Delegated all = apply_delegation({}, std::span(&own, 1), kDefaultPorts);
  ASSERT_EQ(all.documents.size(), 1U);
  EXPECT_THAT(all.documents[0].allow, IsEmpty());
  EXPECT_THAT(texts(all.documents[0].deny[0].hosts), ElementsAre("b.test"));
  EXPECT_EQ(all.acceptances[0].none, 1U);
}

TEST(Delegation, TakesNothingOfADocumentThatOnlyTheClusterMaySay) {
  Entry allow = entry({"a.example"});
  allow.sni = SniRule::kOff;
  allow.tls = TlsRule::kOff;
  allow.addresses = {detail::cidr("10.0.0.0/8")};
  allow.methods = {"GET"};
  allow.paths = {"/a/"};
  allow.expires = detail::at(9);
  allow.owner = "team";
  Document own = of_namespace(document({allow}));
  own.mode = Mode::kReport;
  own.delegate = Delegation{.namespaces = {"*"}, .hosts = entry({".test"}).hosts};
  const Delegated all =
      apply_delegation({delegating({"shop"}, {"a.example"})}, std::span(&own, 1), kDefaultPorts);
  const Document& bound = all.documents.at(1);
  EXPECT_EQ(bound.mode, Mode::kEnforce);
  EXPECT_EQ(bound.delegate, std::nullopt);
  Entry expected = entry({"a.example"});
  expected.methods = {"GET"};
  expected.paths = {"/a/"};
  expected.expires = detail::at(9);
  expected.owner = "team";
  EXPECT_EQ(bound.allow.at(0), expected);
}

TEST(Delegation, DoesNotPassOnWhatANamespaceDelegates) {
  Document first = of_namespace(document({entry({"a.example"})}, {}, "first"), "a");
  first.delegate = Delegation{.namespaces = {"*"}, .hosts = entry({".example"}).hosts};
  const std::vector<Document> own = {first, of_namespace(document({entry({"a.example"})}), "b")};
  EXPECT_THAT(apply_delegation({}, own, kDefaultPorts).documents, IsEmpty());
}

TEST(Delegation, IsWhatDecisionsAreMadeBy) {
  const Document own = of_namespace(document({entry({".example"})}, {entry({"no.a.example"})}));
  Document cluster = delegating({"shop"}, {".a.example"}, {{443, 443}});
  cluster.allow = {entry({"all.test"})};
  const auto policy =
      detail::compiled(apply_delegation({cluster}, std::span(&own, 1), kDefaultPorts).documents);
  const auto verdict = [&](std::string_view target, std::string_view pod_namespace) {
    Subject subject = detail::client("10.1.0.1");
    subject.pod = std::make_shared<const Pod>(
        Pod{.name = "x", .pod_namespace = std::string(pod_namespace), .labels = {}});
    return decide_tunnel(*policy, target, subject).verdict;
  };
  EXPECT_EQ(verdict("x.a.example:443", "shop"), Verdict::kAllow);
  EXPECT_EQ(verdict("x.a.example:443", "other"), Verdict::kDeny);
  EXPECT_EQ(verdict("x.a.example:80", "shop"), Verdict::kDeny);
  EXPECT_EQ(verdict("x.b.example:443", "shop"), Verdict::kDeny);
  EXPECT_EQ(verdict("no.a.example:443", "shop"), Verdict::kDeny);
  EXPECT_EQ(verdict("all.test:443", "other"), Verdict::kAllow);
}

TEST(Delegation, StopsAtADocumentThatStandsForTooMuch) {
  Document cluster = delegating({"*"}, {});
  for (int i = 0; i < 2000; ++i) {
    cluster.delegate->hosts.add(detail::pattern("h" + std::to_string(i) + ".example"));
  }
  Entry greedy;
  for (int port = 1; port <= 2000; ++port) {
    greedy.hosts.add(detail::pattern(".example:" + std::to_string(port)));
  }
  cluster.delegate->ports = {{1, 65535}};
  const Document own = of_namespace(document({greedy}));
  const Delegated all = apply_delegation({cluster}, std::span(&own, 1), kDefaultPorts);
  EXPECT_LE(all.documents.at(1).allow.at(0).hosts.size(), 50'000U);
  EXPECT_GT(all.acceptances[0].none, 0U);
  EXPECT_EQ(all.acceptances[0].problems.size(), 100U);
}

// Documents that allow, or deny, so many hosts of .example.
Document of_hosts(std::string name, std::string to_namespace, int allowed, int denied = 0) {
  Document made = of_namespace(document({}, {}, std::move(name)), std::move(to_namespace));
  const auto add = [&](std::vector<Entry>& entries, int count) {
    for (int i = 0; i < count; ++i) {
      if (i % 2 == 0) entries.emplace_back();
      entries.back().hosts.add(detail::pattern("h" + std::to_string(i) + ".example"));
    }
  };
  add(made.allow, allowed);
  add(made.deny, denied);
  return made;
}

// `evil/a allow 2 deny 1`, of each that is left.
std::vector<std::string> summary(const Delegated& all) {
  std::vector<std::string> out;
  for (const Document& each : all.documents) {
    if (each.resource_namespace.empty()) continue;
    std::size_t allowed = 0;
    std::size_t denied = 0;
    for (const Entry& entry : each.allow) allowed += entry.hosts.size();
    for (const Entry& entry : each.deny) denied += entry.hosts.size();
    out.push_back(each.name + (each.closes ? " closes" : "") + " allow " + std::to_string(allowed) +
                  " deny " + std::to_string(denied));
  }
  return out;
}

TEST(Delegation, HasRoomForSoManyPatternsOfANamespace) {
  const Document cluster = delegating({"*"}, {".example"});
  const DelegationLimits limits{.patterns_of_namespace = 10};
  const std::vector<Document> own = {of_hosts("c", "shop", 4), of_hosts("b", "shop", 5, 3),
                                     of_hosts("a", "other", 11), of_hosts("a", "shop", 0, 1)};
  const Delegated all = apply_delegation({cluster}, own, kDefaultPorts, limits);
  EXPECT_THAT(summary(all), ElementsAre("shop/c allow 1 deny 0", "shop/b allow 5 deny 3",
                                        "other/a allow 10 deny 0", "shop/a allow 0 deny 1"))
      << "denials first, and by the names of documents";
  EXPECT_EQ(all.acceptances[0].whole, 1U);
  EXPECT_EQ(all.acceptances[0].none, 3U);
  EXPECT_EQ(says(all.acceptances[0]).at(0),
            "c.yaml: warning: h1.example does not count: there is no room for it: the policies "
            "of `shop` may have 10 hosts in all; write fewer hosts");
  EXPECT_FALSE(all.acceptances[0].closes);
  EXPECT_TRUE(all.acceptances[1].is_whole());
  EXPECT_EQ(all.acceptances[2].none, 1U);
}

TEST(Delegation, CountsPartsAsThePatternsThatTheyAre) {
  Document cluster = delegating({"*"}, {"a.example", "b.example", "c.example"}, {{443, 443}});
  const std::vector<Document> own = {
      of_namespace(document({entry({".example", "a.example:443"})}))};
  const Delegated all =
      apply_delegation({cluster}, own, kDefaultPorts, {.patterns_of_namespace = 2});
  EXPECT_THAT(texts(all.documents.at(1).allow.at(0).hosts),
              ElementsAre("a.example:443", "b.example:443"));
  EXPECT_EQ(all.acceptances[0].partly, 1U);
  EXPECT_EQ(all.acceptances[0].none, 1U);
}

TEST(Delegation, ClosesANamespaceThatDeniesMoreThanThereIsRoomFor) {
  const Document cluster = delegating({"*"}, {".example"});
  std::vector<Document> own = {of_hosts("a", "shop", 1, 3), of_hosts("b", "shop", 2, 8),
                               of_hosts("a", "other", 1)};
  own[1].subjects = {SubjectRule{.service_account = "web"}};
  const Delegated all =
      apply_delegation({cluster}, own, kDefaultPorts, {.patterns_of_namespace = 10});
  EXPECT_THAT(summary(all), ElementsAre("shop/a allow 1 deny 3", "shop/b closes allow 0 deny 0",
                                        "other/a allow 1 deny 0"));
  EXPECT_THAT(all.documents.at(2).subjects, ElementsAre(SubjectRule{.pod_namespace = "shop"}));
  EXPECT_FALSE(all.acceptances[0].closes);
  EXPECT_TRUE(all.acceptances[1].closes);
  EXPECT_EQ(
      says(all.acceptances[1]).at(0),
      "b.yaml: warning: there is no room for the 8 hosts that it denies: the policies of "
      "`shop` may have 10 hosts in all; nothing that its pods ask for is let pass; deny fewer "
      "and wider hosts");

  own[1].subjects = {SubjectRule{.pod_namespace = "other"}};
  EXPECT_THAT(
      summary(apply_delegation({cluster}, own, kDefaultPorts, {.patterns_of_namespace = 10})),
      ElementsAre("shop/a allow 1 deny 3", "other/a allow 1 deny 0"))
      << "one that is about nobody takes nothing";
}

TEST(Delegation, HasRoomForSoManyPatternsOfAllNamespacesAndTheSmallComeFirst) {
  const Document cluster = delegating({"*"}, {".example"});
  const std::vector<Document> own = {of_hosts("x", "aaa", 6), of_hosts("x", "bbb", 0, 7),
                                     of_hosts("x", "zzz", 3)};
  const Delegated all = apply_delegation({cluster}, own, kDefaultPorts,
                                         {.patterns_of_namespace = 10, .patterns_of_all = 8});
  EXPECT_THAT(summary(all), ElementsAre("aaa/x allow 5 deny 0", "bbb/x closes allow 0 deny 0",
                                        "zzz/x allow 3 deny 0"));
  EXPECT_THAT(says(all.acceptances[0]).at(0),
              HasSubstr("the policies of all namespaces may have 8 hosts in all"));
}

TEST(Delegation, DoesSoMuchWorkForANamespaceHoweverManyDocumentsItHas) {
  Document cluster = delegating({"*"}, {}, {{1, 65535}});
  for (int i = 0; i < 400; ++i) {
    cluster.delegate->hosts.add(detail::pattern("h" + std::to_string(i) + ".example"));
  }
  std::vector<Document> own;
  for (int d = 0; d < 50; ++d) {
    Entry greedy;
    for (int i = 0; i < 50; ++i) {
      greedy.hosts.add(detail::pattern(".example:" + std::to_string(1000 + d * 50 + i)));
    }
    own.push_back(of_namespace(document({greedy}, {}, "p" + std::to_string(d)), "evil"));
  }
  own.push_back(of_namespace(document({entry({"h1.example"})}, {}, "z"), "shop"));
  const DelegationLimits limits{.work_of_namespace = 100'000};
  const Delegated all = apply_delegation({cluster}, own, kDefaultPorts, limits);
  std::size_t patterns = 0;
  for (const Document& each : std::span(all.documents).subspan(1)) {
    for (const Entry& entry : each.allow) patterns += entry.hosts.size();
  }
  EXPECT_LE(patterns, 10'001U);
  EXPECT_GT(patterns, 8'000U);
  EXPECT_THAT(says(all.acceptances[49]).at(0),
              HasSubstr("the hosts before it in `evil` stand for too many"));
  EXPECT_TRUE(all.acceptances[50].is_whole());
}

TEST(Delegation, IsQuickWhereManyNamespacesShareMuch) {
  Document cluster = delegating({"*"}, {});
  for (int i = 0; i < 10'000; ++i) {
    cluster.delegate->hosts.add(detail::pattern("h" + std::to_string(i) + ".example"));
  }
  std::vector<Document> own;
  for (int i = 0; i < 1000; ++i) {
    own.push_back(of_namespace(document({entry({"h7.example"})}), "n" + std::to_string(i)));
  }
  // One of its own for each: what all share is not made anew for each.
  std::vector<Document> delegations = {cluster};
  for (int i = 0; i < 1000; ++i) {
    delegations.push_back(delegating({"n" + std::to_string(i)}, {"own.example"}));
    own[static_cast<std::size_t>(i)].allow[0].hosts.add(detail::pattern("own.example"));
  }
  const Delegated all = apply_delegation(delegations, own, kDefaultPorts);
  EXPECT_EQ(all.documents.size(), 2001U);
  EXPECT_TRUE(std::ranges::all_of(all.acceptances, &Acceptance::is_whole));
}

TEST(Delegation, TakesAPolicyOfTenThousandHosts) {
  Entry allow;
  for (int i = 0; i < 10'000; ++i) {
    allow.hosts.add(detail::pattern("h" + std::to_string(i) + ".a.example"));
  }
  const Document own = of_namespace(document({allow}));
  const Delegated all = apply_delegation({delegating({"shop"}, {".example", ".a.example"})},
                                         std::span(&own, 1), kDefaultPorts);
  EXPECT_EQ(all.acceptances[0].whole, 10'000U);
}

// The definition: a host and port are allowed where both the entry and a delegation have them.
TEST(Delegation, AllowsExactlyWhatBothHave) {
  const std::vector<std::string> apexes = {"a.test", "b.a.test", "c.b.a.test", "test", "ba.test"};
  const std::vector<std::string> forms = {"", ".", "*."};
  const std::vector<std::string> ports = {"", ":443", ":1-100", ":80-500"};
  std::mt19937 random(1);
  const auto pick = [&](const auto& of) {
    return of[std::uniform_int_distribution<std::size_t>(0, of.size() - 1)(random)];
  };
  const auto some_hosts = [&](std::size_t most) {
    PatternList hosts;
    for (std::size_t i = 0; i <= std::uniform_int_distribution<std::size_t>(0, most)(random); ++i) {
      hosts.add(detail::pattern(pick(forms) + pick(apexes) + pick(ports)));
    }
    return hosts;
  };
  const auto has = [](const PatternList& hosts, std::span<const PortRange> of_entry,
                      const Host& host, Port port) {
    for (std::size_t i = 0; i < hosts.size(); ++i) {
      const Pattern each = hosts[i];
      std::vector<PortRange> own(of_entry.begin(), of_entry.end());
      if (own.empty()) own = kDefaultPorts;
      if (each.ports()) own = {*each.ports()};
      const bool fits =
          std::ranges::any_of(own, [&](const PortRange& range) { return range.contains(port); });
      if (fits && each.matches(host)) return true;
    }
    return false;
  };
  const std::vector<std::vector<PortRange>> of_entries = {{}, {{443, 443}}, {{70, 90}, {91, 450}}};
  for (int round = 0; round < 1000; ++round) {
    Document cluster = delegating({"shop"}, {});
    cluster.delegate->hosts = some_hosts(3);
    cluster.delegate->ports = pick(of_entries);
    Entry allow;
    allow.hosts = some_hosts(2);
    allow.ports = pick(of_entries);
    const Document own = of_namespace(document({allow}));
    const Delegated all = apply_delegation({cluster}, std::span(&own, 1), kDefaultPorts);
    const Entry left = all.documents.size() == 2 ? all.documents[1].allow[0] : Entry{};
    for (const char* name : {"a.test", "x.a.test", "b.a.test", "x.b.a.test", "c.b.a.test",
                             "x.c.b.a.test", "test", "ba.test", "other"}) {
      for (const std::uint32_t number : {22U, 80U, 85U, 443U, 500U}) {
        const Host host = detail::host(name);
        const Port port = detail::port(number);
        ASSERT_EQ(has(left.hosts, left.ports, host, port),
                  has(allow.hosts, allow.ports, host, port) &&
                      has(cluster.delegate->hosts, cluster.delegate->ports, host, port))
            << "round " << round << ": " << name << ":" << number;
      }
    }
  }
}

}  // namespace
}  // namespace ebbgate::policy
