#include "policy/inquiry.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "policy/detail/test_documents.h"

namespace ebbgate::policy {
namespace {

using detail::address;
using detail::at;
using detail::cidr;
using detail::client;
using detail::compiled;
using detail::document;
using detail::entry;
using testing::HasSubstr;

std::shared_ptr<const Policy> sample() {
  Entry inside = entry({"db.example:5432"}, 10);
  inside.addresses = {cidr("10.9.0.0/24")};
  inside.tls = TlsRule::kOff;
  Entry limited = entry({"api.example"}, 20);
  limited.methods = {"GET"};
  Entry lax = entry({"lax.example"}, 30);
  lax.sni = SniRule::kOptional;
  return compiled({document({entry({".docker.io:443", "example.com"}), inside, limited, lax},
                            {entry({"gist.example.com", "198.51.100.0/24"}, 40)})});
}

Finding ask(Inquiry inquiry, const std::vector<Bundle>& bundles = {}) {
  static const auto policy = sample();
  static const AddressGuard guard;
  if (!inquiry.subject.address) inquiry.subject = client("10.0.0.1");
  return answer(*policy, guard, inquiry, at(0), bundles);
}

std::string step(const Finding& finding, std::string_view name) {
  for (const Step& each : finding.steps) {
    if (each.name == name) return std::string(word(each.outcome)) + ": " + each.text;
  }
  return "there is no such step";
}

TEST(Target, IsReadAsAPersonWritesIt) {
  const struct {
    std::string_view target, method, authority;
    Visibility visibility;
    std::string_view shown_method, path;
  } rows[] = {
      {"Example.COM", "", "example.com:443", Visibility::kOpaque, "", ""},
      {"example.com:80", "", "example.com:80", Visibility::kPending, "", ""},
      {"example.com:80", "HEAD", "example.com:80", Visibility::kClear, "HEAD", "/"},
      {"https://example.com/a?b", "POST", "example.com:443", Visibility::kOpaque, "", ""},
      {"http://example.com", "", "example.com:80", Visibility::kClear, "GET", "/"},
      {"http://example.com:8080/a/b?c#d", "", "example.com:8080", Visibility::kClear, "GET",
       "/a/b"},
      {"http://example.com?c", "PUT", "example.com:80", Visibility::kClear, "PUT", "/"},
      {"http://example.com/", "CONNECT", "example.com:80", Visibility::kPending, "", ""},
      {"203.0.113.9", "", "203.0.113.9:443", Visibility::kOpaque, "", ""},
      {"2001:db8::1", "", "[2001:db8::1]:443", Visibility::kOpaque, "", ""},
      {"[2001:db8::1]:22", "", "[2001:db8::1]:22", Visibility::kOpaque, "", ""},
  };
  for (const auto& row : rows) {
    const auto asked = parse_target(row.target, row.method);
    ASSERT_TRUE(asked) << row.target;
    EXPECT_EQ(asked->authority.str(), row.authority) << row.target;
    EXPECT_EQ(asked->visibility, row.visibility) << row.target;
    EXPECT_EQ(asked->method, row.shown_method) << row.target;
    EXPECT_EQ(asked->path, row.path) << row.target;
  }
  for (const char* bad : {"", "ftp://example.com", "example.com:0", "user@example.com", "127.1",
                          "http://", "example.com/a", "exa mple.com"}) {
    EXPECT_FALSE(parse_target(bad, "")) << bad;
  }
}

TEST(Answer, TellsEachStep) {
  const Finding allowed = ask({.target = "https://registry-1.docker.io/v2/"});
  EXPECT_EQ(allowed.verdict, Verdict::kAllow);
  EXPECT_EQ(allowed.matched->pattern, ".docker.io:443");
  std::vector<std::string> names;
  for (const Step& each : allowed.steps) names.push_back(each.name);
  EXPECT_EQ(names, (std::vector<std::string>{"target", "subject", "deny", "allow", "addresses",
                                             "handshake"}));
  EXPECT_EQ(step(allowed, "addresses"), "not-reached: the name was not resolved");
  EXPECT_EQ(step(allowed, "handshake"),
            "not-reached: TLS is expected, with the server name registry-1.docker.io");

  const Finding malformed = ask({.target = "0x7f.1"});
  EXPECT_EQ(malformed.reason, Reason::kMalformedRequest);
  EXPECT_THAT(step(malformed, "target"), HasSubstr("refused: "));
  EXPECT_EQ(step(malformed, "allow"), "not-reached: not reached");

  const Finding denied = ask({.target = "gist.example.com"});
  EXPECT_EQ(denied.reason, Reason::kDeniedByRule);
  EXPECT_EQ(denied.matched->position.line, 40U);

  EXPECT_EQ(ask({.target = "http://api.example/"}).verdict, Verdict::kAllow);
  EXPECT_EQ(ask({.target = "http://api.example/", .method = "POST"}).reason, Reason::kNotAllowed);
  EXPECT_EQ(step(ask({.target = "http://api.example/"}), "handshake"),
            "not-reached: none: the request is in the clear");
}

TEST(Answer, ClassifiesEachAddressAsTheDataPlaneDoes) {
  const auto resolved = [](std::string_view target, std::vector<IpAddress> addresses) {
    return ask(
        {.target = std::string(target), .lookup = Lookup{.addresses = std::move(addresses)}});
  };
  const Finding mixed =
      resolved("example.com", {address("203.0.114.1"), address("10.0.0.1"), address("198.51.100.2"),
                               address("169.254.169.254")});
  EXPECT_EQ(mixed.verdict, Verdict::kAllow);
  EXPECT_EQ(step(mixed, "addresses"),
            "passed: 203.0.114.1 may be dialed; 10.0.0.1 may not: private (RFC 1918); 198.51.100.2 "
            "is denied by `198.51.100.0/24` (doc.yaml:41:1); 169.254.169.254 may not: the metadata "
            "service, which nothing opts in");

  const Finding inside = resolved("example.com", {address("10.0.0.1")});
  EXPECT_EQ(inside.reason, Reason::kForbiddenAddress);
  EXPECT_EQ(inside.fix,
            "add `addresses: [10.0.0.1/32]` to the allow entry of `example.com` (doc.yaml:2:1)");
  EXPECT_EQ(step(inside, "handshake"), "not-reached: not reached");
  EXPECT_EQ(resolved("db.example:5432", {address("10.9.0.7")}).verdict, Verdict::kAllow);
  EXPECT_EQ(resolved("db.example:5432", {address("169.254.169.254")}).fix,
            "ask for a public address: no entry can allow these");

  const Finding unresolved =
      ask({.target = "example.com", .lookup = Lookup{.addresses = {}, .failure = "NXDOMAIN"}});
  EXPECT_EQ(unresolved.reason, Reason::kDnsFailed);
  EXPECT_EQ(step(unresolved, "addresses"), "refused: it did not resolve: NXDOMAIN");
}

TEST(Answer, GoesNoFurtherWhereNobodyCanTellWhoAsks) {
  const Finding finding = ask({.target = "example.com", .is_ambiguous = true});
  EXPECT_EQ(finding.verdict, Verdict::kDeny);
  EXPECT_EQ(finding.reason, Reason::kSubjectAmbiguous);
  EXPECT_EQ(step(finding, "target"),
            "passed: example.com, port 443, a tunnel that cannot be looked into");
  EXPECT_EQ(step(finding, "subject"), "refused: several pods claim 10.0.0.1");
  EXPECT_EQ(step(finding, "handshake"), "not-reached: not reached");
  EXPECT_EQ(finding.steps.size(), 6U);
}

TEST(Answer, SaysWhoAsks) {
  Subject subject{.address = *IpAddress::parse("10.0.0.1"), .may_be_pod = true};
  EXPECT_EQ(step(ask({.target = "example.com", .subject = subject}), "subject"),
            "passed: 1 of 1 documents are about 10.0.0.1: doc; it may be a pod, so what the "
            "cluster denies to any is denied to it");
  subject.suspected = std::make_shared<const Pod>(Pod{.name = "a", .pod_namespace = "shop"});
  EXPECT_EQ(step(ask({.target = "example.com", .subject = subject}), "subject"),
            "passed: 1 of 1 documents are about 10.0.0.1: doc; it may be a pod, so what the "
            "cluster denies to any is denied to it, and what is denied to shop/a, which had the "
            "address last");
  subject.pod = std::make_shared<const Pod>(Pod{.name = "a", .pod_namespace = "shop"});
  EXPECT_EQ(step(ask({.target = "example.com", .subject = subject}), "subject"),
            "passed: 1 of 1 documents are about the pod shop/a: doc");
}

TEST(Answer, JudgesAHandshake) {
  const auto with = [](std::string_view target, Handshake handshake) {
    return ask({.target = std::string(target), .handshake = std::move(handshake)});
  };
  const auto named = [](std::string_view name) {
    return Handshake{.is_tls = true, .server_name = *Hostname::parse(name)};
  };
  const auto nameless = [] { return Handshake{.is_tls = true, .server_name = {}}; };
  EXPECT_EQ(with("example.com", named("EXAMPLE.com.")).verdict, Verdict::kAllow);
  const Finding fronted = with("example.com", named("other.com"));
  EXPECT_EQ(fronted.reason, Reason::kSniMismatch);
  EXPECT_EQ(fronted.verdict, Verdict::kDeny);
  EXPECT_THAT(fronted.fix, HasSubstr("`example.com` (doc.yaml:2:1)"));
  EXPECT_EQ(with("example.com", nameless()).reason, Reason::kSniMissing);
  EXPECT_EQ(with("lax.example", nameless()).reason, Reason::kAllowed);
  EXPECT_EQ(with("example.com", {}).reason, Reason::kNotTls);
  EXPECT_EQ(with("db.example:5432", {}).reason, Reason::kAllowed);
}

TEST(Answer, PointsToBundlesThatHaveTheName) {
  const std::vector<Bundle> bundles = {
      {.name = "docker-hub", .hosts = {{.host = "auth.docker.io:80", .since = "2026-05"}}}};
  const Finding finding = ask({.target = "auth.docker.io:80"}, bundles);
  EXPECT_EQ(finding.reason, Reason::kPortNotAllowed);
  EXPECT_EQ(finding.bundles,
            std::vector<std::string>{"the bundle docker-hub has it since 2026-05"});
  EXPECT_EQ(
      text(finding),
      "DENY auth.docker.io:80: port-not-allowed, the name is allowed, but not on this port\n"
      "\n"
      "  target     ok  auth.docker.io, port 80, a tunnel whose first bytes will tell what it "
      "is\n"
      "  subject    ok  1 of 1 documents are about 10.0.0.1: doc\n"
      "  deny       ok  no deny entry names it\n"
      "  allow      NO  the name is allowed, but not on this port\n"
      "  addresses  -   not reached\n"
      "  handshake  -   not reached\n"
      "\n"
      "nearest miss:  `.docker.io:443` (doc.yaml:1:1) allows it on 443, not 80\n"
      "bundle:        the bundle docker-hub has it since 2026-05\n"
      "to change it:  add `auth.docker.io` to the hosts of an allow entry\n"
      "the line:      auth.docker.io\n");
}

TEST(Answer, IsPrintableWhateverWasAsked) {
  for (const char c : text(ask({.target = "exa\x1b[31mmple\xff.com\n"}))) {
    EXPECT_TRUE(c == '\n' || (c >= ' ' && c <= '~')) << static_cast<int>(c);
  }
}

}  // namespace
}  // namespace ebbgate::policy
