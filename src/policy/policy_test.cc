#include "policy/policy.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "policy/address_guard.h"
#include "policy/detail/evaluate.h"
#include "policy/detail/test_documents.h"

namespace ebbgate::policy {
namespace {

using detail::at;
using detail::cidr;
using detail::client;
using detail::compiled;
using detail::decide_tunnel;
using detail::document;
using detail::entry;
using detail::host;
using detail::pattern;
using detail::port;
using testing::ElementsAre;
using testing::HasSubstr;

SubjectRule from(std::string_view block) {
  SubjectRule rule;
  rule.cidr = cidr(block);
  return rule;
}

Document for_clients(Document document, std::string_view block) {
  document.subjects = {from(block)};
  return document;
}

Document reporting(Document document) {
  document.mode = Mode::kReport;
  return document;
}

Entry with_ports(Entry made, std::vector<PortRange> ports) {
  made.ports = std::move(ports);
  return made;
}

// What decides of a request, in words: "ALLOW allowed".
std::string outcome(const Decision& decision) {
  return std::string(word(decision.verdict)) + " " + std::string(word(decision.reason));
}

struct Row {
  std::string_view target;
  std::string_view outcome;
};

void expect_outcomes(const Policy& policy, std::initializer_list<Row> rows) {
  for (const Row& row : rows) {
    EXPECT_EQ(outcome(decide_tunnel(policy, row.target)), row.outcome) << row.target;
  }
}

TEST(Decide, DeniesByDefaultAndAllowsWhatIsListed) {
  const auto policy = compiled({document(
      {entry({"example.com", ".sub.example", "*.below.example", "203.0.113.7", "198.51.100.0/24",
              "[2001:db8::/32]:443", "ports.example:8000-8010", "203.0.113.0/24:22"})})});
  expect_outcomes(*policy, {
                               {"example.com:443", "ALLOW allowed"},
                               {"example.com:80", "ALLOW allowed"},
                               {"example.com:22", "DENY port-not-allowed"},
                               {"www.example.com:443", "DENY not-allowed"},
                               {"com:443", "DENY not-allowed"},
                               {"sub.example:443", "ALLOW allowed"},
                               {"a.b.sub.example:443", "ALLOW allowed"},
                               {"notsub.example:443", "DENY not-allowed"},
                               {"below.example:443", "DENY not-allowed"},
                               {"a.b.below.example:443", "ALLOW allowed"},
                               {"203.0.113.7:443", "ALLOW allowed"},
                               {"203.0.113.8:443", "DENY port-not-allowed"},
                               {"203.0.113.8:22", "ALLOW allowed"},
                               {"[::ffff:203.0.113.7]:443", "DENY not-allowed"},
                               {"198.51.100.99:80", "ALLOW allowed"},
                               {"198.51.101.1:80", "DENY not-allowed"},
                               {"[2001:db8::5]:443", "ALLOW allowed"},
                               {"[2001:db8::5]:80", "DENY port-not-allowed"},
                               {"ports.example:8010", "ALLOW allowed"},
                               {"ports.example:8011", "DENY port-not-allowed"},
                               {"ports.example:443", "DENY port-not-allowed"},
                           });
  expect_outcomes(*compiled({}), {{"example.com:443", "DENY not-allowed"}});
}

TEST(Decide, TakesTheEntrysPortsForHostsThatNameNone) {
  PolicySettings settings;
  settings.default_ports = {{8443, 8443}};
  const auto policy =
      compiled({document({with_ports(entry({"a.example", "b.example:22"}), {{53, 53}}),
                          entry({"c.example"})})},
               settings);
  expect_outcomes(*policy, {
                               {"a.example:53", "ALLOW allowed"},
                               {"a.example:443", "DENY port-not-allowed"},
                               {"b.example:22", "ALLOW allowed"},
                               {"b.example:53", "DENY port-not-allowed"},
                               {"c.example:8443", "ALLOW allowed"},
                               {"c.example:443", "DENY port-not-allowed"},
                           });
}

TEST(Decide, LetsAnyDenyWinInWhateverDocumentAndOrder) {
  std::vector<Document> documents = {
      document({entry({".example.com", "0.0.0.0/0", "::/0"})}, {}, "wide"),
      document({}, {entry({"secret.example.com", "*.deep.example.com", "198.51.100.0/24"})},
               "deny"),
      document({},
               {entry({"ssh.example.com:22"}), with_ports(entry({"p.example.com"}), {{443, 443}})},
               "ports"),
      document({entry({"secret.example.com"})}, {}, "narrow"),
  };
  for (int order = 0; order < 4; ++order) {
    const auto policy = compiled(documents);
    expect_outcomes(*policy, {
                                 {"www.example.com:443", "ALLOW allowed"},
                                 {"secret.example.com:443", "DENY denied-by-rule"},
                                 {"secret.example.com:9", "DENY denied-by-rule"},
                                 {"x.deep.example.com:443", "DENY denied-by-rule"},
                                 {"deep.example.com:443", "ALLOW allowed"},
                                 {"ssh.example.com:443", "ALLOW allowed"},
                                 {"ssh.example.com:22", "DENY denied-by-rule"},
                                 {"p.example.com:443", "DENY denied-by-rule"},
                                 {"p.example.com:80", "ALLOW allowed"},
                                 {"198.51.100.3:443", "DENY denied-by-rule"},
                                 // The same address as an IPv6 literal.
                                 {"[::ffff:198.51.100.3]:443", "DENY denied-by-rule"},
                                 {"[64:ff9b::c633:6403]:443", "DENY denied-by-rule"},
                                 {"[2002:c633:6403::1]:443", "DENY denied-by-rule"},
                                 {"8.8.8.8:443", "ALLOW allowed"},
                             });
    std::ranges::rotate(documents, documents.begin() + 1);
  }
}

TEST(Decide, NamesTheMostSpecificEntry) {
  const auto policy = compiled({document({entry(
      {".example.com", "a.b.example.com", ".b.example.com", "10.0.0.0/8", "10.1.0.0/16"})})});
  for (const auto& [target, pattern] : std::initializer_list<std::pair<const char*, const char*>>{
           {"x.example.com:443", ".example.com"},
           {"x.b.example.com:443", ".b.example.com"},
           {"a.b.example.com:443", "a.b.example.com"},
           {"10.1.2.3:443", "10.1.0.0/16"}}) {
    const Decision decision = decide_tunnel(*policy, target);
    ASSERT_TRUE(decision.pattern);
    const Citation citation = policy->cite(*decision.pattern);
    EXPECT_EQ(citation.pattern, pattern);
    EXPECT_EQ(citation.document, "doc");
    EXPECT_FALSE(citation.denies);
  }
  const Decision decision = decide_tunnel(*policy, "b.example.com:443");
  EXPECT_EQ(policy->cite(*decision.pattern).where(), "doc.yaml:3:1");
}

TEST(Decide, AsksOnlyTheDocumentsAboutTheSubject) {
  SubjectRule pod = from("10.0.0.0/8");
  pod.pod_namespace = "ci";
  pod.service_account = "builder";
  pod.pod_labels = {{"tier", "build"}};
  Document for_pods = document({entry({"pods.example"})}, {}, "pods");
  for_pods.subjects = {pod};
  Document for_users = document({entry({"users.example"})}, {}, "users");
  for_users.subjects.resize(2);
  for_users.subjects[0].user = "ci";
  for_users.subjects[1].certificate = "CN=ci";
  const auto policy = compiled({
      for_clients(document({entry({"a.example"})}), "10.1.0.0/16"),
      for_clients(document({}, {entry({"all.example"})}), "10.2.0.0/16"),
      document({entry({"all.example"})}),
      for_pods,
      for_users,
  });
  const auto ask = [&](std::string_view target, const Subject& subject) {
    return outcome(decide_tunnel(*policy, target, subject));
  };
  EXPECT_EQ(ask("a.example:443", client("10.1.2.3")), "ALLOW allowed");
  EXPECT_EQ(ask("a.example:443", client("::ffff:10.1.2.3")), "ALLOW allowed");
  EXPECT_EQ(ask("a.example:443", client("10.2.2.3")), "DENY not-allowed");
  EXPECT_EQ(ask("a.example:22", client("10.2.2.3")), "DENY not-allowed");
  EXPECT_EQ(ask("a.example:443", Subject{}), "DENY not-allowed");
  EXPECT_EQ(ask("all.example:443", client("10.1.2.3")), "ALLOW allowed");
  EXPECT_EQ(ask("all.example:443", Subject{}), "ALLOW allowed");
  EXPECT_EQ(ask("all.example:443", client("10.2.2.3")), "DENY denied-by-rule");

  Subject builder = client("10.9.9.9");
  EXPECT_EQ(ask("pods.example:443", builder), "DENY not-allowed") << "no source of pods is on";
  Pod known{.name = "x",
            .pod_namespace = "ci",
            .service_account = "builder",
            .labels = std::make_shared<PodLabels>(PodLabels{{"tier", "build"}, {"app", "x"}})};
  builder.pod = std::make_shared<const Pod>(known);
  EXPECT_EQ(ask("pods.example:443", builder), "ALLOW allowed");
  builder.address = detail::address("192.0.2.1");
  EXPECT_EQ(ask("pods.example:443", builder), "DENY not-allowed") << "all fields must hold";
  builder.address = detail::address("10.9.9.9");
  for (auto change :
       {+[](Pod& p) { p.pod_namespace = "prod"; }, +[](Pod& p) { p.service_account = "default"; },
        +[](Pod& p) { p.labels = std::make_shared<PodLabels>(PodLabels{{"tier", "run"}}); },
        +[](Pod& p) { p.labels = nullptr; }}) {
    Pod other = known;
    change(other);
    builder.pod = std::make_shared<const Pod>(other);
    EXPECT_EQ(ask("pods.example:443", builder), "DENY not-allowed");
  }

  Subject user = client("10.3.3.3");
  EXPECT_EQ(ask("users.example:443", user), "DENY not-allowed");
  user.user = "ci";
  EXPECT_EQ(ask("users.example:443", user), "ALLOW allowed");
  user = client("10.3.3.3");
  user.certificate = "CN=ci";
  EXPECT_EQ(ask("users.example:443", user), "ALLOW allowed");
  user.certificate = "CN=cj";
  EXPECT_EQ(ask("users.example:443", user), "DENY not-allowed");
}

TEST(Decide, TakesWhoMayBeAPodForAnyPodInDenialsAndForNoneInAllowances) {
  SubjectRule builders = from("10.0.0.0/8");
  builders.pod_namespace = "ci";
  builders.service_account = "builder";
  builders.pod_labels = {{"tier", "build"}};
  SubjectRule users = from("10.0.0.0/8");
  users.pod_namespace = "ci";
  users.user = "ci";
  const auto about = [](Document made, const SubjectRule& rule) {
    made.subjects = {rule};
    return made;
  };
  const auto policy = compiled({
      document({entry({".example"})}),
      about(document({entry({"a.test"})}, {entry({"a.example", "203.0.113.0/24"})}), builders),
      about(document({}, {entry({"u.example"})}), users),
  });
  Subject lost = client("10.9.9.9");
  lost.may_be_pod = true;
  Subject outside = client("192.0.2.1");
  outside.may_be_pod = true;
  Subject other = lost;  // a pod that is known is that pod
  other.pod = std::make_shared<const Pod>(Pod{.name = "x", .pod_namespace = "shop"});
  const auto ask = [&](std::string_view target, const Subject& subject) {
    return outcome(decide_tunnel(*policy, target, subject));
  };
  EXPECT_EQ(ask("a.example:443", lost), "DENY denied-by-rule");
  EXPECT_EQ(ask("b.example:443", lost), "ALLOW allowed");
  EXPECT_EQ(ask("a.test:443", lost), "DENY not-allowed");
  EXPECT_EQ(ask("a.example:443", client("10.9.9.9")), "ALLOW allowed");
  EXPECT_EQ(ask("a.example:443", other), "ALLOW allowed");
  EXPECT_EQ(ask("a.example:443", outside), "ALLOW allowed") << "the other fields have to hold";
  EXPECT_EQ(ask("u.example:443", lost), "ALLOW allowed") << "the other fields have to hold";

  const auto judge = [&](const Subject& subject) {
    const Host name = host("b.example");
    const Decision decision = decide_tunnel(*policy, "b.example:443", subject);
    return judge_address(*policy, AddressGuard(), subject, name, decision,
                         detail::address("203.0.113.9"), port(443), at(0));
  };
  EXPECT_TRUE(judge(lost).denied_by) << "so it is with the addresses that names lead to";
  EXPECT_FALSE(judge(client("10.9.9.9")).denied_by);
}

// A document of that namespace, as apply_delegation() binds it.
Document bound(Document made, std::string_view to_namespace) {
  made.resource_namespace = to_namespace;
  made.subjects = {SubjectRule{.pod_namespace = std::string(to_namespace)}};
  return made;
}

Subject pod_of(std::string_view in_namespace, std::string_view from = "10.9.9.9") {
  Subject subject = client(from);
  subject.pod = std::make_shared<const Pod>(
      Pod{.name = "x", .pod_namespace = std::string(in_namespace), .service_account = "web"});
  return subject;
}

TEST(Decide, LooksUpWhatNamespacesSayForTheirOwnPodsOnly) {
  // Out of order: whose each pattern is does not depend on it.
  const auto policy = compiled({
      bound(document({entry({"a.test", "203.0.113.0/24"})}, {entry({".common.example"})}, "a"),
            "a"),
      document({entry({".example", "198.51.100.0/24"})}, {}, "all"),
      bound(document({entry({"b.test"})}, {}, "b"), "b"),
      bound(document({entry({"a2.test"})}, {entry({"198.51.100.7"})}, "a2"), "a"),
  });
  EXPECT_EQ(policy->pattern_count(), 8U);
  const auto ask = [&](std::string_view target, const Subject& subject) {
    const Decision decision = decide_tunnel(*policy, target, subject);
    const std::string who =
        decision.pattern ? " " + std::string(policy->cite(*decision.pattern).document) : "";
    return outcome(decision) + who;
  };
  EXPECT_EQ(ask("x.common.example:443", pod_of("a")), "DENY denied-by-rule a");
  EXPECT_EQ(ask("x.common.example:443", pod_of("b")), "ALLOW allowed all");
  EXPECT_EQ(ask("x.common.example:443", pod_of("c")), "ALLOW allowed all");
  EXPECT_EQ(ask("x.common.example:443", client("10.1.1.1")), "ALLOW allowed all");
  EXPECT_EQ(ask("a.test:443", pod_of("a")), "ALLOW allowed a");
  EXPECT_EQ(ask("a2.test:443", pod_of("a")), "ALLOW allowed a2");
  EXPECT_EQ(ask("b.test:443", pod_of("b")), "ALLOW allowed b");
  EXPECT_EQ(ask("a.test:22", pod_of("a")), "DENY port-not-allowed a");
  EXPECT_EQ(ask("a.test:443", pod_of("b")), "DENY not-allowed");
  EXPECT_EQ(ask("b.test:443", client("10.1.1.1")), "DENY not-allowed");
  EXPECT_EQ(ask("203.0.113.9:443", pod_of("a")), "ALLOW allowed a");
  EXPECT_EQ(ask("203.0.113.9:443", pod_of("b")), "DENY not-allowed");
  EXPECT_EQ(ask("198.51.100.7:443", pod_of("a")), "DENY denied-by-rule a2");
  EXPECT_EQ(ask("[::ffff:198.51.100.7]:443", pod_of("a")), "DENY denied-by-rule a2");
  EXPECT_EQ(ask("198.51.100.7:443", pod_of("b")), "ALLOW allowed all");
  for (std::uint32_t i = 0; i < policy->pattern_count(); ++i) {
    EXPECT_FALSE(policy->cite(PatternId{i}).pattern.empty());
  }
}

TEST(Decide, IsNoSlowerForWhatOtherNamespacesSay) {
  const Document all = document({entry({".test"})});
  Document greedy = bound(document({}, {}, "d"), "evil");
  greedy.deny.resize(5);
  for (std::uint32_t i = 0; i < 50'000; ++i) {
    greedy.deny[i % 5].hosts.add(pattern(".test:" + std::to_string(1000 + i)));
  }
  const auto policy = compiled({all, greedy});
  const auto met = [&](const Subject& subject) {
    std::size_t count = 0;
    const Host asked = host("x.test");
    (void)detail::evaluate(*policy, subject, {.host = asked, .port = port(443)}, at(0),
                           [&](const detail::Hit&, detail::Fit) { ++count; });
    return count;
  };
  EXPECT_EQ(met(pod_of("evil")), 50'001U);
  EXPECT_EQ(met(pod_of("shop")), 1U);
  EXPECT_EQ(met(client("10.1.1.1")), 1U);
}

TEST(Decide, LetsANamespaceTakeOnlyFromItsPods) {
  Document closing = bound(document({}, {}, "broken"), "evil");
  closing.closes = true;
  Document of_web = bound(document({}, {entry({"w.test"})}), "shop");
  of_web.subjects[0].service_account = "web";
  const auto policy = compiled({
      document({entry({".test"})}),
      bound(document({entry({"own.example"})}, {entry({"d.test", "203.0.113.0/24"})}), "shop"),
      of_web,
      closing,
  });
  Subject lost = client("10.9.9.9");
  lost.may_be_pod = true;
  Subject suspected = lost;
  suspected.suspected = pod_of("shop").pod;
  Subject other_account = lost;
  other_account.suspected =
      std::make_shared<const Pod>(Pod{.pod_namespace = "shop", .service_account = "batch"});
  Subject of_evil = lost;
  of_evil.suspected = pod_of("evil").pod;
  Subject no_pod = of_evil;  // it is known to be none, or it is another one
  no_pod.may_be_pod = false;
  Subject other_pod = pod_of("other");
  other_pod.suspected = of_evil.suspected;
  const auto ask = [&](std::string_view target, const Subject& subject) {
    return outcome(decide_tunnel(*policy, target, subject));
  };
  EXPECT_EQ(ask("d.test:443", lost), "ALLOW allowed") << "no namespace has a say";
  EXPECT_EQ(ask("d.test:443", suspected), "DENY denied-by-rule");
  EXPECT_EQ(ask("w.test:443", suspected), "DENY denied-by-rule");
  EXPECT_EQ(ask("d.test:443", other_account), "DENY denied-by-rule");
  EXPECT_EQ(ask("w.test:443", other_account), "ALLOW allowed");
  EXPECT_EQ(ask("own.example:443", suspected), "DENY not-allowed") << "it may be another by now";
  EXPECT_EQ(ask("a.test:443", suspected), "ALLOW allowed");
  EXPECT_EQ(ask("a.test:443", of_evil), "DENY policy-invalid");
  EXPECT_EQ(ask("d.test:443", of_evil), "DENY policy-invalid");
  EXPECT_EQ(ask("d.test:443", no_pod), "ALLOW allowed");
  EXPECT_EQ(ask("d.test:443", other_pod), "ALLOW allowed");
  const auto is_denied = [&](const Subject& subject) {
    const Host name = host("a.test");
    const Decision decision = decide_tunnel(*policy, "a.test:443", subject);
    return judge_address(*policy, AddressGuard(), subject, name, decision,
                         detail::address("203.0.113.9"), port(443), at(0))
        .denied_by.has_value();
  };
  EXPECT_TRUE(is_denied(suspected));
  EXPECT_FALSE(is_denied(lost));
}

TEST(Decide, OnlyReportsForWhoMayBeAPodWhateverOtherNamespacesSay) {
  const auto policy = compiled(
      {reporting(document({entry({"a.example"})})), bound(document({entry({"b.test"})}), "shop")});
  Subject lost = client("10.9.9.9");
  lost.may_be_pod = true;
  const auto ask = [&](const Subject& subject) {
    return outcome(decide_tunnel(*policy, "x.example:443", subject));
  };
  EXPECT_EQ(ask(lost), "REPORT not-allowed");
  EXPECT_EQ(ask(pod_of("other")), "REPORT not-allowed");
  EXPECT_EQ(ask(pod_of("shop")), "DENY not-allowed");
  lost.suspected = pod_of("other").pod;
  EXPECT_EQ(ask(lost), "REPORT not-allowed");
  lost.suspected = pod_of("shop").pod;
  EXPECT_EQ(ask(lost), "DENY not-allowed") << "it has no more than when it was known";
}

TEST(Compile, RefusesADocumentOfANamespaceThatIsAboutOthers) {
  Document own = document({entry({"a.test"})});
  own.resource_namespace = "shop";
  EXPECT_EQ(Policy::compile({own}).policy, nullptr);
  own.subjects = {SubjectRule{.pod_namespace = "shop"}, SubjectRule{.pod_namespace = "other"}};
  EXPECT_EQ(Policy::compile({own}).policy, nullptr);
  own.subjects.pop_back();
  EXPECT_NE(Policy::compile({own}).policy, nullptr);
}

TEST(Compile, WarnsOfWhatIsRedundantInDocumentsOfNamespaces) {
  const auto compiled = Policy::compile({document({entry({"x.example"})}),
                                         bound(document({entry({".a.test", "x.a.test"})}), "shop"),
                                         bound(document({entry({"x.a.test"})}), "b")});
  ASSERT_EQ(compiled.problems.size(), 1U);
  EXPECT_THAT(compiled.problems[0].message, HasSubstr("x.a.test is redundant"));
}

TEST(Decide, DoesNotOnlyReportForWhoMayBeAPodThatIsEnforced) {
  SubjectRule ci;
  ci.pod_namespace = "ci";
  const auto about_ci = [&](Document made) {
    made.subjects = {ci};
    return made;
  };
  Subject lost = client("10.9.9.9");
  lost.may_be_pod = true;
  const auto ask = [&](std::vector<Document> documents) {
    return outcome(decide_tunnel(*compiled(std::move(documents)), "b.example:443", lost));
  };
  const Document all = reporting(document({entry({"a.example"})}));
  const Document enforced = document({entry({"a.example"})});
  EXPECT_EQ(ask({all}), "REPORT not-allowed");
  EXPECT_EQ(ask({all, about_ci(enforced)}), "DENY not-allowed");
  EXPECT_EQ(ask({all, about_ci(reporting(enforced))}), "REPORT not-allowed");
  EXPECT_EQ(ask({about_ci(reporting(enforced))}), "DENY not-allowed") << "pods alone are spared";
}

TEST(Decide, LetsNothingPassToWhomADocumentCloses) {
  Document closing = for_clients(document({}), "10.1.0.0/16");
  closing.closes = true;
  Document closing_shop = document({});
  closing_shop.subjects.resize(1);
  closing_shop.subjects[0].pod_namespace = "shop";
  closing_shop.closes = true;
  PolicySettings report_only;
  report_only.report_only = true;
  for (const PolicySettings& settings : {PolicySettings(), report_only}) {
    const auto policy =
        compiled({reporting(document({entry({"a.example"})}, {entry({"bad.example"})})), closing,
                  closing_shop},
                 settings);
    const auto ask = [&](std::string_view target, const Subject& subject) {
      const Decision decision = decide_tunnel(*policy, target, subject);
      EXPECT_EQ(decision.admissions.empty(), decision.verdict == Verdict::kDeny);
      return outcome(decision);
    };
    Subject pod = client("10.2.0.1");
    pod.pod = std::make_shared<const Pod>(Pod{.name = "x", .pod_namespace = "shop"});
    Subject other_pod = pod;
    other_pod.pod = std::make_shared<const Pod>(Pod{.name = "x", .pod_namespace = "other"});
    Subject lost = client("10.2.0.1");
    lost.may_be_pod = true;
    for (const char* target :
         {"a.example:443", "bad.example:443", "x.example:1", "192.0.2.1:443"}) {
      EXPECT_EQ(ask(target, client("10.1.0.1")), "DENY policy-invalid") << target;
      EXPECT_EQ(ask(target, pod), "DENY policy-invalid") << target;
      EXPECT_EQ(ask(target, lost), "DENY policy-invalid") << target;
    }
    EXPECT_EQ(ask("a.example:443", client("10.2.0.1")), "ALLOW allowed");
    EXPECT_EQ(ask("a.example:443", other_pod), "ALLOW allowed");
    EXPECT_EQ(ask("bad.example:443", other_pod), "REPORT denied-by-rule");
  }
}

TEST(Decide, ReportsOnlyWhereEveryDocumentAboutTheSubjectReports) {
  const auto policy = compiled({
      reporting(
          for_clients(document({entry({"a.example"})}, {entry({"bad.example"})}), "10.0.0.0/8")),
      for_clients(document({entry({"b.example"})}), "10.1.0.0/16"),
  });
  const auto ask = [&](std::string_view target, std::string_view from) {
    return outcome(decide_tunnel(*policy, target, client(from)));
  };
  EXPECT_EQ(ask("a.example:443", "10.2.0.1"), "ALLOW allowed");
  EXPECT_EQ(ask("other.example:443", "10.2.0.1"), "REPORT not-allowed");
  EXPECT_EQ(ask("a.example:22", "10.2.0.1"), "REPORT port-not-allowed");
  EXPECT_EQ(ask("bad.example:443", "10.2.0.1"), "REPORT denied-by-rule");
  EXPECT_EQ(ask("other.example:443", "10.1.0.1"), "DENY not-allowed");
  EXPECT_EQ(ask("bad.example:443", "10.1.0.1"), "DENY denied-by-rule");
  EXPECT_EQ(ask("b.example:443", "10.1.0.1"), "ALLOW allowed");
  EXPECT_EQ(ask("a.example:443", "192.0.2.1"), "DENY not-allowed") << "no document is about it";

  PolicySettings settings;
  settings.report_only = true;
  const auto lax = compiled({document({entry({"a.example"})})}, settings);
  EXPECT_EQ(outcome(decide_tunnel(*lax, "b.example:443")), "REPORT not-allowed");
}

TEST(Decide, RelaxesOnlyTheReasonsThatReportModeMay) {
  Decision decision;
  decision.reports_only = true;
  for (const ReasonInfo& row : kReasons) {
    if (row.reason == Reason::kAllowed) continue;
    EXPECT_EQ(verdict_of(decision, row.reason), row.relaxable ? Verdict::kReport : Verdict::kDeny)
        << row.word;
  }
  for (const Reason relaxed :
       {Reason::kNotAllowed, Reason::kDeniedByRule, Reason::kPortNotAllowed, Reason::kExpired,
        Reason::kSniMismatch, Reason::kSniMissing, Reason::kNotTls}) {
    EXPECT_EQ(verdict_of(decision, relaxed), Verdict::kReport);
  }
  for (const Reason kept : {Reason::kForbiddenAddress, Reason::kMalformedRequest,
                            Reason::kOverLimit, Reason::kSubjectRequired}) {
    EXPECT_EQ(verdict_of(decision, kept), Verdict::kDeny);
  }
}

TEST(Decide, StopsMatchingAtTheMomentAnEntryExpires) {
  Entry allowed = entry({"a.example"});
  allowed.expires = at(100);
  Entry denied = entry({"b.example"});
  denied.expires = at(100);
  const auto policy = compiled({document({allowed, entry({"b.example"})}, {denied})});
  const auto ask = [&](std::string_view target, std::int64_t now) {
    return outcome(decide_tunnel(*policy, target, client("10.0.0.1"), at(now)));
  };
  EXPECT_EQ(ask("a.example:443", 99), "ALLOW allowed");
  EXPECT_EQ(ask("a.example:443", 100), "DENY expired");
  EXPECT_EQ(ask("a.example:22", 99), "DENY port-not-allowed");
  EXPECT_EQ(ask("a.example:22", 100), "DENY not-allowed");
  EXPECT_EQ(ask("b.example:443", 99), "DENY denied-by-rule");
  EXPECT_EQ(ask("b.example:443", 100), "ALLOW allowed");
}

TEST(Decide, JudgesMethodsAndPathsOnlyWhereTheyCanBeSeen) {
  Entry limited = entry({"a.example"});
  limited.methods = {"GET", "HEAD"};
  limited.paths = {"/acme/"};
  Entry no_delete = entry({"b.example"});
  no_delete.methods = {"DELETE"};
  Entry no_admin = entry({"b.example"});
  no_admin.paths = {"/admin"};
  const auto policy = compiled({document({limited, entry({"b.example"})}, {no_delete, no_admin})});
  struct Case {
    std::string_view name;
    Visibility visibility;
    std::string_view method;
    std::string_view path;
    std::string_view outcome;
  };
  for (const Case& c : {
           Case{"a.example", Visibility::kClear, "GET", "/acme/x", "ALLOW allowed"},
           Case{"a.example", Visibility::kClear, "POST", "/acme/x", "DENY not-allowed"},
           Case{"a.example", Visibility::kClear, "get", "/acme/x", "DENY not-allowed"},
           Case{"a.example", Visibility::kClear, "GET", "/acme/../x", "DENY not-allowed"},
           Case{"a.example", Visibility::kOpaque, "", "", "DENY not-allowed"},
           Case{"a.example", Visibility::kPending, "", "", "ALLOW allowed"},
           Case{"b.example", Visibility::kClear, "GET", "/", "ALLOW allowed"},
           Case{"b.example", Visibility::kClear, "DELETE", "/", "DENY denied-by-rule"},
           Case{"b.example", Visibility::kClear, "GET", "/%61dmin", "DENY denied-by-rule"},
           Case{"b.example", Visibility::kOpaque, "", "", "DENY denied-by-rule"},
           Case{"b.example", Visibility::kPending, "", "", "ALLOW allowed"},
       }) {
    const Host target = host(c.name);
    const Decision decision = decide(*policy, client("10.0.0.1"),
                                     {.host = target,
                                      .port = port(80),
                                      .visibility = c.visibility,
                                      .method = c.method,
                                      .path = c.path},
                                     at(0));
    EXPECT_EQ(outcome(decision), c.outcome) << c.name << " " << c.method << " " << c.path;
  }
}

TEST(Decide, KeepsTheTermsOfEveryEntryThatMatchesOnce) {
  std::vector<Entry> entries;
  for (int i = 0; i < 7; ++i) {
    entries.push_back(entry({"a.example", ".example", "*.example"}));
    entries.back().addresses = {Cidr::of(IpAddress::v4(0x0a000000U + static_cast<unsigned>(i)))};
  }
  entries.push_back(entries.front());
  const auto policy = compiled({document(entries)});
  const Decision decision = decide_tunnel(*policy, "a.example:443");
  EXPECT_EQ(decision.admissions.all().size(), 7U);
  EXPECT_TRUE(decide_tunnel(*policy, "a.other:443").admissions.empty());
}

std::vector<std::string> problems_of(std::vector<Document> documents) {
  std::vector<std::string> texts;
  for (const PolicyProblem& problem : Policy::compile(std::move(documents)).problems) {
    texts.push_back(str(problem));
  }
  return texts;
}

TEST(Compile, ReportsWhatAWiderEntryOfTheSameListCoversOnce) {
  EXPECT_THAT(
      problems_of(
          {document({entry({"www.example.org", ".example.org", "*.example.org", "example.org",
                            "a.b.example.org:443", "x.example.org:8080", "*.y.example", "y.example",
                            "y.example", "10.0.0.0/8", "10.1.0.0/16:80", "10.0.0.0/7:443"})})}),
      ElementsAre(HasSubstr("doc.yaml:1:1: warning: www.example.org is redundant: "),
                  HasSubstr(":3:1: warning: *.example.org is redundant: .example.org on line 2"),
                  HasSubstr(":4:1: warning: example.org is redundant"),
                  HasSubstr(":5:1: warning: a.b.example.org:443 is redundant"),
                  HasSubstr(":9:1: warning: y.example is redundant: y.example on line 8"),
                  HasSubstr(":11:1: warning: 10.1.0.0/16:80 is redundant: 10.0.0.0/8")));
  // Entries with other terms are not each other's doubles.
  EXPECT_THAT(problems_of({document({entry({".example.org"}), entry({"www.example.org"})})}),
              ElementsAre());
}

TEST(Compile, SaysWhomASharedSuffixLetsIn) {
  struct Case {
    std::string_view pattern;
    std::string_view strangers;
  };
  for (const Case& c : {Case{".com", "every name that anybody registers"},
                        Case{"*.co.uk", "every name that anybody registers"},
                        Case{".s3.amazonaws.com", "every S3 bucket"},
                        Case{".s3.eu-west-2.amazonaws.com", "every S3 bucket"},
                        Case{".compute.amazonaws.com", "every EC2 instance"},
                        Case{"*.cloudfront.net", "every CloudFront distribution"},
                        Case{".eu-west-2.amazonaws.com", "every S3 bucket"},
                        Case{".amazonaws.com", "every S3 bucket"},
                        Case{".blob.core.windows.net", "every storage account"},
                        Case{".herokuapp.com", "every customer of the hosting service"},
                        Case{".fastly.net", "every customer of the hosting service"}}) {
    EXPECT_THAT(problems_of({document({entry({c.pattern})})}), ElementsAre(HasSubstr(c.strangers)))
        << c.pattern;
  }
  EXPECT_THAT(problems_of({document(
                  {entry({".example.com", ".internal", "com", "d2glxqk2uabbnd.cloudfront.net",
                          "s3.amazonaws.com", ".dkr.ecr.eu-west-2.amazonaws.com"})})}),
              ElementsAre());
  EXPECT_THAT(problems_of({document({}, {entry({".com"})})}), ElementsAre()) << "a deny entry";
}

TEST(Compile, AdvisesAgainstEchOnSharedHosts) {
  Entry made = entry({".cloudfront.net"});
  EXPECT_THAT(problems_of({document({made})}), ElementsAre(HasSubstr("`ech: deny`")));
  made.ech = EchRule::kDeny;
  EXPECT_THAT(problems_of({document({made})}), ElementsAre(testing::Not(HasSubstr("ech"))));
}

TEST(Compile, WarnsThatLimitedEntriesNeverAdmitATunnel) {
  Entry made = entry({"a.example"});
  made.paths = {"/x"};
  EXPECT_THAT(problems_of({document({made})}),
              ElementsAre(HasSubstr("`paths` never admits an opaque tunnel")));
  made.methods = {"GET"};
  EXPECT_THAT(problems_of({document({}, {made})}),
              ElementsAre(HasSubstr("`methods` and `paths` refuses every opaque tunnel")));
}

TEST(Compile, RefusesDocumentsThatWouldMatchTooMuchOrNothing) {
  EXPECT_THAT(problems_of({document({Entry{}})}), ElementsAre(HasSubstr("no hosts")));
  Document everyone = document({entry({"a.example"})});
  everyone.subjects = {SubjectRule{}};
  EXPECT_THAT(problems_of({everyone}), ElementsAre(HasSubstr("asks for nothing")));
  everyone.subjects[0].pod_labels = {{"a", "b"}};
  EXPECT_THAT(problems_of({everyone}), ElementsAre(HasSubstr("without `namespace`")));
  EXPECT_EQ(Policy::compile({everyone}).policy, nullptr);
}

TEST(Compile, CountsWarningsBeyondAHundred) {
  Entry made = entry({"a.example"});
  for (int i = 0; i < 250; ++i) made.hosts.add(detail::pattern("a.example"));
  const auto problems = problems_of({document({made})});
  ASSERT_EQ(problems.size(), 101U);
  EXPECT_THAT(problems.back(), HasSubstr("150 more entries are redundant"));
}

}  // namespace
}  // namespace ebbgate::policy
