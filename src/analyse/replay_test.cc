#include "analyse/replay.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <string>

#include "analyse/detail/testing.h"
#include "analyse/unused.h"
#include "policy/handshake.h"

namespace ebbgate::analyse {
namespace {

using detail::listed;
using detail::spec;

constexpr WallTime kNow{std::chrono::seconds(1'769'860'800)};

LogEvent event(std::string_view host, std::uint16_t port = 443,
               std::string_view client = "10.1.2.3") {
  return {
      .time = 1'769'860'800'000, .port = port, .host = host, .client = client, .method = "CONNECT"};
}

TEST(Replay, ListsWhatIsDecidedOtherwise) {
  const auto before = listed("a.example\nb.example");
  const auto after = listed("b.example\nc.example");
  Replay replay(*before, *after, {}, kNow);
  LogEvent of_a = event("a.example");
  replay.add(of_a);
  of_a.time += 5000;
  replay.add(of_a);
  replay.add(event("b.example"));
  replay.add(event("c.example", 443, "10.1.2.4"));
  replay.add(event("d.example"));
  const ReplayReport report = replay.report();
  EXPECT_EQ(5U, report.requests);
  EXPECT_EQ(2U, report.refused);
  EXPECT_EQ(1U, report.passed);
  EXPECT_EQ(2U, report.clients);
  ASSERT_EQ(2U, report.flows.size());
  const ReplayedFlow& first = report.flows.front();
  EXPECT_EQ("10.1.2.3", first.subject);
  EXPECT_EQ("a.example:443", first.target);
  EXPECT_EQ(2U, first.count);
  EXPECT_EQ(5000, first.last - first.first);
  EXPECT_EQ((Judgement{Verdict::kAllow, Reason::kAllowed}), first.before);
  EXPECT_EQ((Judgement{Verdict::kDeny, Reason::kNotAllowed}), first.after);
}

TEST(Replay, ATunnelIsOneRequest) {
  const auto policy = listed("a.example");
  Replay replay(*policy, *policy, {}, kNow);
  for (const Phase phase : {Phase::kOpen, Phase::kClose}) {
    LogEvent of_tunnel = event("a.example");
    of_tunnel.phase = phase;
    replay.add(of_tunnel);
  }
  EXPECT_EQ(1U, replay.report().requests);
}

TEST(Replay, JudgesTheHandshakeWhereTheLogHasIt) {
  const auto before = spec("{allow: [{hosts: [a.example], sni: optional}]}");
  const auto after = spec("{allow: [{hosts: [a.example]}]}");
  Replay replay(*before, *after, {}, kNow);
  LogEvent nameless = event("a.example");
  nameless.hello = Hello::kNamesNobody;
  replay.add(nameless);
  replay.add(event("a.example"));  // nothing is known of it
  const ReplayReport report = replay.report();
  EXPECT_EQ(1U, report.refused);
  ASSERT_EQ(1U, report.flows.size());
  EXPECT_EQ(Reason::kSniMissing, report.flows.front().after.reason);
}

TEST(Replay, JudgesMethodsPathsAndAddresses) {
  const auto before = spec("{allow: [{hosts: [a.example]}]}");
  const auto after =
      spec("{allow: [{hosts: [a.example], paths: [/ok]}], deny: [{hosts: [203.0.113.0/24]}]}");
  Replay replay(*before, *after, {}, kNow);
  LogEvent of_path = event("a.example", 80);
  of_path.access = Access::kClear;
  of_path.method = "GET";
  of_path.address = "192.0.2.53";  // special: refused by both
  of_path.path = "/ok/x?";
  replay.add(of_path);
  of_path.address = "8.8.8.8";
  replay.add(of_path);
  of_path.path = "/other";
  replay.add(of_path);
  of_path.path = "/ok";
  of_path.address = "9.9.9.9";
  replay.add(of_path);
  const ReplayReport report = replay.report();
  EXPECT_EQ(4U, report.requests);
  EXPECT_EQ(1U, report.refused);
}

TEST(Replay, KeepsCountingWhenMemoryIsUp) {
  const auto before = listed(".example");
  const auto after = listed("a.example");
  Replay replay(*before, *after, {}, kNow, {.flows = 10, .octets = 1 << 20});
  for (int i = 0; i < 100; ++i) replay.add(event("h" + std::to_string(i) + ".example"));
  const ReplayReport report = replay.report();
  EXPECT_EQ(100U, report.requests);
  EXPECT_EQ(100U, report.refused);
  EXPECT_EQ(10U, report.flows.size());
  EXPECT_EQ(90U, report.unlisted);
}

TEST(Replay, IsWhatTheEngineDecides) {
  const auto before = spec(
      "{subjects: [{cidr: 10.0.0.0/8}], allow: [{hosts: [.a.example, '10.0.0.0/8:443']}, "
      "{hosts: [b.example], ports: [80-90], methods: [GET]}], deny: [{hosts: [x.a.example]}]}");
  const auto after = spec(
      "{mode: report, allow: [{hosts: [a.example, b.example], sni: optional}], "
      "deny: [{hosts: [b.example], paths: [/no]}]}");
  static constexpr std::string_view kHosts[] = {"a.example", "x.a.example", "y.a.example",
                                                "b.example", "10.1.2.3",    "c.example"};
  static constexpr std::string_view kClients[] = {"10.1.1.1", "192.0.2.9"};
  static constexpr std::string_view kPaths[] = {"/", "/no", "/no/x?"};
  static constexpr std::uint16_t kPorts[] = {80, 85, 443, 8080};
  std::mt19937 random(5);
  const auto pick = [&](const auto& all) { return all[random() % std::size(all)]; };
  Replay replay(*before, *after, {}, kNow);
  std::uint64_t refused = 0;
  std::uint64_t passed = 0;
  std::uint64_t otherwise = 0;
  for (int i = 0; i < 5000; ++i) {
    LogEvent logged = event(pick(kHosts), pick(kPorts), pick(kClients));
    if (random() % 2 == 0) {
      logged.access = Access::kClear;
      logged.method = random() % 2 == 0 ? "GET" : "POST";
      logged.path = pick(kPaths);
    }
    replay.add(logged);
    const auto host = Host::parse(logged.host);
    policy::Request request{.host = *host, .port = *Port::of(logged.port)};
    if (logged.access == Access::kClear) {
      request.visibility = policy::Visibility::kClear;
      request.method = logged.method;
      request.path = logged.path;
    } else if (logged.port == 80) {
      request.visibility = policy::Visibility::kPending;
    }
    const policy::Subject subject{
        .address = IpAddress::parse(logged.client), .user = {}, .certificate = {}, .pod = {}};
    const auto was = decide(*before, subject, request, kNow).verdict;
    const auto is = decide(*after, subject, request, kNow).verdict;
    const bool passes_before = was != Verdict::kDeny;
    const bool passes_after = is != Verdict::kDeny;
    refused += passes_before && !passes_after;
    passed += !passes_before && passes_after;
    otherwise += passes_before && passes_after && was != is;
  }
  const ReplayReport report = replay.report();
  EXPECT_EQ(5000U, report.requests);
  EXPECT_EQ(refused, report.refused);
  EXPECT_EQ(passed, report.passed);
  EXPECT_EQ(otherwise, report.otherwise);
  EXPECT_GT(passed, 100U);
  EXPECT_GT(otherwise, 100U);
  std::uint64_t listed_count = 0;
  for (const ReplayedFlow& flow : report.flows) listed_count += flow.count;
  EXPECT_EQ(refused + passed + otherwise, listed_count);
}

std::vector<std::string> unused(const policy::Policy& policy, const Usage& usage) {
  std::vector<std::string> out;
  for (const policy::PatternId id : usage.report().unused) out.push_back(policy.cite(id).pattern);
  return out;
}

TEST(Usage, AnEntryIsUsedByWhatItMatchesAloneOrNot) {
  const auto policy = spec(
      "{allow: [{hosts: [.a.example, x.a.example, b.example, 'a.example:8443']}], "
      "deny: [{hosts: [no.a.example, never.example, 203.0.113.0/24]}]}");
  Usage usage(*policy, 0);
  usage.add(event("x.a.example"));
  LogEvent denied = event("no.a.example");
  denied.ending = Ending::kDenied;
  usage.add(denied);
  EXPECT_EQ(
      (std::vector<std::string>{"b.example", "a.example:8443", "never.example", "203.0.113.0/24"}),
      unused(*policy, usage));
  LogEvent dialed = event("b.example");
  dialed.address = "203.0.113.9";
  usage.add(dialed);
  EXPECT_EQ((std::vector<std::string>{"a.example:8443", "never.example"}), unused(*policy, usage));
}

TEST(Usage, OnlyTheLastDaysCount) {
  const auto policy = listed("a.example\nb.example");
  Usage usage(*policy, 1'769'860'800'000);
  usage.add(event("a.example"));
  LogEvent before = event("b.example");
  before.time -= 1;
  usage.add(before);
  EXPECT_EQ((std::vector<std::string>{"b.example"}), unused(*policy, usage));
  EXPECT_EQ(before.time, usage.report().span.first);
  EXPECT_EQ(1U, usage.report().requests);
}

TEST(Usage, AnEntryThatExpiredWasUsedBefore) {
  const auto policy = spec(
      "{allow: [{hosts: [a.example], expires: 2026-01-31T12:00:01Z}, {hosts: [b.example], "
      "expires: 2026-01-31T12:00:00Z}]}");
  Usage usage(*policy, 0);
  usage.add(event("a.example"));
  usage.add(event("b.example"));
  EXPECT_EQ((std::vector<std::string>{"b.example"}), unused(*policy, usage));
}

TEST(Usage, GoesOnWhenMemoryIsUp) {
  const auto policy = listed("a.example\nb.example\nc.example");
  Usage usage(*policy, 0, {.flows = 1, .octets = 1 << 20});
  usage.add(event("a.example"));
  usage.add(event("b.example"));
  EXPECT_EQ((std::vector<std::string>{"c.example"}), unused(*policy, usage));
}

// Removing what is unused changes no decision of the log.
TEST(Usage, WithoutTheUnusedEveryDecisionIsTheSame) {
  std::mt19937 random(11);
  for (int round = 0; round < 200; ++round) {
    std::vector<std::string> names;
    for (int i = 0; i < 8; ++i) {
      static constexpr std::string_view kKinds[] = {"", ".", "*."};
      static constexpr std::string_view kPorts[] = {"", ":443", ":8443"};
      std::string name = "n" + std::to_string(random() % 3) + ".example";
      if (random() % 2 == 0) name = "m" + std::to_string(random() % 2) + "." + name;
      names.push_back(std::string(kKinds[random() % 3]) + name + std::string(kPorts[random() % 3]));
    }
    const auto list_without = [&](const std::vector<policy::PatternId>& left_out) {
      std::string text = "always.invalid\n";
      for (std::size_t i = 0; i < names.size(); ++i) {
        const auto id = policy::PatternId{static_cast<std::uint32_t>(i + 1)};
        if (std::ranges::find(left_out, id) == left_out.end()) text += names[i] + "\n";
      }
      return listed(text);
    };
    const auto whole = list_without({});
    Usage usage(*whole, 0);
    std::vector<std::pair<std::string, std::uint16_t>> asked;
    for (int i = 0; i < 4; ++i) {
      asked.emplace_back(
          "m" + std::to_string(random() % 2) + ".n" + std::to_string(random() % 3) + ".example",
          random() % 2 == 0 ? 443 : 8443);
      usage.add(event(asked.back().first, asked.back().second));
    }
    const auto pruned = list_without(usage.report().unused);
    for (const auto& [name, port] : asked) {
      const auto host = Host::parse(name);
      const policy::Request request{.host = *host, .port = *Port::of(port)};
      EXPECT_EQ(decide(*whole, {}, request, kNow).verdict,
                decide(*pruned, {}, request, kNow).verdict);
    }
  }
}

}  // namespace
}  // namespace ebbgate::analyse
