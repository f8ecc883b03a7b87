#include "analyse/learn.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <string>

#include "analyse/detail/suffixes.h"
#include "analyse/detail/testing.h"
#include "analyse/replay.h"
#include "config/bundles.h"

namespace ebbgate::analyse {
namespace {

constexpr std::int64_t kTime = 1'769'860'800'000;  // 2026-01-31T12:00:00Z
constexpr WallTime kNow{std::chrono::milliseconds(kTime)};

LogEvent event(std::string_view host, std::uint16_t port = 443,
               std::string_view client = "10.1.2.3") {
  return {.time = kTime, .port = port, .host = host, .client = client, .method = "CONNECT"};
}

// The hosts of the document with their ports, `.a.example 443` a line; notes behind.
std::string told(const Learned& learned) {
  std::string out;
  for (const LearnedEntry& entry : learned.entries) {
    if (entry.terms.bundle) out += "bundle " + entry.terms.bundle->name + "\n";
    for (const LearnedHost& host : entry.hosts) {
      out += host.pattern;
      for (const policy::PortRange& range : entry.terms.ports) out += ' ' + range.str();
      if (entry.terms.sni) out += " sni";
      if (entry.terms.tls == policy::TlsRule::kOff) out += " tls-off";
      out += '\n';
    }
  }
  return out;
}

TEST(Suffixes, NeedEnoughNamesOfOneOwner) {
  const struct {
    std::vector<std::string_view> names;
    std::string_view found;
  } kRows[] = {
      {{"a.x.example", "b.x.example"}, ""},
      {{"a.x.example", "b.x.example", "c.x.example"}, "*.x.example "},
      {{"x.example", "b.x.example", "c.x.example"}, ".x.example "},
      // The deepest that has enough; what is left is too little for the one above.
      {{"a.y.x.example", "b.y.x.example", "c.y.x.example", "d.x.example"}, "*.y.x.example "},
      {{"a.1.x.example", "b.2.x.example", "c.3.x.example"}, "*.x.example "},
      // Never a public suffix, nor shared hosting.
      {{"a.example", "b.example", "c.example"}, ""},
      {{"a.co.uk", "b.co.uk", "c.co.uk"}, ""},
      {{"a.github.io", "b.github.io", "c.github.io"}, ""},
      {{"a.s3.amazonaws.com", "b.s3.amazonaws.com", "c.s3.amazonaws.com"}, ""},
      {{"d1.cloudfront.net", "d2.cloudfront.net", "d3.cloudfront.net"}, ""},
      {{"sts.amazonaws.com", "iam.amazonaws.com", "ec2.amazonaws.com"}, ""},
      {{"1.dkr.ecr.eu-west-2.amazonaws.com", "2.dkr.ecr.eu-west-2.amazonaws.com",
        "3.dkr.ecr.eu-west-2.amazonaws.com"},
       ""},
      {{"a.googleapis.com", "b.googleapis.com", "c.googleapis.com"}, ""},
      {{"1.me.github.io", "2.me.github.io", "3.me.github.io"}, "*.me.github.io "},
  };
  for (const auto& row : kRows) {
    std::string found;
    for (const detail::Suffix& suffix : detail::find_suffixes(row.names, 3)) {
      found += suffix.pattern + ' ';
    }
    EXPECT_EQ(row.found, found) << row.names.front();
    EXPECT_TRUE(detail::find_suffixes(row.names, 0).empty());
  }
}

TEST(Learn, TakesWhatPassedAndSaysWhatItLeftOut) {
  Learner learner({});
  learner.add(event("passed.example"));
  LogEvent other = event("reported.example");
  other.ending = Ending::kReported;
  learner.add(other);
  other = event("denied.example");
  other.ending = Ending::kDenied;
  other.count = 5;
  learner.add(other);
  other = event("typo.example");
  other.ending = Ending::kUnresolved;
  learner.add(other);
  other = event("fronted.example");
  other.hello = Hello::kNamesAnother;
  learner.add(other);
  const Learned learned = learner.learn();
  EXPECT_EQ("passed.example 443\nreported.example 443\n", told(learned));
  EXPECT_EQ(5U, learned.denied.requests);
  EXPECT_EQ(1U, learned.denied.hosts);
  EXPECT_EQ(1U, learned.unresolved.requests);
  EXPECT_EQ(1U, learned.another_name.requests);
}

TEST(Learn, Options) {
  const auto with = [](LearnOptions options) {
    Learner learner(std::move(options));
    LogEvent reported = event("reported.example");
    reported.ending = Ending::kReported;
    learner.add(reported);
    LogEvent denied = event("denied.example");
    denied.ending = Ending::kDenied;
    learner.add(denied);
    LogEvent old = event("old.example");
    old.time -= 1;
    learner.add(old);
    learner.add(event("other.example", 443, "192.0.2.1"));
    learner.add(event("often.example"));
    learner.add(event("often.example"));
    return told(learner.learn());
  };
  EXPECT_EQ("often.example 443\nold.example 443\nother.example 443\nreported.example 443\n",
            with({}));
  EXPECT_EQ("reported.example 443\n", with({.only_reported = true}));
  EXPECT_EQ(
      "denied.example 443\noften.example 443\nold.example 443\nother.example 443\n"
      "reported.example 443\n",
      with({.include_denied = true}));
  EXPECT_EQ("often.example 443\n", with({.min_count = 2}));
  EXPECT_EQ("often.example 443\nother.example 443\nreported.example 443\n", with({.since = kTime}));
  EXPECT_EQ("other.example 443\n", with({.from = {*Cidr::parse("192.0.2.0/24")}}));
}

TEST(Learn, GroupsByPortsAndTerms) {
  Learner learner({});
  learner.add(event("both.example", 80));
  learner.add(event("both.example", 443));
  learner.add(event("tls.example"));
  learner.add(event("range.example", 8001));
  learner.add(event("range.example", 8002));
  LogEvent of_ssh = event("ssh.example", 22);
  of_ssh.hello = Hello::kNotTls;
  learner.add(of_ssh);
  LogEvent nameless = event("nameless.example");
  nameless.hello = Hello::kNamesNobody;
  learner.add(nameless);
  learner.add(event("nameless.example"));  // served by the same entry
  learner.add(event("[2606:4700::1111]"));
  EXPECT_EQ(
      "both.example 80 443\n2606:4700::1111 443\ntls.example 443\nrange.example 8001-8002\n"
      "nameless.example 443 sni\nssh.example 22 tls-off\n",
      told(learner.learn()));
}

TEST(Learn, PrefersWhatIsKnown) {
  const auto known = detail::listed(".known.example\nother.example");
  LearnOptions options = {};
  options.known.push_back({"team.list", known.get()});
  Learner learner(options);
  learner.add(event("a.known.example"));
  learner.add(event("b.known.example"));
  learner.add(event("a.known.example", 8443));
  const Learned learned = learner.learn();
  EXPECT_EQ(".known.example\na.known.example 8443\n", told(learned));
  EXPECT_EQ("team.list", learned.entries.front().source);
  EXPECT_EQ(2U, learned.entries.front().hosts.front().names);
}

TEST(Learn, TakesABundleWhereMostOfItWasSeen) {
  LearnOptions options = {};
  options.bundles = config::builtin_bundles();
  const auto with = [&](const std::vector<std::string_view>& hosts) {
    Learner learner(options);
    for (const std::string_view host : hosts) learner.add(event(host));
    return told(learner.learn());
  };
  EXPECT_EQ("registry-1.docker.io 443\n", with({"registry-1.docker.io"}));
  EXPECT_TRUE(with({"registry-1.docker.io", "auth.docker.io"}).starts_with("bundle docker-hub\n"));
  Learner learner(options);
  for (const std::string_view host :
       {"api.ecr.eu-west-2.amazonaws.com", "111122223333.dkr.ecr.eu-west-2.amazonaws.com",
        "prod-eu-west-2-starport-layer-bucket.s3.eu-west-2.amazonaws.com"}) {
    learner.add(event(host));
  }
  const Learned learned = learner.learn();
  ASSERT_EQ(1U, learned.entries.size());
  const auto& bundle = *learned.entries.front().terms.bundle;
  EXPECT_EQ("ecr", bundle.name);
  EXPECT_EQ((policy::BundleArguments{{"account", "111122223333"}, {"region", "eu-west-2"}}),
            bundle.arguments);
  const auto policy = detail::parsed(to_yaml(learned, options));
  EXPECT_EQ(3U, policy->pattern_count());
}

TEST(Learn, SaysTheEvidence) {
  Learner learner({.names_for_suffix = 2});
  LogEvent logged = event("a.x.example");
  logged.address = "10.9.0.5";
  learner.add(logged);
  logged = event("b.x.example", 443, "10.1.2.4");
  logged.time += 3'600'000;
  learner.add(logged);
  learner.add(event("c.y.example"));
  EXPECT_EQ(R"(# Learned by `ebbgate learn` from 3 requests to 3 hosts,
# from 2026-01-31T12:00:00Z to 2026-01-31T13:00:00Z.
# It allows what was seen, wanted or not: read it before you enforce it.
apiVersion: ebbgate.dev/v1alpha1
kind: EgressPolicy
metadata:
  name: "learned"
spec:
  allow:
    - hosts:
        # 2 requests to 2 names from 2 clients, first 2026-01-31T12:00:00Z, last 2026-01-31T13:00:00Z
        # led to 10.9.0.5, private (RFC 1918): needs `addresses`, or --allow-private
        - "*.x.example"
        # 1 request from 1 client, first 2026-01-31T12:00:00Z, last 2026-01-31T12:00:00Z
        - "c.y.example"
      ports: [443]
)",
            to_yaml(learner.learn(), learner.options()));
}

// What was learned allows everything that it was learned from, and is the same whatever the order.
TEST(Learn, WhatItWritesAllowsAllItSaw) {
  std::mt19937 random(13);
  static constexpr std::string_view kDomains[] = {"x.example",  "y.x.example",
                                                  "co.uk",      "s3.amazonaws.com",
                                                  "github.io",  "docker.io",
                                                  "quay.io",    "amazonaws.com",
                                                  "internal",   "dkr.ecr.eu-west-2.amazonaws.com",
                                                  "github.com", "example"};
  static constexpr std::uint16_t kPorts[] = {80, 443, 443, 443, 8443, 22};
  static constexpr Hello kHellos[] = {Hello::kUnknown, Hello::kNamesHost, Hello::kNamesHost,
                                      Hello::kNamesNobody, Hello::kNotTls};
  const auto pick = [&](const auto& all) { return all[random() % std::size(all)]; };
  for (int round = 0; round < 100; ++round) {
    LearnOptions options = {};
    options.names_for_suffix = random() % 4;
    if (random() % 2 == 0) options.bundles = config::builtin_bundles();
    struct Kept {
      std::string host;
      LogEvent event;
    };
    std::vector<Kept> kept;
    for (int i = 0; i < 60; ++i) {
      static constexpr std::string_view kFirst[] = {
          "a", "b", "c", "auth", "api", "registry-1", "111122223333", "cdn"};
      std::string host = std::string(pick(kFirst)) + '.' + std::string(pick(kDomains));
      if (random() % 10 == 0) host = "198.51.100." + std::to_string(random() % 5);
      if (random() % 12 == 0) host = std::string(pick(kDomains));
      LogEvent logged = event("", pick(kPorts));
      logged.hello = pick(kHellos);
      if (logged.port == 80 && random() % 2 == 0) {
        logged.access = Access::kClear;
        logged.method = "GET";
        logged.path = "/";
        logged.hello = Hello::kUnknown;
      }
      kept.push_back({std::move(host), logged});
    }
    const auto yaml_of = [&] {
      Learner learner(options, {}, random());
      for (Kept& each : kept) {
        each.event.host = each.host;
        learner.add(each.event);
      }
      return to_yaml(learner.learn(), options);
    };
    const std::string yaml = yaml_of();
    std::ranges::shuffle(kept, random);
    EXPECT_EQ(yaml, yaml_of());
    const auto policy = detail::parsed(yaml);
    for (const Kept& each : kept) {
      const auto host = Host::parse(each.host);
      const policy::Subject subject{
          .address = IpAddress::parse("10.1.2.3"), .user = {}, .certificate = {}, .pod = {}};
      const LoggedRequest logged{.subject = subject,
                                 .host = *host,
                                 .port = *Port::of(each.event.port),
                                 .access = each.event.access,
                                 .hello = each.event.hello,
                                 .method = each.event.method,
                                 .path = each.event.path};
      EXPECT_EQ((Judgement{Verdict::kAllow, Reason::kAllowed}),
                judge(*policy, policy::AddressGuard(), logged, kNow))
          << each.host << ':' << each.event.port << '\n'
          << yaml;
    }
  }
}

}  // namespace
}  // namespace ebbgate::analyse
