// Smokescreen's and tinyproxy's configurations, judged by what the documents let pass.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "analyse/import.h"
#include "config/document_yaml.h"
#include "config/settings.h"
#include "policy/decide.h"

namespace ebbgate::analyse {
namespace {

using testing::HasSubstr;
using testing::Not;

std::shared_ptr<const policy::Policy> policy_of(const Imported& result) {
  auto parsed = config::parse_documents(result.text, "imported.yaml");
  EXPECT_EQ(config::str(parsed.problems), "") << result.text;
  return policy::Policy::compile(std::move(parsed.documents)).policy;
}

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

constexpr const char* kAcl =
    "version: v1\n"
    "services:\n"
    "  - name: builder\n"
    "    project: build\n"
    "    action: enforce\n"
    "    allowed_domains: [\"*.example.com\", registry.example.org, \"bad.*.example\"]\n"
    "  - {name: tried, project: x, action: report, allowed_domains: [tried.example]}\n"
    "  - {name: nobody, project: x, action: open}\n"
    "default: {project: other, action: enforce, allowed_domains: [default.example]}\n"
    "global_deny_list: [evil.example, registry.example.org]\n"
    "global_allow_list: [\"*.shared.example\", evil.example]\n";

TEST(ImportSmokescreen, MakesADocumentOfEachRoleWhoseAddressesAreKnown) {
  const Imported result = import_smokescreen(
      {"acl.yaml", kAcl},
      {{"builder", {*Cidr::parse("10.1.0.0/16")}}, {"tried", {*Cidr::parse("10.2.0.0/16")}}});
  const auto policy = policy_of(result);
  ASSERT_NE(policy, nullptr) << result.text;
  const struct {
    const char* from;
    const char* target;
    const char* verdict;
  } rows[] = {
      {"10.1.0.1", "a.example.com:443", "ALLOW"},
      {"10.1.0.1", "example.com:443", "DENY"},
      {"10.1.0.1", "a.example.com:22", "ALLOW"},
      {"10.1.0.1", "registry.example.org:443", "ALLOW"},
      {"10.1.0.1", "evil.example:443", "DENY"},
      {"10.1.0.1", "x.shared.example:443", "ALLOW"},
      {"10.1.0.1", "default.example:443", "DENY"},
      {"10.2.0.1", "tried.example:443", "ALLOW"},
      {"10.2.0.1", "other.example:443", "REPORT"},
      {"10.3.0.1", "default.example:443", "ALLOW"},
      {"10.3.0.1", "x.shared.example:443", "ALLOW"},
      {"10.3.0.1", "a.example.com:443", "DENY"},
      {"10.3.0.1", "registry.example.org:443", "DENY"},
  };
  for (const auto& row : rows) {
    EXPECT_EQ(verdict(*policy, row.from, row.target), row.verdict)
        << row.from << " " << row.target << "\n"
        << result.text;
  }
  const std::string notes = config::str(result.notes);
  EXPECT_THAT(notes, HasSubstr("acl.yaml:8:5: warning: the role nobody is left out"));
  EXPECT_THAT(notes, HasSubstr("--role nobody=CIDR"));
  EXPECT_THAT(notes, HasSubstr("\"bad.*.example\" is neither a name nor `*.` before one"));
}

TEST(ImportSmokescreen, RefusesWhatIsNoAcl) {
  for (const char* text : {"", "a: b\n", "version: v2\nservices: [{name: x}]\n",
                           "default: {action: nope}\n", "services: [x]\n", "\tx"}) {
    const Imported result = import_smokescreen({"acl.yaml", text}, {});
    EXPECT_TRUE(result.text.empty()) << text;
    EXPECT_FALSE(result.notes.empty()) << text;
  }
}

Imported tiny(const std::string& conf, const std::string& filter = "") {
  return import_tinyproxy(
      {"tinyproxy.conf", conf},
      [&](const std::string& path) -> std::expected<std::vector<ImportedFile>, std::string> {
        return std::vector{ImportedFile{path, filter}};
      });
}

TEST(ImportTinyproxy, CarriesAnAllowlistOver) {
  const Imported result = tiny(
      "Port 8888\nAllow 10.0.0.0/8\nDeny 10.9.0.0/16\nAllow 127.0.0.1\n"
      "ConnectPort 443\nConnectPort 563\n"
      "Filter \"/etc/filter\"\nFilterDefaultDeny Yes\nFilterType ere\n",
      "# hosts\n(^|\\.)Example\\.com$\n^one\\.example$ # this one\n");
  const auto policy = policy_of(result);
  ASSERT_NE(policy, nullptr) << result.text;
  EXPECT_EQ(verdict(*policy, "10.9.0.1", "a.example.com:443"), "ALLOW") << "the first one matches";
  EXPECT_EQ(verdict(*policy, "127.0.0.1", "one.example:563"), "ALLOW");
  EXPECT_EQ(verdict(*policy, "127.0.0.2", "one.example:443"), "DENY");
  EXPECT_EQ(verdict(*policy, "10.0.0.1", "one.example:80"), "DENY");
  EXPECT_EQ(verdict(*policy, "10.0.0.1", "GET one.example:8080"), "ALLOW");
  EXPECT_EQ(verdict(*policy, "10.0.0.1", "x.one.example:443"), "DENY");
}

TEST(ImportTinyproxy, ReadsEachKindOfExpression) {
  const struct {
    const char* type;
    const char* line;
    const char* host;
    const char* verdict;
  } rows[] = {
      {"FilterType bre", "^\\(a\\|b\\)\\.example$", "b.example:443", "ALLOW"},
      {"FilterType bre", "^(a)\\.example$", "a.example:443", "DENY"},
      {"FilterType fnmatch", "*.example", "a.example:443", "ALLOW"},
      {"FilterType fnmatch", "a.example", "a.example:443", "ALLOW"},
      {"FilterType fnmatch", "a?.example", "ab.example:443", "DENY"},
      {"FilterExtended On", "^(a|b)\\.example$", "b.example:443", "ALLOW"},
  };
  for (const auto& row : rows) {
    const Imported result = tiny(
        std::string("Allow 10.0.0.0/8\nFilter \"f\"\nFilterDefaultDeny On\n") + row.type + "\n",
        std::string(row.line) + "\n^other\\.test$\nother.test\n");
    const auto policy = policy_of(result);
    ASSERT_NE(policy, nullptr) << row.line;
    EXPECT_EQ(verdict(*policy, "10.0.0.1", row.host), row.verdict) << row.line;
  }
}

TEST(ImportTinyproxy, SaysWhereItAllowsMore) {
  const Imported denylist = tiny("Filter \"f\"\nFilterExtended On\n", "(^|\\.)evil\\.example$\n");
  EXPECT_THAT(config::str(denylist.notes), HasSubstr("lets pass every host but some"));
  const Imported open = tiny("Allow 10.0.0.0/8\n");
  EXPECT_THAT(config::str(open.notes), HasSubstr("report mode, which records and lets pass"));
  EXPECT_EQ(verdict(*policy_of(open), "10.0.0.1", "any.example:443"), "REPORT");
  EXPECT_EQ(verdict(*policy_of(open), "192.0.2.1", "any.example:443"), "DENY");
  const Imported lookalike = tiny("Filter \"f\"\nFilterDefaultDeny On\n", "example\\.com\n");
  EXPECT_THAT(config::str(lookalike.notes), HasSubstr("carried over as .example.com"));
  EXPECT_THAT(config::str(lookalike.notes), Not(HasSubstr("error")));
}

}  // namespace
}  // namespace ebbgate::analyse
