#include "analyse/policy_diff.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <string>
#include <vector>

#include "analyse/detail/testing.h"
#include "policy/decide.h"

namespace ebbgate::analyse {
namespace {

using detail::listed;
using detail::spec;

constexpr WallTime kNow{std::chrono::seconds(1'769'860'800)};  // 2026-01-31T12:00:00Z

// `+ allow .a.example 80 443 [ports]`, a line each.
std::string told(const PolicyDiff& diff) {
  std::string out;
  for (const Change& change : diff.changes) {
    out += change.is_added ? "+ " : "- ";
    out += (change.denies ? "deny " : "allow ") + change.pattern;
    for (const policy::PortRange& range : change.ports) out += ' ' + range.str();
    for (const std::string& subject : change.subjects) out += " {" + subject + '}';
    out += " [" + std::string(word(change.aspect)) + ']';
    if (!change.difference.empty()) out += ' ' + change.difference;
    out += '\n';
  }
  for (const ModeChange& mode : diff.modes) {
    out += "mode " + mode.before + " to " + mode.after + '\n';
  }
  return out;
}

std::string told(const policy::Policy& before, const policy::Policy& after) {
  return told(diff_policies(before, after, kNow));
}

TEST(PolicyDiff, OfLists) {
  const struct {
    std::string_view before, after, told;
  } kRows[] = {
      {"a.example", "a.example", ""},
      {"a.example\nb.example", "b.example\na.example", ""},
      {"a.example", "a.example:443\na.example:80", ""},
      {".a.example", "a.example\n*.a.example", ""},
      {".a.example", ".a.example\nx.a.example", ""},
      {"a.example", "a.example\nb.example", "+ allow b.example 80 443 [hosts]\n"},
      {"a.example", ".a.example", "+ allow *.a.example 80 443 [hosts]\n"},
      {"x.a.example", ".a.example", "+ allow .a.example 80 443 [suffix]\n"},
      {".a.example", "*.a.example", "- allow a.example 80 443 [hosts]\n"},
      {"a.example", "a.example:443", "- allow a.example 80 [ports] on 443\n"},
      {"a.example:443", "a.example:400-500", "+ allow a.example 400-442 444-500 [ports] on 443\n"},
      {"10.0.0.0/8", "10.1.0.0/16", "- allow 10.0.0.0/8 80 443 [suffix]\n"},
      {"10.1.0.0/16", "10.0.0.0/8\n10.2.0.0/16", "+ allow 10.0.0.0/8 80 443 [suffix]\n"},
      {"b.example", "b.example\n.a.example\nx.a.example", "+ allow .a.example 80 443 [hosts]\n"},
      {"b.example", "b.example\na.example\na.example", "+ allow a.example 80 443 [hosts]\n"},
  };
  for (const auto& row : kRows) {
    EXPECT_EQ(row.told, told(*listed(row.before), *listed(row.after)))
        << row.before << " / " << row.after;
  }
}

TEST(PolicyDiff, OfDocuments) {
  const struct {
    std::string before, after;
    std::string_view told;
  } kRows[] = {
      {"{allow: [{hosts: [a.example]}]}", "{allow: [{hosts: [a.example], sni: optional}]}",
       "+ allow a.example 80 443 [terms] sni require\n"},
      {"{allow: [{hosts: [a.example], sni: optional}]}",
       "{allow: [{hosts: [a.example]}, {hosts: [a.example], sni: optional, ports: [443]}]}",
       "- allow a.example 80 [terms] sni require\n"},
      {"{allow: [{hosts: [a.example], tls: 'off'}]}", "{allow: [{hosts: [a.example]}]}",
       "- allow a.example 80 443 [terms] tls require\n"},
      {"{allow: [{hosts: [a.example], ech: deny}]}", "{allow: [{hosts: [a.example]}]}",
       "+ allow a.example 80 443 [terms] ech deny\n"},
      {"{allow: [{hosts: [a.example]}]}",
       "{allow: [{hosts: [a.example], addresses: [10.0.0.0/8]}]}",
       "+ allow a.example 80 443 [terms] addresses none\n"},
      {"{allow: [{hosts: [a.example], methods: [GET]}]}",
       "{allow: [{hosts: [a.example], methods: [GET, HEAD]}]}",
       "+ allow a.example 80 443 [requests] methods GET\n"},
      {"{allow: [{hosts: [a.example], paths: [/x]}]}",
       "{allow: [{hosts: [a.example], paths: [/x/y]}]}",
       "- allow a.example 80 443 [requests] paths /x/y\n"},
      {"{subjects: [{cidr: 10.0.0.0/8}], allow: [{hosts: [a.example]}]}",
       "{subjects: [{cidr: 10.1.0.0/16}], allow: [{hosts: [a.example]}]}",
       "- allow a.example 80 443 {cidr 10.0.0.0/8} [subjects] only for cidr 10.1.0.0/16\n"},
      {"{subjects: [{cidr: 10.0.0.0/8}], allow: [{hosts: [a.example]}]}",
       "{allow: [{hosts: [a.example]}]}",
       "+ allow a.example 80 443 [subjects] only for cidr 10.0.0.0/8\n"},
      {"{subjects: [{cidr: 10.0.0.0/8}, {cidr: 192.168.0.0/16}], allow: [{hosts: [a.example]}]}",
       "{subjects: [{cidr: 10.0.0.0/8}, {cidr: 192.168.0.0/16}], allow: [{hosts: [b.example]}]}",
       "+ allow b.example 80 443 {cidr 10.0.0.0/8} {cidr 192.168.0.0/16} [hosts]\n"
       "- allow a.example 80 443 {cidr 10.0.0.0/8} {cidr 192.168.0.0/16} [hosts]\n"},
      {"{allow: [{hosts: [.a.example]}]}",
       "{allow: [{hosts: [.a.example]}], deny: [{hosts: [x.a.example]}]}",
       "+ deny x.a.example 1-65535 [hosts]\n"},
      {"{allow: [{hosts: [a.example], expires: 2027-01-01T00:00:00Z}]}",
       "{allow: [{hosts: [a.example], expires: 2026-06-01T00:00:00Z}]}",
       "- allow a.example 80 443 [expiry] expires 2026-06-01T00:00:00Z\n"},
      // Expired already: it is not there.
      {"{allow: [{hosts: [b.example]}, {hosts: [a.example], expires: 2026-01-01T00:00:00Z}]}",
       "{allow: [{hosts: [b.example]}]}", ""},
      {"{mode: report, allow: [{hosts: [a.example]}]}", "{allow: [{hosts: [a.example]}]}",
       "mode report to enforce\n"},
      // Who owns an entry and why is no change of what it does.
      {"{allow: [{hosts: [a.example], owner: a, reason: b}]}",
       "{allow: [{hosts: [a.example], owner: c}]}", ""},
  };
  for (const auto& row : kRows) {
    EXPECT_EQ(row.told, told(*spec(row.before), *spec(row.after))) << row.before << row.after;
  }
}

TEST(PolicyDiff, SaysWhereAndWhatIsNearest) {
  const auto diff = diff_policies(*listed("a.example:443"), *listed("\na.example"), kNow);
  ASSERT_EQ(1U, diff.changes.size());
  const Change& change = diff.changes.front();
  EXPECT_TRUE(change.opens());
  EXPECT_EQ("list:2:1", change.where);
  EXPECT_EQ("a.example", change.nearest);
  EXPECT_EQ("list:1:1", change.nearest_where);
}

TEST(PolicyDiff, ADenyThatGoesOpens) {
  const auto diff =
      diff_policies(*spec("{allow: [{hosts: [.a.example]}], deny: [{hosts: [x.a.example]}]}"),
                    *spec("{allow: [{hosts: [.a.example]}]}"), kNow);
  ASSERT_EQ(1U, diff.changes.size());
  EXPECT_TRUE(diff.changes.front().opens());
}

// Policies of a few names that overlap in every way.
std::shared_ptr<const policy::Policy> random_policy(std::mt19937& random) {
  static constexpr std::string_view kNames[] = {
      "example",      ".a.example",    "a.example", "*.a.example", "x.a.example",
      ".x.a.example", "y.x.a.example", "b.example", "10.0.0.0/8",  "10.1.2.3"};
  static constexpr std::string_view kPorts[] = {"", ":443", ":80", ":1-1000"};
  static constexpr std::string_view kTerms[] = {"", ", sni: optional", ", tls: 'off'",
                                                ", ports: [443]", ", methods: [GET]"};
  const auto pick = [&](const auto& all) { return std::string(all[random() % std::size(all)]); };
  std::string documents;
  const unsigned count = 1 + random() % 2;
  for (unsigned d = 0; d < count; ++d) {
    documents += "---\napiVersion: ebbgate.dev/v1alpha1\nkind: EgressPolicy\nmetadata: {name: p" +
                 std::to_string(d) + "}\nspec:\n";
    if (random() % 3 == 0) documents += "  subjects: [{cidr: 10.0.0.0/8}, {cidr: 10.9.0.0/16}]\n";
    for (const char* key : {"  allow:\n", "  deny:\n"}) {
      documents += key;
      const unsigned entries = 1 + random() % 2;
      for (unsigned e = 0; e < entries; ++e) {
        std::string terms = pick(kTerms);
        if (std::string_view(key).contains("deny") && !terms.contains("ports")) terms.clear();
        documents += "    - {hosts: [\"" + pick(kNames) + pick(kPorts) + "\", \"" + pick(kNames) +
                     "\"]" + terms + "}\n";
      }
    }
  }
  return detail::parsed(documents);
}

TEST(PolicyDiff, OfAPolicyAndItselfIsEmpty) {
  std::mt19937 random(1);
  for (int round = 0; round < 300; ++round) {
    const auto policy = random_policy(random);
    EXPECT_EQ("", told(*policy, *policy));
  }
}

TEST(PolicyDiff, IsSymmetrical) {
  std::mt19937 random(2);
  for (int round = 0; round < 300; ++round) {
    const auto a = random_policy(random);
    const auto b = random_policy(random);
    const auto key = [](Change change, bool is_added) {
      change.is_added = is_added;
      return told({.changes = {change}, .modes = {}}) + change.where + change.nearest_where;
    };
    std::vector<std::string> there;
    std::vector<std::string> back;
    for (const Change& change : diff_policies(*a, *b, kNow).changes) {
      there.push_back(key(change, change.is_added));
    }
    for (const Change& change : diff_policies(*b, *a, kNow).changes) {
      back.push_back(key(change, !change.is_added));
    }
    std::ranges::sort(there);
    std::ranges::sort(back);
    EXPECT_EQ(there, back);
  }
}

// Where the engine decides otherwise, the diff says something; where it says nothing, the engine
// decides the same.
TEST(PolicyDiff, NoDifferenceMeansNoOtherDecision) {
  std::mt19937 random(3);
  static constexpr std::string_view kHosts[] = {"a.example",       "x.a.example", "y.x.a.example",
                                                "z.y.x.a.example", "b.example",   "10.1.2.3",
                                                "10.2.2.3",        "example"};
  std::size_t same = 0;
  static constexpr std::string_view kPieces[] = {
      "a.example",     "*.a.example",   ".a.example",       "x.a.example",
      "*.x.a.example", ".a.example:80", "a.example:80-443", "10.0.0.0/8:443"};
  for (int round = 0; round < 2000; ++round) {
    const auto some = [&] {
      std::string text;
      for (int i = 0; i < 3; ++i)
        text += std::string(kPieces[random() % std::size(kPieces)]) + "\n";
      return listed(text);
    };
    const auto a = some();
    const auto b = some();
    if (!diff_policies(*a, *b, kNow).is_empty()) continue;
    ++same;
    for (const std::string_view text : kHosts) {
      const auto host = Host::parse(text);
      ASSERT_TRUE(host);
      for (const std::uint32_t number : {80U, 443U, 999U, 2000U}) {
        for (const std::string_view client : {"10.9.0.1", "192.0.2.1"}) {
          const policy::Subject subject{
              .address = IpAddress::parse(client), .user = {}, .certificate = {}, .pod = {}};
          const policy::Request request{.host = *host, .port = *Port::of(number)};
          EXPECT_EQ(decide(*a, subject, request, kNow).verdict,
                    decide(*b, subject, request, kNow).verdict);
        }
      }
    }
  }
  EXPECT_GT(same, 20U);
}

}  // namespace
}  // namespace ebbgate::analyse
