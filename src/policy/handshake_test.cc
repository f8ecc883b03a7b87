#include "policy/handshake.h"

#include <gtest/gtest.h>

#include "policy/detail/test_documents.h"

namespace ebbgate::policy {
namespace {

using detail::compiled;
using detail::decide_tunnel;
using detail::document;
using detail::entry;
using detail::host;

Handshake hello(std::string_view server_name, bool ech = false) {
  Handshake handshake{.is_tls = true, .server_name = {}, .ech = ech};
  if (!server_name.empty()) handshake.server_name = *Hostname::parse(server_name);
  return handshake;
}

Entry with(std::optional<SniRule> sni, TlsRule tls = TlsRule::kRequire,
           EchRule ech = EchRule::kAllow) {
  Entry made = entry({"a.example", "203.0.113.7"});
  made.sni = sni;
  made.tls = tls;
  made.ech = ech;
  return made;
}

Reason judge(const std::vector<Entry>& entries, const Handshake& handshake,
             std::string_view target = "a.example", const PolicySettings& settings = {}) {
  const auto policy = compiled({document(entries)}, settings);
  const Decision decision = decide_tunnel(*policy, std::string(target) + ":443");
  return judge_handshake(*policy, decision.admissions, host(target), handshake);
}

TEST(Handshake, HasToNameTheTarget) {
  const std::vector<Entry> entries = {with(std::nullopt)};
  EXPECT_EQ(judge(entries, hello("a.example")), Reason::kAllowed);
  EXPECT_EQ(judge(entries, hello("A.Example.")), Reason::kAllowed);
  EXPECT_EQ(judge(entries, hello("b.example")), Reason::kSniMismatch);
  EXPECT_EQ(judge(entries, hello("x.a.example")), Reason::kSniMismatch);
  EXPECT_EQ(judge(entries, hello("")), Reason::kSniMissing);
  EXPECT_EQ(judge(entries, Handshake{}), Reason::kNotTls);
  EXPECT_EQ(judge(entries, hello("a.example", true)), Reason::kAllowed);
}

TEST(Handshake, IsHeldToTheTermsOfTheEntry) {
  EXPECT_EQ(judge({with(SniRule::kOptional)}, hello("")), Reason::kAllowed);
  EXPECT_EQ(judge({with(SniRule::kOptional)}, hello("b.example")), Reason::kSniMismatch);
  EXPECT_EQ(judge({with(SniRule::kOptional)}, Handshake{}), Reason::kNotTls);
  EXPECT_EQ(judge({with(SniRule::kOff)}, hello("b.example")), Reason::kAllowed);
  EXPECT_EQ(judge({with(SniRule::kOff)}, Handshake{}), Reason::kNotTls);
  EXPECT_EQ(judge({with(std::nullopt, TlsRule::kOff)}, Handshake{}), Reason::kAllowed);
  EXPECT_EQ(
      judge({with(std::nullopt, TlsRule::kRequire, EchRule::kDeny)}, hello("a.example", true)),
      Reason::kEchDenied);
  EXPECT_EQ(judge({with(std::nullopt, TlsRule::kRequire, EchRule::kDeny)}, hello("a.example")),
            Reason::kAllowed);
}

TEST(Handshake, FollowsTheDefaultWhereTheEntrySaysNothing) {
  PolicySettings settings;
  settings.sni = SniRule::kOptional;
  EXPECT_EQ(judge({with(std::nullopt)}, hello(""), "a.example", settings), Reason::kAllowed);
  EXPECT_EQ(judge({with(SniRule::kRequire)}, hello(""), "a.example", settings),
            Reason::kSniMissing);
}

TEST(Handshake, WithAnAddressMayHaveNoNameOrOneThatLeadsThere) {
  const std::vector<Entry> entries = {with(std::nullopt)};
  EXPECT_EQ(judge(entries, hello(""), "203.0.113.7"), Reason::kAllowed);
  EXPECT_EQ(judge(entries, hello("a.example"), "203.0.113.7"), Reason::kSniMismatch);
  Handshake checked = hello("a.example");
  checked.name_leads_here = true;
  EXPECT_EQ(judge(entries, checked, "203.0.113.7"), Reason::kAllowed);
  checked.name_leads_here = true;
  checked.server_name = Hostname::parse("b.example").value();
  EXPECT_EQ(judge(entries, checked, "a.example"), Reason::kSniMismatch) << "a name has to be equal";
}

TEST(Handshake, HasToSatisfyOneEntryAsAWhole) {
  std::vector<Entry> entries = {with(SniRule::kOff, TlsRule::kRequire, EchRule::kDeny),
                                with(SniRule::kRequire)};
  for (int order = 0; order < 2; ++order) {
    EXPECT_EQ(judge(entries, hello("b.example")), Reason::kAllowed);
    EXPECT_EQ(judge(entries, hello("a.example", true)), Reason::kAllowed);
    // Neither lets that pass, though one lets the name pass and the other ECH.
    EXPECT_EQ(judge(entries, hello("b.example", true)), Reason::kSniMismatch);
    std::swap(entries[0], entries[1]);
  }
}

TEST(Handshake, IsWaitedForUnlessAnEntryLetsTheServerSpeakFirst) {
  for (const TlsRule second : {TlsRule::kRequire, TlsRule::kOff}) {
    const auto policy = compiled({document({with(std::nullopt), with(std::nullopt, second)})});
    const Decision decision = decide_tunnel(*policy, "a.example:443");
    EXPECT_EQ(expects_client_hello(*policy, decision.admissions), second == TlsRule::kRequire);
  }
}

}  // namespace
}  // namespace ebbgate::policy
