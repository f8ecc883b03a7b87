#include "policy/explain.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "policy/detail/test_documents.h"

namespace ebbgate::policy {
namespace {

using detail::at;
using detail::cidr;
using detail::client;
using detail::compiled;
using detail::document;
using detail::entry;
using testing::HasSubstr;

Document sample() {
  Entry expired = entry({"old.example"}, 20);
  expired.expires = at(1767225600);  // 2026-01-01
  Entry limited = entry({"api.example"}, 30);
  limited.methods = {"GET"};
  limited.paths = {"/v1/"};
  return document({entry({".docker.io:443", "example.com", "*.below.example", "198.51.100.0/24"}),
                   entry({"api.github.com", "codeload.github.com"}, 10), expired, limited},
                  {entry({"gist.docker.io"}, 40)});
}

Document for_others() {
  Document made = document({entry({"others.example"})}, {}, "others");
  made.subjects.resize(1);
  made.subjects[0].cidr = cidr("192.0.2.0/24");
  return made;
}

Explanation explain_tunnel(const Policy& policy, std::string_view target,
                           const Subject& subject = client("10.0.0.1")) {
  const auto authority = Authority::parse(target);
  return explain(policy, subject, {.host = authority->host, .port = authority->port},
                 at(1767225600));
}

TEST(Explain, NamesTheNearestMissAndTheLineThatWouldAllowIt) {
  const auto policy = compiled({sample(), for_others()});
  struct Row {
    std::string_view target;
    std::string_view nearest;  // empty: none
    std::string_view line;
  };
  for (const Row& row : {
           Row{"registry-1.docker.io:80",
               "`.docker.io:443` (doc.yaml:1:1) allows it on 443, not 80", "registry-1.docker.io"},
           Row{"registry-1.docker.io:8080",
               "`.docker.io:443` (doc.yaml:1:1) allows it on 443, not 8080",
               "registry-1.docker.io:8080"},
           Row{"example.com:22", "`example.com` (doc.yaml:2:1) allows it on 80, 443, not 22",
               "example.com:22"},
           Row{"www.example.com:443",
               "`example.com` (doc.yaml:2:1) is that name only, not what is below it",
               "www.example.com"},
           Row{"below.example:443",
               "`*.below.example` (doc.yaml:3:1) is for the names below it, not for itself",
               "below.example"},
           Row{"old.example:443",
               "`old.example` (doc.yaml:20:1) allowed it until 2026-01-01T00:00:00Z",
               "old.example"},
           Row{"api.example:443",
               "`api.example` (doc.yaml:30:1) limits methods or paths, which an opaque tunnel does "
               "not show",
               "api.example"},
           Row{"others.example:443",
               "`others.example` (others.yaml:1:1) allows it, but not to this client",
               "others.example"},
           Row{"raw.github.com:443",
               "`api.github.com` (doc.yaml:10:1) is the nearest name that is allowed",
               "raw.github.com"},
           Row{"198.51.100.3:22", "`198.51.100.0/24` (doc.yaml:4:1) allows it on 80, 443, not 22",
               "198.51.100.3:22"},
           Row{"other.com:443", "", "other.com"},
           Row{"203.0.113.9:443", "", "203.0.113.9"},
           Row{"[2001:db8::1]:443", "", "2001:db8::1"},
           Row{"[2001:db8::1]:22", "", "[2001:db8::1]:22"},
       }) {
    const Explanation explanation = explain_tunnel(*policy, row.target);
    EXPECT_EQ(explanation.decision.verdict, Verdict::kDeny) << row.target;
    EXPECT_EQ(explanation.nearest ? explanation.nearest->text : "", row.nearest) << row.target;
    EXPECT_EQ(explanation.line, row.line);
    EXPECT_THAT(explanation.fix, HasSubstr(row.line));

    const auto authority = Authority::parse(row.target);
    Entry added;
    added.hosts.add(detail::pattern(explanation.line));
    const auto amended = compiled({sample(), for_others(), document({added}, {}, "added")});
    EXPECT_EQ(detail::decide_tunnel(*amended, row.target).verdict, Verdict::kAllow) << row.target;
  }
}

TEST(Explain, ShowsEachStepWithWhatMatched) {
  const auto policy = compiled({sample(), for_others()});
  const Explanation allowed = explain_tunnel(*policy, "a.docker.io:443");
  ASSERT_EQ(allowed.steps.size(), 3U);
  EXPECT_EQ(allowed.steps[0].text, "1 of 2 documents are about 10.0.0.1: doc");
  EXPECT_EQ(allowed.steps[1].text, "no deny entry names it");
  EXPECT_EQ(allowed.steps[2].text, "`.docker.io:443` (doc.yaml:1:1) allows it");
  for (const Step& step : allowed.steps) EXPECT_EQ(step.outcome, Outcome::kPassed);
  EXPECT_FALSE(allowed.nearest);
  EXPECT_TRUE(allowed.fix.empty());

  const Explanation denied = explain_tunnel(*policy, "gist.docker.io:443");
  EXPECT_EQ(denied.decision.reason, Reason::kDeniedByRule);
  EXPECT_EQ(denied.steps[1].outcome, Outcome::kRefused);
  EXPECT_EQ(denied.steps[1].text,
            "`gist.docker.io` (doc.yaml:40:1) denies it, and deny wins over allow");
  EXPECT_EQ(denied.steps[2].outcome, Outcome::kNotReached);
  EXPECT_EQ(denied.fix, "remove or narrow `gist.docker.io` (doc.yaml:40:1)");
  EXPECT_TRUE(denied.line.empty());

  const auto only_others = compiled({for_others()});
  const Explanation stranger = explain_tunnel(*only_others, "a.example:443");
  EXPECT_EQ(stranger.steps[0].outcome, Outcome::kRefused);
  EXPECT_EQ(stranger.steps[2].outcome, Outcome::kRefused);

  Document reporting = sample();
  reporting.mode = Mode::kReport;
  const Explanation reported = explain_tunnel(*compiled({reporting}), "other.com:443");
  EXPECT_EQ(reported.decision.verdict, Verdict::kReport);
  EXPECT_EQ(reported.steps.back().name, "mode");
}

TEST(Explain, SaysWhatClosesTheClientOff) {
  Document closing = document({}, {}, "shop/checkout");
  closing.resource_namespace = "shop";
  closing.subjects.resize(1);
  closing.subjects[0].pod_namespace = "shop";
  closing.closes = true;
  const auto policy = compiled({sample(), closing});
  Subject pod = client("10.0.0.1");
  pod.pod = std::make_shared<const Pod>(Pod{.name = "x", .pod_namespace = "shop"});
  const Explanation told = explain_tunnel(*policy, "example.com:443", pod);
  EXPECT_EQ(told.decision.reason, Reason::kPolicyInvalid);
  ASSERT_EQ(told.steps.size(), 3U);
  EXPECT_EQ(told.steps[0].outcome, Outcome::kRefused);
  EXPECT_THAT(told.steps[0].text, HasSubstr("`shop/checkout` is invalid and never was valid"));
  EXPECT_THAT(told.steps[0].text, HasSubstr("nothing of the namespace shop passes"));
  EXPECT_EQ(told.steps[1].outcome, Outcome::kNotReached);
  EXPECT_EQ(told.steps[2].outcome, Outcome::kNotReached);
  EXPECT_FALSE(told.nearest);
  EXPECT_EQ(told.line, "");
  EXPECT_EQ(told.fix, "correct or delete `shop/checkout`; its status says what is wrong with it");

  const auto authority = Authority::parse("example.com:443");
  const Request request{.host = authority->host, .port = authority->port};
  const auto near = near_miss(*policy, pod, request, at(0));
  ASSERT_TRUE(near);
  EXPECT_EQ(near->text, told.steps[0].text);
  EXPECT_FALSE(near_miss(*policy, client("10.0.0.1"), request, at(0)));
}

TEST(Explain, KnowsWhatNamespacesSay) {
  Document own = document({entry({"a.test", "*.b.test", "long.c.test"})}, {}, "shop/web");
  own.resource_namespace = "shop";
  own.subjects = {SubjectRule{.pod_namespace = "shop"}};
  const auto policy = compiled({sample(), own});
  const auto nearest = [&](std::string_view target, const char* in_namespace) {
    Subject pod = client("10.0.0.1");
    pod.pod = std::make_shared<const Pod>(Pod{.name = "x", .pod_namespace = in_namespace});
    const Explanation told = explain_tunnel(*policy, target, pod);
    return told.nearest ? told.nearest->text : "";
  };
  EXPECT_EQ(nearest("a.test:22", "shop"),
            "`a.test` (shop/web.yaml:1:1) allows it on 80, 443, not 22");
  EXPECT_EQ(nearest("b.test:443", "shop"),
            "`*.b.test` (shop/web.yaml:2:1) is for the names below it, not for itself");
  EXPECT_EQ(nearest("other.c.test:443", "shop"),
            "`long.c.test` (shop/web.yaml:3:1) is the nearest name that is allowed");
  EXPECT_EQ(nearest("a.test:443", "other"),
            "`a.test` (shop/web.yaml:1:1) allows it, but not to this client");
  EXPECT_EQ(nearest("b.test:443", "other"), "");
}

TEST(Explain, AgreesWithDecide) {
  const auto policy = compiled({sample(), for_others()});
  for (const std::string_view target :
       {"a.docker.io:443", "a.docker.io:80", "gist.docker.io:443", "others.example:443",
        "old.example:443", "[::ffff:198.51.100.3]:443", "198.51.100.3:443"}) {
    const Decision decided =
        detail::decide_tunnel(*policy, target, client("10.0.0.1"), at(1767225600));
    const Decision explained = explain_tunnel(*policy, target).decision;
    EXPECT_EQ(explained.verdict, decided.verdict) << target;
    EXPECT_EQ(explained.reason, decided.reason) << target;
    EXPECT_EQ(explained.pattern, decided.pattern) << target;
  }
}

TEST(NearMiss, TellsAClientNothingOfWhatOthersMayDo) {
  const auto policy = compiled({sample(), for_others()});
  const auto ask = [&](std::string_view target) {
    const auto authority = Authority::parse(target);
    const auto near = near_miss(*policy, client("10.0.0.1"),
                                {.host = authority->host, .port = authority->port}, at(0));
    return near ? near->text : "";
  };
  EXPECT_THAT(ask("a.docker.io:80"), HasSubstr("allows it on 443, not 80"));
  EXPECT_THAT(ask("www.example.com:443"), HasSubstr("is that name only"));
  EXPECT_EQ(ask("others.example:443"), "");
  EXPECT_EQ(ask("x.others.example:443"), "");
  EXPECT_EQ(ask("raw.github.com:443"), "") << "no search through all patterns";
}

}  // namespace
}  // namespace ebbgate::policy
