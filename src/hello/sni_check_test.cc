#include "hello/sni_check.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "hello/tls_alert.h"

namespace ebbgate::hello {
namespace {

TEST(SniCheck, ComparesTheNameWithTheTarget) {
  constexpr auto kPass = SniVerdict::kPass;
  using enum SniRule;
  struct Row {
    std::string sni;  // empty: none
    std::string target;
    SniRule rule;
    Result<SniVerdict> outcome;
  };
  const auto refused = [](Reason reason) { return fail(reason, Side::kClient, ""); };
  const std::vector<Row> rows = {
      {"example.com", "example.com", kRequire, kPass},
      {"Example.COM.", "example.com", kRequire, kPass},
      {"example.com", "EXAMPLE.com.", kOptional, kPass},
      {"example.net", "example.com", kRequire, refused(Reason::kSniMismatch)},
      {"example.net", "example.com", kOptional, refused(Reason::kSniMismatch)},
      {"www.example.com", "example.com", kRequire, refused(Reason::kSniMismatch)},
      {"example.net", "example.com", kOff, kPass},
      {"", "example.com", kRequire, refused(Reason::kSniMissing)},
      {"", "example.com", kOptional, kPass},
      {"", "example.com", kOff, kPass},
      {"", "203.0.113.7", kRequire, kPass},
      {"", "[2001:db8::1]", kOptional, kPass},
      {"example.com", "203.0.113.7", kRequire, SniVerdict::kNameToJudge},
      {"example.com", "[2001:db8::1]", kOptional, SniVerdict::kNameToJudge},
      {"example.com", "203.0.113.7", kOff, kPass},
  };
  for (const Row& row : rows) {
    ClientHello hello;
    if (!row.sni.empty()) hello.sni = *Hostname::parse(row.sni);
    const auto outcome = judge_hello(hello, *Host::parse(row.target), row.rule, false);
    const std::string what = row.sni + " for " + row.target;
    ASSERT_EQ(outcome.has_value(), row.outcome.has_value()) << what;
    if (outcome) {
      EXPECT_EQ(*outcome, *row.outcome) << what;
    } else {
      EXPECT_EQ(outcome.error().reason, row.outcome.error().reason) << what;
      EXPECT_EQ(outcome.error().side, Side::kClient) << what;
    }
  }
}

TEST(SniCheck, RefusesEchOnlyWhereItIsDenied) {
  const ClientHello hello{*Hostname::parse("example.com"), true};
  const Host target = *Host::parse("example.com");
  EXPECT_TRUE(judge_hello(hello, target, SniRule::kRequire, false));
  for (const SniRule rule : {SniRule::kRequire, SniRule::kOptional, SniRule::kOff}) {
    EXPECT_EQ(judge_hello(hello, target, rule, true).error().reason, Reason::kEchDenied);
  }
  EXPECT_TRUE(judge_hello({hello.sni, false}, target, SniRule::kRequire, true));
}

TEST(TlsAlert, IsOneFatalRecord) {
  const auto unrecognized = tls_alert(AlertDescription::kUnrecognizedName);
  EXPECT_EQ(std::string(unrecognized.data(), unrecognized.size()),
            std::string("\x15\x03\x03\x00\x02\x02\x70", 7));
  EXPECT_EQ(tls_alert(AlertDescription::kAccessDenied).back(), 49);
  EXPECT_EQ(alert_for(Reason::kNotTls), std::nullopt);
  EXPECT_EQ(alert_for(Reason::kSniMismatch), AlertDescription::kUnrecognizedName);
  EXPECT_EQ(alert_for(Reason::kEchDenied), AlertDescription::kAccessDenied);
}

}  // namespace
}  // namespace ebbgate::hello
