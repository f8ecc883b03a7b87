// The compiled index against the definition: a scan over all patterns with Pattern::matches(). Any
// set of patterns, any host, any order must give the same matches.
#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <set>

#include "policy/address_class.h"
#include "policy/detail/pattern_index.h"
#include "policy/detail/test_documents.h"

namespace ebbgate::policy {
namespace {

class Generator {
 public:
  explicit Generator(std::uint32_t seed) : random_(seed) {}

  std::size_t below(std::size_t limit) { return random_() % limit; }

  // Few labels and few depths, so that names meet.
  std::string name() {
    static constexpr std::array<std::string_view, 8> kLabels = {
        "a",
        "b",
        "ab",
        "com",
        "example",
        "x-y",
        "xn--bcher-kva",
        "a-label-that-is-longer-than-two-words-of-the-hash"};
    std::string text;
    for (std::size_t labels = 1 + below(4); labels > 0; --labels) {
      text += std::string(kLabels[below(kLabels.size())]) + (labels > 1 ? "." : "");
    }
    return text;
  }

  IpAddress address() {
    const auto low = static_cast<std::uint32_t>(below(4) << 16 | below(4) << 8 | below(4));
    if (below(2) == 0) return IpAddress::v4(0x0a000000U | low);
    std::array<std::uint8_t, 16> bytes{0x20, 0x01, 0x0d, 0xb8};
    bytes[below(16)] = static_cast<std::uint8_t>(low);
    return IpAddress::v6(bytes);
  }

  Host host() { return below(4) == 0 ? Host(address()) : Host(*Hostname::parse(name())); }

  Pattern pattern() {
    std::string text;
    switch (below(5)) {
      case 0:
        text = "." + name();
        break;
      case 1:
        text = "*." + name();
        break;
      case 2: {
        const IpAddress of = address();
        text = Cidr::of(of, static_cast<unsigned>(below(of.is_v4() ? 33 : 129))).str();
        if (of.is_v6()) text = "[" + text + "]";
        break;
      }
      default:
        text = name();
    }
    if (below(3) == 0) text += ":" + std::to_string(79 + below(4)) + "-" + std::to_string(82);
    return detail::pattern(text);
  }

 private:
  std::mt19937 random_;
};

// A deny entry also holds an address by the IPv4 address inside it.
bool denies_by_scan(const Pattern& pattern, const Host& host) {
  if (host.address() == nullptr) return pattern.matches(host);
  return std::ranges::any_of(Readings(*host.address()), [&](const IpAddress& reading) {
    return pattern.matches(Host(reading));
  });
}

TEST(Index, FindsExactlyThePatternsThatAScanFinds) {
  std::size_t matches = 0;
  for (std::uint32_t round = 0; round < 60; ++round) {
    Generator generate(round);
    std::vector<Pattern> patterns;
    Document document;
    for (std::size_t e = 1 + generate.below(4); e > 0; --e) {
      Entry& entry = document.allow.emplace_back();
      for (std::size_t i = 1 + generate.below(round < 30 ? 5 : 80); i > 0; --i) {
        patterns.push_back(generate.pattern());
        entry.hosts.add(patterns.back());
      }
    }
    const auto policy = detail::compiled({document}, {.hash_seed = round});
    ASSERT_EQ(policy->pattern_count(), patterns.size());
    for (int i = 0; i < 300; ++i) {
      const Host host = generate.host();
      std::set<std::size_t> found;
      policy->index().visit(host, [&](const detail::Hit& hit) {
        EXPECT_TRUE(found.insert(static_cast<std::size_t>(hit.id)).second) << "found twice";
      });
      std::set<std::size_t> expected;
      for (std::size_t p = 0; p < patterns.size(); ++p) {
        if (patterns[p].matches(host)) expected.insert(p);
      }
      ASSERT_EQ(found, expected) << host.str() << " in round " << round;
      matches += found.size();
    }
  }
  EXPECT_GT(matches, 10000U) << "the generated names hardly ever meet";
}

TEST(Index, DecidesAsAScanDoesWhateverTheOrder) {
  for (std::uint32_t round = 0; round < 40; ++round) {
    Generator generate(1000 + round);
    std::vector<Document> documents(1 + generate.below(4));
    for (Document& document : documents) {
      for (std::size_t e = 1 + generate.below(3); e > 0; --e) {
        Entry& entry = (generate.below(4) == 0 ? document.deny : document.allow).emplace_back();
        for (std::size_t i = 1 + generate.below(8); i > 0; --i) entry.hosts.add(generate.pattern());
        if (generate.below(2) == 0) entry.ports = {{80, 80}, {82, 90}};
      }
    }
    const auto forwards = detail::compiled(documents, {.hash_seed = round});
    auto turned = documents;
    std::ranges::reverse(turned);
    const auto backwards = detail::compiled(turned, {.hash_seed = round + 1});
    for (int i = 0; i < 300; ++i) {
      const Host host = generate.host();
      const Port port = detail::port(static_cast<std::uint32_t>(79 + generate.below(5)));
      bool denied = false;
      bool allowed = false;
      bool allowed_elsewhere = false;
      for (const Document& document : documents) {
        for (const bool denies : {false, true}) {
          for (const Entry& entry : denies ? document.deny : document.allow) {
            for (std::size_t p = 0; p < entry.hosts.size(); ++p) {
              const Pattern pattern = entry.hosts[p];
              if (!(denies ? denies_by_scan(pattern, host) : pattern.matches(host))) continue;
              std::vector<PortRange> ports = entry.ports;
              if (ports.empty() && !denies) ports = {{80, 80}, {443, 443}};
              if (ports.empty()) ports = {PortRange{}};
              if (pattern.ports()) ports = {*pattern.ports()};
              const bool fits = std::ranges::any_of(
                  ports, [&](const PortRange& range) { return range.contains(port); });
              denied |= denies && fits;
              allowed |= !denies && fits;
              allowed_elsewhere |= !denies && !fits;
            }
          }
        }
      }
      const Reason expected = denied              ? Reason::kDeniedByRule
                              : allowed           ? Reason::kAllowed
                              : allowed_elsewhere ? Reason::kPortNotAllowed
                                                  : Reason::kNotAllowed;
      const Request request{.host = host, .port = port};
      const Subject subject = detail::client("192.0.2.1");
      ASSERT_EQ(decide(*forwards, subject, request, detail::at(0)).reason, expected) << host.str();
      ASSERT_EQ(decide(*backwards, subject, request, detail::at(0)).reason, expected) << host.str();
    }
  }
}

}  // namespace
}  // namespace ebbgate::policy
