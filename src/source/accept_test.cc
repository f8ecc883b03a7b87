#include "source/accept.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

#include "source/detail/testing.h"
#include "source/detail/text.h"

namespace ebbgate::source {
namespace {

using ::testing::HasSubstr;
using testing::KeyPair;
using testing::policy_text;

constexpr const char* kName = "ssm:///policy";

std::string refusal(Fetched offered, const Accepted* in_force = nullptr,
                    const AcceptRules& rules = {}) {
  const auto accepted = accept(kName, std::move(offered), in_force, rules);
  return accepted ? "accepted" : accepted.error().detail;
}

TEST(Accept, TakesAPolicyInAnyOfItsForms) {
  struct Case {
    std::string text;
    bool is_list;
  };
  const Case cases[] = {
      {policy_text(1), false},
      {R"({"apiVersion": "ebbgate.dev/v1alpha1", "kind": "EgressPolicy", "metadata": {"name": "p"},
        "spec": {"allow": [{"hosts": ["a.example"]}]}})",
       false},
      {"a.example\n.b.example\n", true},
      {"a.example, .b.example,c.example:443", true},
      {"# a list\n\n  a.example # why\n", true},
  };
  for (const Case& each : cases) {
    SCOPED_TRACE(each.text);
    const auto accepted = accept(
        kName, {.text = each.text, .token = "t", .version = "v", .sequence = 7}, nullptr, {});
    ASSERT_TRUE(accepted) << accepted.error().detail;
    EXPECT_EQ(accepted->text, each.text);
    EXPECT_EQ(accepted->is_list, each.is_list);
    EXPECT_EQ(accepted->version, "v");
    EXPECT_EQ(accepted->sequence, 7);
  }
}

TEST(Accept, RefusesWhatIsNoPolicy) {
  struct Case {
    std::string text;
    const char* says;
  };
  const Case cases[] = {
      {"", "it is empty"},
      {" \r\n\t\n", "it is empty"},
      {"# nothing but a comment\n", "no valid policy"},
      {std::string(kMaxText + 1, 'a'), "16 MiB"},
      {std::string("a.example\0", 10), "UTF-8"},
      {"a.\xff.example", "UTF-8"},
      {"<html><body>Log in</body></html>", "no valid policy"},
      {"apiVersion: ebbgate.dev/v1alpha1\nkind: EgressPolicy\n", "no valid policy"},
      {policy_text(1, "*"), "no valid policy: ssm:///policy:"},
      {policy_text(1, "&a b.example"), "no valid policy"},
      {"# ebbgate-version: two\n" + policy_text(1), "no number"},
      {"{\"Message\": \"Internal error\"}", "no valid policy"},
  };
  for (const Case& each : cases) {
    EXPECT_THAT(refusal({.text = each.text}), HasSubstr(each.says)) << each.text.substr(0, 80);
  }
}

TEST(Accept, TakesPodsForSubjectsWhereTheyAreKnown) {
  const std::string text =
      "apiVersion: ebbgate.dev/v1alpha1\nkind: EgressPolicy\nmetadata: {name: p}\n"
      "spec: {subjects: [{namespace: ci}], allow: [{hosts: [a.example]}]}\n";
  EXPECT_FALSE(accept("ssm:///policy", {.text = text}, nullptr, {}));
  EXPECT_TRUE(accept("ssm:///policy", {.text = text}, nullptr, {.pods_in_subjects = true}));
}

TEST(Accept, TellsAListFromYaml) {
  struct Case {
    const char* name;
    const char* text;
    bool is_list;
  };
  const Case cases[] = {
      {"ssm:///p", "a.example", true},
      {"ssm:///p", "fe80::1", true},
      {"ssm:///p", "2001:db8::/32\n", true},
      {"ssm:///p", "a.example:443", true},
      {"ssm:///p", "apiVersion: x", false},
      {"ssm:///p", "spec:\n", false},
      {"ssm:///p", "\xef\xbb\xbf---\nkind: x", false},
      {"ssm:///p", "# comment\n{\"kind\": 1}", false},
      {"s3://b/p.list", "apiVersion: x", true},
      {"s3://b/p.yaml", "a.example", false},
      {"https://a.example/p.list?v=1", "apiVersion: x", true},
      {"https://a.example/p.yml", "a.example", false},
  };
  for (const Case& each : cases) {
    EXPECT_EQ(is_plain_list(each.name, each.text), each.is_list) << each.name << " " << each.text;
  }
}

