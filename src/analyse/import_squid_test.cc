#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

#include "analyse/detail/regex_pattern.h"
#include "analyse/import.h"
#include "config/document_yaml.h"
#include "config/settings.h"
#include "policy/decide.h"

namespace ebbgate::analyse {
namespace {

using testing::HasSubstr;
using testing::Not;

const std::map<std::string, std::string> kFiles = {
    {"allowed", ".example.com\n# a comment\napi.example.org  # another\n\nUPPER.example.net\n"},
    {"conf.d/*.conf", "acl more dstdomain more.example\nhttp_access allow localnet more\n"},
};

Imported imported(const std::string& text) {
  return import_squid(
      {"squid.conf", text},
      [](const std::string& path) -> std::expected<std::vector<ImportedFile>, std::string> {
        const auto found = kFiles.find(path);
        if (found == kFiles.end()) return std::unexpected("no such file");
        return std::vector{ImportedFile{path, found->second}};
      });
}

// The policy that the text is; with the errors of reading it where there are any.
std::shared_ptr<const policy::Policy> policy_of(const Imported& result) {
  auto parsed = config::parse_documents(result.text, "imported.yaml");
  EXPECT_EQ(config::str(parsed.problems), "") << result.text;
  return policy::Policy::compile(std::move(parsed.documents)).policy;
}

// `GET http://…` asks in the clear, all else for a tunnel.
std::string verdict(const policy::Policy& policy, std::string_view from, std::string_view target) {
  const bool is_clear = target.starts_with("GET ");
  if (is_clear) target.remove_prefix(4);
  const auto authority = Authority::parse(target);
  policy::Subject subject;
  subject.address = IpAddress::parse(from);
  policy::Request request{.host = authority->host, .port = authority->port};
  if (is_clear) {
    request.visibility = policy::Visibility::kClear;
    request.method = "GET";
    request.path = "/";
  }
  return std::string(policy::word(policy::decide(policy, subject, request, WallTime()).verdict));
}

std::string notes_of(const Imported& result) {
  return config::str(result.notes);
}

constexpr const char* kDebian =
    "acl localnet src 10.0.0.0/8\t# LAN\n"
    "acl localnet src 172.16.0.0/255.240.0.0 192.0.2.1-192.0.2.6\n"
    "acl SSL_ports port 443\n"
    "acl Safe_ports port 80\n"
    "acl Safe_ports port 443 1025-65535\n"
    "http_access deny !Safe_ports\n"
    "http_access deny CONNECT !SSL_ports\n"
    "http_access allow localhost manager\n"
    "http_access deny manager\n"
    "http_access deny to_localhost\n";

TEST(ImportSquid, CarriesTheUsualAllowlistOver) {
  const Imported result = imported(std::string(kDebian) +
                                   "acl listed dstdomain \"allowed\"\n"
                                   "http_access allow localnet listed\n"
                                   "include conf.d/*.conf\n"
                                   "http_access deny all\n"
                                   "http_port 3128\ncache_dir ufs /x 1 1 1\n");
  const auto policy = policy_of(result);
  ASSERT_NE(policy, nullptr);
  const struct {
    const char* from;
    const char* target;
    const char* verdict;
  } rows[] = {
      {"10.1.2.3", "www.example.com:443", "ALLOW"},  {"10.1.2.3", "example.com:443", "ALLOW"},
      {"10.1.2.3", "notexample.com:443", "DENY"},    {"10.1.2.3", "upper.example.net:443", "ALLOW"},
      {"10.1.2.3", "x.api.example.org:443", "DENY"}, {"10.1.2.3", "more.example:443", "ALLOW"},
      {"172.31.0.1", "example.com:443", "ALLOW"},    {"172.32.0.1", "example.com:443", "DENY"},
      {"192.0.2.1", "example.com:443", "ALLOW"},     {"192.0.2.6", "example.com:443", "ALLOW"},
      {"192.0.2.7", "example.com:443", "DENY"},      {"192.0.2.0", "example.com:443", "DENY"},
      {"10.1.2.3", "example.com:8443", "DENY"},      {"10.1.2.3", "GET example.com:8443", "ALLOW"},
      {"10.1.2.3", "GET example.com:80", "ALLOW"},   {"10.1.2.3", "GET example.com:22", "DENY"},
      {"127.0.0.1", "example.com:443", "DENY"},
  };
  for (const auto& row : rows) {
    EXPECT_EQ(verdict(*policy, row.from, row.target), row.verdict)
        << row.from << " " << row.target << "\n"
        << result.text;
  }
  EXPECT_THAT(result.text, HasSubstr("# squid.conf:12: http_access allow localnet listed"));
  EXPECT_THAT(notes_of(result), HasSubstr("not about policy, and left out: cache_dir, http_port"));
  EXPECT_THAT(notes_of(result), Not(HasSubstr("error:")));
}

TEST(ImportSquid, KeepsTheOrderOfRules) {
  const Imported result = imported(
      "acl a src 10.0.0.0/8\n"
      "acl b src 10.9.0.0/16\n"
      "acl wide dstdomain .example.com\n"
      "acl secret dstdomain secret.example.com .deep.secret.example.com\n"
      "acl late dstdomain late.example.com\n"
      "acl https port 443\n"
      "http_access deny b wide\n"
      "http_access deny secret\n"
      "http_access allow a wide https\n"
      "http_access deny late\n"
      "http_access allow a late\n"
      "http_access deny all\n");
  const auto policy = policy_of(result);
  ASSERT_NE(policy, nullptr);
  EXPECT_EQ(verdict(*policy, "10.1.0.1", "x.example.com:443"), "ALLOW");
  EXPECT_EQ(verdict(*policy, "10.9.0.1", "x.example.com:443"), "DENY");
  EXPECT_EQ(verdict(*policy, "10.1.0.1", "secret.example.com:443"), "DENY");
  EXPECT_EQ(verdict(*policy, "10.1.0.1", "a.deep.secret.example.com:443"), "DENY");
  EXPECT_EQ(verdict(*policy, "10.1.0.1", "b.secret.example.com:443"), "ALLOW");
  EXPECT_EQ(verdict(*policy, "10.1.0.1", "late.example.com:443"), "ALLOW")
      << "the deny comes after the allow";
}

TEST(ImportSquid, TakesSslBumpForALimitOfTunnels) {
  const Imported result = imported(
      "acl step1 at_step SslBump1\n"
      "acl step2 at_step SslBump2\n"
      "acl https port 443\n"
      "acl clear dstdomain .example.com\n"
      "acl tls ssl::server_name .example.org\n"
      "http_access allow https\n"
      "http_access allow clear\n"
      "http_access deny all\n"
      "ssl_bump peek step1 all\n"
      "ssl_bump peek step2 tls\n"
      "ssl_bump splice tls\n"
      "ssl_bump terminate all\n");
  const auto policy = policy_of(result);
  ASSERT_NE(policy, nullptr);
  EXPECT_EQ(verdict(*policy, "10.1.0.1", "www.example.org:443"), "ALLOW");
  EXPECT_EQ(verdict(*policy, "10.1.0.1", "www.example.com:443"), "DENY");
  EXPECT_EQ(verdict(*policy, "10.1.0.1", "GET www.example.com:80"), "ALLOW");
  EXPECT_EQ(verdict(*policy, "10.1.0.1", "GET www.example.org:80"), "DENY");
}

TEST(ImportSquid, NamesWhatItCannotCarryOver) {
  const struct {
    const char* conf;
    const char* says;
  } rows[] = {
      {"acl x dstdomain *.example.com a.example\nhttp_access allow x\n",
       "squid.conf:1: warning: \"*.example.com\" never matched in Squid; if it was meant, add "
       "*.example.com to the document"},
      {"acl x dstdomain example.com:443 a.example\nhttp_access allow x\n",
       "never matched in Squid"},
      {"acl x dstdomain a.example b.example.\nhttp_access allow x\n",
       "\"b.example.\" never matched"},
      {"acl x dstdom_regex ^cdn[0-9]+\\.example\\.com$\nacl y dstdomain a.example\n"
       "http_access allow x\nhttp_access allow y\n",
       "says more than patterns can"},
      {"acl x dstdom_regex example\\.com$\nhttp_access allow x\n",
       "also matches names that only look alike; carried over as .example.com"},
      {"acl x dstdom_regex example\\.com$\nacl y dstdomain .com\nhttp_access deny x\n"
       "http_access allow y\n",
       "squid.conf:3: error: not all that x matches is refused"},
      {"acl u proxy_auth REQUIRED\nacl y dstdomain a.example\nhttp_access deny !u\n"
       "http_access allow y\n",
       "squid.conf:3: error: the rule is left out, and more is allowed: u cannot be carried over: "
       "it "
       "is of type proxy_auth"},
      {"acl t time 08:00-18:00\nacl y dstdomain a.example\nhttp_access allow y t\n"
       "http_access allow y\n",
       "squid.conf:3: warning: the rule is left out, and less is allowed"},
      {"http_access allow nosuch\n", "there is no acl nosuch"},
      {"include nowhere\nhttp_access deny all\n", "squid.conf:1: error: cannot read nowhere"},
      {"http_access deny all\n", "the configuration lets nothing pass"},
      {"http_access allow localhost\n", "lets pass every host, which no entry can"},
      {"auth_param basic x\nhttp_access deny all\n", "`auth_param` is not carried over"},
      {"acl s src client.example\nacl y dstdomain a.example\nhttp_access allow s y\n",
       "\"client.example\" is no address"},
  };
  for (const auto& row : rows) {
    const Imported result = imported(row.conf);
    EXPECT_THAT(notes_of(result), HasSubstr(row.says)) << row.conf;
    if (!result.text.empty()) EXPECT_NE(policy_of(result), nullptr) << row.conf;
  }
}

TEST(ImportSquid, SurvivesAnything) {
  for (const char* conf : {"", "\\", "acl", "acl x", "acl x port", "acl x port 99999\n", "\"", "!",
                           "http_access", "http_access allow", "http_access allow !all\n",
                           "acl a src 10.0.0.9-10.0.0.1\nhttp_access allow a\n",
                           "acl a src 10.0.0.0/99\nhttp_access allow a\n",
                           "acl d dstdomain a.example\nacl m method 4 !p [x GET PROPFIND\n"
                           "http_access allow d m\n",
                           "include \"\n", "# x"}) {
    const Imported result = imported(conf);
    if (!result.text.empty()) EXPECT_NE(policy_of(result), nullptr) << conf;
  }
}

TEST(RegexPattern, IsFoundForTheFormsThatPeopleWrite) {
  const struct {
    const char* expression;
    const char* patterns;  // empty: none; `~` before: the expression matches more
  } rows[] = {
      {"^example\\.com$", "example.com"},
      {"(^|\\.)example\\.com$", ".example.com"},
      {"^(.*\\.)?example\\.com$", ".example.com"},
      {"\\.example\\.com$", "*.example.com"},
      {"^.+\\.example\\.com$", "*.example.com"},
      {"(^|\\.)(example|example2)\\.com$", ".example.com .example2.com"},
      {"^(www|api)\\.example\\.(com|org)$",
       "www.example.com api.example.com www.example.org api.example.org"},
      {"example\\.com$", "~.example.com"},
      {"^example.com$", "~example.com"},
      {"example\\.com", "~.example.com"},
      {"^.*example\\.com$", "~.example.com"},
      {"^cdn[0-9]\\.example\\.com$", ""},
      {"^a+\\.example\\.com$", ""},
      {"^(?:a|b)\\.com$", ""},
      {"(", ""},
      {"\\", ""},
      {"$", ""},
      {"", ""},
      {"((a|b)|c)\\.com$", ""},
  };
  for (const auto& row : rows) {
    const auto meaning = detail::patterns_of_regex(row.expression);
    std::string texts;
    if (meaning) {
      if (meaning->is_less) texts = "~";
      for (const policy::Pattern& each : meaning->patterns) {
        texts += (texts.empty() || texts == "~" ? "" : " ") + each.str();
      }
    }
    EXPECT_EQ(texts, row.patterns) << row.expression;
  }
}

}  // namespace
}  // namespace ebbgate::analyse
