#include "webhook/certificate.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "kube/testing.h"
#include "net/run.h"
#include "net/testing.h"
#include "tls/self_signed.h"
#include "webhook/detail/testing.h"
#include "webhook/upkeep.h"

namespace ebbgate::webhook {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::Json;
using ::testing::SizeIs;

constexpr Duration kLifetime = 90 * 24h;
const ServiceName kService{.name = "ebbgate-webhook", .in_namespace = "ebbgate-system"};
const WallTime kNow = SystemClock().wall();

std::size_t count(const std::string& text, const std::string& what) {
  std::size_t out = 0;
  for (std::size_t at = text.find(what); at != std::string::npos; at = text.find(what, at + 1))
    ++out;
  return out;
}

std::string secret_text(const std::string& patch, const std::string& version) {
  Json secret = patch.empty() ? Json::object() : Json::parse(patch);
  secret["kind"] = "Secret";
  secret["metadata"] = {{"name", "ebbgate-webhook"}, {"resourceVersion", version}};
  return secret.dump();
}

TEST(WebhookCertificate, IsRenewedWhenAThirdIsLeft) {
  const Certificate made = renewed({}, kService, kNow, kLifetime).value();
  EXPECT_FALSE(is_due(made, kNow, kLifetime));
  EXPECT_FALSE(is_due(made, kNow + 59 * 24h, kLifetime));
  EXPECT_TRUE(is_due(made, kNow + 61 * 24h, kLifetime));
  EXPECT_TRUE(is_due(made, kNow + 200 * 24h, kLifetime));
  EXPECT_TRUE(is_due({}, kNow, kLifetime));
}

TEST(WebhookCertificate, KeepsTheAuthoritiesThatHoldStill) {
  Certificate certificate = renewed({}, kService, kNow, kLifetime).value();
  std::vector<std::size_t> authorities;
  WallTime now = kNow;
  for (int i = 0; i < 4; ++i) {
    now += 24h;
    const std::string before = certificate.authorities_pem;
    certificate = renewed(certificate, kService, now, kLifetime).value();
    EXPECT_EQ(certificate.authorities_pem.find(before.substr(0, before.find("END"))) > 0, true);
    authorities.push_back(count(certificate.authorities_pem, "BEGIN CERTIFICATE"));
  }
  EXPECT_THAT(authorities, ElementsAre(2U, 3U, 3U, 3U));
  certificate = renewed(certificate, kService, now + 2 * kLifetime, kLifetime).value();
  EXPECT_EQ(count(certificate.authorities_pem, "BEGIN CERTIFICATE"), 1U);
}

TEST(WebhookCertificate, ComesBackOutOfASecret) {
  const Certificate made = renewed({}, kService, kNow, kLifetime).value();
  const std::string patch = secret_patch(made, "7");
  EXPECT_EQ(Json::parse(patch)["metadata"]["resourceVersion"], "7");
  const auto stored = certificate_in(secret_text(patch, "8"));
  ASSERT_TRUE(stored);
  EXPECT_EQ(stored->version, "8");
  ASSERT_TRUE(stored->certificate);
  EXPECT_EQ(stored->certificate->authorities_pem, made.authorities_pem);
  EXPECT_EQ(stored->certificate->certificate_pem, made.certificate_pem);
  EXPECT_EQ(stored->certificate->key_pem, made.key_pem);

  EXPECT_FALSE(certificate_in(secret_text("", "1"))->certificate);
  EXPECT_FALSE(
      certificate_in(secret_text(R"({"data":{"tls.crt":"%%%","ca.crt":7}})", "1"))->certificate);
  EXPECT_FALSE(certificate_in("x"));
  EXPECT_FALSE(certificate_in("{}"));
}

Json configuration() {
  const auto webhook = [](const char* name, const char* service) {
    return Json{
        {"name", name},
        {"clientConfig",
         {{"service", {{"name", service}, {"namespace", "ebbgate-system"}, {"port", 443}}}}},
        {"sideEffects", "None"}};
  };
  return {{"kind", "MutatingWebhookConfiguration"},
          {"metadata", {{"name", "ebbgate"}, {"resourceVersion", "41"}}},
          {"webhooks",
           {webhook("a.ebbgate.dev", "ebbgate-webhook"), webhook("other", "other"),
            webhook("b.ebbgate.dev", "ebbgate-webhook")}}};
}

TEST(WebhookCertificate, IsToldToTheConfigurationsThatLeadToIt) {
  Json config = configuration();
  const auto patch = trust_patch(config.dump(), "PEM", kService);
  ASSERT_TRUE(patch);
  config.merge_patch(Json::parse(*patch));
  EXPECT_EQ(config["metadata"]["resourceVersion"], "41");
  EXPECT_EQ(config["webhooks"][0]["clientConfig"]["caBundle"], "UEVN");
  EXPECT_FALSE(config["webhooks"][1]["clientConfig"].contains("caBundle"));
  EXPECT_EQ(config["webhooks"][2]["clientConfig"]["caBundle"], "UEVN");
  EXPECT_EQ(config["webhooks"][2]["sideEffects"], "None");
  EXPECT_EQ(trust_patch(config.dump(), "PEM", kService).value(), "");
  EXPECT_FALSE(trust_patch(config.dump(), "PEM", {.name = "x", .in_namespace = "y"}));
  EXPECT_FALSE(trust_patch("[]", "PEM", kService));
  EXPECT_FALSE(
      trust_patch(R"({"metadata":{"resourceVersion":"1"},"webhooks":7})", "PEM", kService));
}

class TestClock final : public Clock {
 public:
  [[nodiscard]] WallTime wall() const override { return now; }
  WallTime now = kNow;
};

// The API by script, and what is served.
class WebhookUpkeep : public ::testing::Test {
 protected:
  Result<void> look() { return net::run_to_end(*loop_, upkeep_.look()); }
  [[nodiscard]] Json sent(std::size_t index) const {
    return Json::parse(script_.seen.at(index).body);
  }