TEST(Accept, ReadsTheVersionOfAText) {
  struct Case {
    const char* text;
    std::optional<std::int64_t> version;
  };
  const Case cases[] = {
      {"a.example\n", std::nullopt},
      {"# ebbgate-version: 42\na.example\n", 42},
      {"\xef\xbb\xbf# by hand\r\n\r\n# ebbgate-version:7\r\na.example", 7},
      {"---\n# ebbgate-version: 0\nkind: x", 0},
      {"a.example\n# ebbgate-version: 42\n", std::nullopt},
      {"a.example # ebbgate-version: 42\n", std::nullopt},
  };
  for (const Case& each : cases) {
    const auto version = document_version(each.text);
    ASSERT_TRUE(version) << each.text;
    EXPECT_EQ(*version, each.version) << each.text;
  }
  for (const char* text :
       {"# ebbgate-version:\n", "# ebbgate-version: -1\n", "# ebbgate-version: 1.0\n",
        "# ebbgate-version: 9223372036854775808\n"}) {
    EXPECT_FALSE(document_version(text)) << text;
  }
}

TEST(Accept, RefusesAnOlderVersion) {
  const auto text = [](int version) { return "text " + std::to_string(version); };
  struct Case {
    const char* what;
    Accepted offered;
    Accepted in_force;
    const char* says;  // empty: fine
  };
  const Case cases[] = {
      {"newer", {.text = text(2), .sequence = 2}, {.text = text(1), .sequence = 1}, ""},
      {"older", {.text = text(1), .sequence = 1}, {.text = text(2), .sequence = 2}, "older state"},
      {"the same number", {.text = text(2), .sequence = 2}, {.text = text(1), .sequence = 2}, ""},
      {"the same text, counted anew",
       {.text = text(1), .sequence = 1},
       {.text = text(1), .sequence = 9},
       ""},
      {"nothing is known", {.text = text(1)}, {.text = text(2)}, ""},
      {"no longer counted", {.text = text(1)}, {.text = text(2), .sequence = 2}, ""},
      {"the text's own number is older",
       {.text = text(1), .sequence = 9, .document_version = 1},
       {.text = text(2), .sequence = 2, .document_version = 2},
       "version 1, older than the policy in force, which is 2"},
      {"the text's own number wins over the source's",
       {.text = text(2), .sequence = 1, .document_version = 2},
       {.text = text(1), .sequence = 9, .document_version = 1},
       ""},
      {"the text lost its number",
       {.text = text(1), .sequence = 9},
       {.text = text(2), .sequence = 2, .document_version = 2},
       "no `# ebbgate-version:`"},
      {"the text got a number",
       {.text = text(1), .sequence = 1, .document_version = 1},
       {.text = text(2), .sequence = 2},
       ""},
  };
  for (const Case& each : cases) {
    const auto fault = rollback_fault(each.offered, each.in_force);
    EXPECT_EQ(fault.has_value(), each.says[0] != '\0') << each.what;
    if (fault) {
      EXPECT_THAT(*fault, HasSubstr(each.says)) << each.what;
      EXPECT_THAT(*fault, HasSubstr("--allow-rollback"));
    }
  }
}

TEST(Accept, TakesAnOlderVersionWhereThatIsAllowed) {
  const Accepted in_force{.text = policy_text(5), .document_version = 5};
  EXPECT_THAT(refusal({.text = policy_text(4)}, &in_force), HasSubstr("older"));
  EXPECT_EQ(refusal({.text = policy_text(4)}, &in_force, {.allow_rollback = true}), "accepted");
  EXPECT_EQ(refusal({.text = policy_text(6)}, &in_force), "accepted");
}

TEST(Accept, WithAKeyOnlyWhatIsSigned) {
  const KeyPair pair;
  const KeyPair other;
  const AcceptRules rules{.key = pair.public_key()};
  const std::string text = policy_text(1);
  const auto with_last_line = [&](const KeyPair& by) {
    return text + "# ebbgate-signature: " + by.sign(text) + "\n";
  };
  struct Case {
    const char* what;
    Fetched offered;
    const char* says;
  };
  const Case cases[] = {
      {"in base64", {.text = text, .signature = pair.sign(text)}, "accepted"},
      {"in lines, as base64 writes it",
       {.text = text, .signature = pair.sign(text).insert(76, "\n") + "\n"},
       "accepted"},
      {"raw", {.text = text, .signature = pair.sign_raw(text)}, "accepted"},
      {"in the last line", {.text = with_last_line(pair)}, "accepted"},
      {"in the last line, without its end",
       {.text = with_last_line(pair).substr(0, with_last_line(pair).size() - 1)},
       "accepted"},
      {"not at all", {.text = text}, "it is not signed"},
      {"by another", {.text = text, .signature = other.sign(text)}, "not that of the key"},
      {"by another, in the last line", {.text = with_last_line(other)}, "not that of the key"},
      {"of another text", {.text = text, .signature = pair.sign(text + " ")}, "of another text"},
      {"nonsense", {.text = text, .signature = "nonsense"}, "of another text"},
      {"a line after the signature",
       {.text = with_last_line(pair) + "evil.example\n"},
       "it is not signed"},
      {"a changed text before it", {.text = "# x\n" + with_last_line(pair)}, "not that of the key"},
  };
  for (const Case& each : cases) {
    EXPECT_THAT(refusal(each.offered, nullptr, rules), HasSubstr(each.says)) << each.what;
  }
}

TEST(PublicKey, IsEd25519InPem) {
  const KeyPair pair;
  EXPECT_TRUE(PublicKey::parse(pair.public_pem()));
  EVP_PKEY* rsa = EVP_PKEY_Q_keygen(nullptr, nullptr, "RSA", std::size_t{2048});
  BIO* bio = BIO_new(BIO_s_mem());
  PEM_write_bio_PUBKEY(bio, rsa);
  char* bytes = nullptr;
  const long size = BIO_get_mem_data(bio, &bytes);
  const std::string rsa_pem(bytes, static_cast<std::size_t>(size));
  BIO_free(bio);
  EVP_PKEY_free(rsa);
  for (const std::string& text : {std::string(), std::string("nonsense"), rsa_pem}) {
    const auto key = PublicKey::parse(text);
    ASSERT_FALSE(key);
    EXPECT_THAT(key.error().detail, HasSubstr("openssl genpkey -algorithm ed25519"));
  }
}

TEST(PublicKey, VerifiesWhatTheProgramOfOpensslSigned) {
  const auto key = PublicKey::parse(
      "-----BEGIN PUBLIC KEY-----\n"
      "MCowBQYDK2VwAyEAQu6xXmtqAyKAWIuQF/p2NyzoaZ0QggjvrV9sEBm5etM=\n"
      "-----END PUBLIC KEY-----\n");
  ASSERT_TRUE(key);
  const std::string text = "a.example\n.b.example\n";
  const std::string signature =
      "eqpfkSfYPsAUhHIy6H4GuTVlft7qNKnLHNC2Om0Wpibd0acOSispQbsTEQz5fOnw5o6svs3e5TfhTWfYLFkIDQ==";
  EXPECT_TRUE(key->verify(text, signature));
  EXPECT_EQ(
      refusal({.text = text + "# ebbgate-signature: " + signature + "\n"}, nullptr, {.key = *key}),
      "accepted");
}

TEST(PublicKey, NoSignatureOfOtherLengthOrAlphabetCounts) {
  const KeyPair pair;
  const PublicKey key = pair.public_key();
  const std::string good = pair.sign("x");
  EXPECT_TRUE(key.verify("x", good));
  for (std::string bad : {good.substr(1), good + "=", good.substr(0, 87), std::string(88, '='),
                          std::string(88, '?'), std::string(64, 'a'), std::string()}) {
    EXPECT_FALSE(key.verify("x", bad)) << bad;
  }
  std::mt19937 random(7);
  for (int i = 0; i < 200; ++i) {
    std::string changed = pair.sign_raw("x");
    changed[random() % changed.size()] ^= static_cast<char>(1U << random() % 8);
    EXPECT_FALSE(key.verify("x", changed));
  }
}

TEST(Text, KnowsWellFormedUtf8) {
  for (const char* good :
       {"", "a", "\xc3\xa4", "\xe2\x82\xac", "\xf0\x9f\x90\x9f", "\xf4\x8f\xbf\xbf"}) {
    EXPECT_TRUE(detail::is_utf8_text(good));
  }
  for (const char* bad : {"\x80", "\xc0\xaf", "\xc1\x81", "\xc3", "\xe0\x80\x80", "\xed\xa0\x80",
                          "\xe2\x82", "\xf0\x80\x80\x80", "\xf4\x90\x80\x80", "\xf5\x80\x80\x80"}) {
    EXPECT_FALSE(detail::is_utf8_text(bad));
  }
}

TEST(Text, ReadsTheDatesOfHttp) {
  EXPECT_EQ(detail::parse_http_date("Thu, 01 Jan 1970 00:00:00 GMT"), 0);
  EXPECT_EQ(detail::parse_http_date("Tue, 24 Nov 2026 10:15:30 GMT"), 1'795'515'330);
  for (const char* bad : {"", "0", "Tue, 24 Nov 2026 10:15:30 UTC", "Tue, 31 Feb 2026 10:15:30 GMT",
                          "Tue, 24 ovN 2026 10:15:30 GMT", "Tue, 24 Nov 2026 24:15:30 GMT",
                          "Tuesday, 24-Nov-26 10:15:30 GMT"}) {
    EXPECT_FALSE(detail::parse_http_date(bad)) << bad;
  }
}

}  // namespace
}  // namespace ebbgate::source