  std::unique_ptr<net::Loop> loop_ = net::testing::make_loop();
  kube::testing::Script script_{*loop_};
  TestClock clock_;
  kube::Client client_{*loop_,
                       script_,
                       [] { return std::uint64_t{0}; },
                       {.server = "https://api.test", .max_attempts = 1}};
  std::vector<Certificate> served_;
  Upkeep upkeep_{client_,
                 clock_,
                 {.service = kService,
                  .secret = "ebbgate-webhook",
                  .mutating = {"ebbgate"},
                  .validating = {},
                  .lifetime = kLifetime},
                 [this](const Certificate& certificate) { served_.push_back(certificate); }};
};

TEST_F(WebhookUpkeep, MakesTheFirstCertificateAndTellsBeforeItServes) {
  script_.add(secret_text("", "1")).add("{}").add(configuration().dump()).add("{}");
  ASSERT_TRUE(look());
  ASSERT_THAT(served_, SizeIs(1));
  ASSERT_THAT(script_.seen, SizeIs(4));
  EXPECT_EQ(script_.path(1), "/api/v1/namespaces/ebbgate-system/secrets/ebbgate-webhook");
  EXPECT_EQ(sent(1)["metadata"]["resourceVersion"], "1");
  EXPECT_EQ(sent(3)["webhooks"][0]["clientConfig"]["caBundle"], sent(1)["data"]["ca.crt"]);
}

TEST_F(WebhookUpkeep, TakesWhatAnotherReplicaWasFirstToMake) {
  const Certificate theirs = renewed({}, kService, kNow, kLifetime).value();
  script_.add(secret_text("", "1"))
      .status(409, R"({"kind":"Status","reason":"Conflict","code":409})")
      .add(secret_text(secret_patch(theirs, "1"), "2"))
      .add(configuration().dump())
      .add("{}");
  ASSERT_TRUE(look());
  ASSERT_THAT(served_, SizeIs(1));
  EXPECT_EQ(served_[0].certificate_pem, theirs.certificate_pem);
}

TEST_F(WebhookUpkeep, ServesTheFirstOneEvenIfNobodyCouldBeTold) {
  const Certificate made = renewed({}, kService, kNow, kLifetime).value();
  script_.add(secret_text(secret_patch(made, "1"), "2")).status(403, "");
  const auto outcome = look();
  ASSERT_FALSE(outcome);
  EXPECT_THAT(outcome.error().detail, HasSubstr("mutatingwebhookconfigurations"));
  EXPECT_THAT(served_, SizeIs(1));
}

TEST_F(WebhookUpkeep, SaysThatTheSecretIsMissing) {
  script_.status(404, "");
  const auto outcome = look();
  ASSERT_FALSE(outcome);
  EXPECT_THAT(outcome.error().detail, HasSubstr("the Secret ebbgate-webhook"));
  EXPECT_TRUE(served_.empty());
}

}  // namespace
}  // namespace ebbgate::webhook
