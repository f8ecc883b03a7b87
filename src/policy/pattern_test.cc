#include "policy/pattern.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "policy/detail/path.h"
#include "policy/detail/test_documents.h"
#include "policy/pattern_list.h"

namespace ebbgate::policy {
namespace {

using detail::host;
using detail::pattern;
using testing::HasSubstr;

TEST(Pattern, IsReadAndWrittenInOneForm) {
  struct Row {
    std::string_view text;
    std::string_view canonical;
    PatternKind kind;
  };
  for (const Row& row : {
           Row{"example.com", "example.com", PatternKind::kName},
           Row{"EXAMPLE.Com", "example.com", PatternKind::kName},
           Row{".example.com", ".example.com", PatternKind::kNameAndBelow},
           Row{"*.example.com", "*.example.com", PatternKind::kBelow},
           Row{"localhost", "localhost", PatternKind::kName},
           Row{".com", ".com", PatternKind::kNameAndBelow},
           Row{"_sip._tcp.example.com", "_sip._tcp.example.com", PatternKind::kName},
           Row{"r3---sn-x.googlevideo.com", "r3---sn-x.googlevideo.com", PatternKind::kName},
           Row{"example.com:443", "example.com:443", PatternKind::kName},
           Row{".example.com:8000-8010", ".example.com:8000-8010", PatternKind::kNameAndBelow},
           Row{"*.example.com:1-65535", "*.example.com:1-65535", PatternKind::kBelow},
           Row{"example.com:443-443", "example.com:443", PatternKind::kName},
           Row{"203.0.113.7", "203.0.113.7", PatternKind::kAddresses},
           Row{"203.0.113.7/32", "203.0.113.7", PatternKind::kAddresses},
           Row{"198.51.100.0/24", "198.51.100.0/24", PatternKind::kAddresses},
           Row{"198.51.100.0/24:443", "198.51.100.0/24:443", PatternKind::kAddresses},
           Row{"0.0.0.0/0", "0.0.0.0/0", PatternKind::kAddresses},
           Row{"2001:db8::1", "2001:db8::1", PatternKind::kAddresses},
           Row{"[2001:DB8:0::1]", "2001:db8::1", PatternKind::kAddresses},
           Row{"2001:db8::/32", "2001:db8::/32", PatternKind::kAddresses},
           Row{"[2001:db8::/32]", "2001:db8::/32", PatternKind::kAddresses},
           Row{"[2001:db8::1]:443", "[2001:db8::1]:443", PatternKind::kAddresses},
           Row{"[2001:db8::/32]:80-81", "[2001:db8::/32]:80-81", PatternKind::kAddresses},
       }) {
    const auto parsed = Pattern::parse(row.text);
    ASSERT_TRUE(parsed) << row.text << ": " << parsed.error().message;
    EXPECT_EQ(parsed->str(), row.canonical);
    EXPECT_EQ(parsed->kind(), row.kind) << row.text;
    EXPECT_EQ(*Pattern::parse(parsed->str()), *parsed);
  }
}

TEST(Pattern, RefusesEverythingElseAndSaysWhatToWrite) {
  struct Row {
    std::string_view text;
    std::string_view message;
    std::string_view fix;
  };
  const std::string long_label = std::string(64, 'a') + ".com";
  for (const Row& row : {
           Row{"", "empty", "example.com"},
           Row{".", "no host name", "example.com"},
           Row{"*.", "no host name", "example.com"},
           Row{"https://x.com/", "has a scheme", "write x.com"},
           Row{"https://x/", "has a scheme", "write x"},
           Row{"http://u:p@x.com:8080/a/b?c", "has a scheme", "write x.com:8080"},
           Row{"x.com/path", "has a path", "write x.com"},
           Row{"x.com:443/path", "has a path", "write x.com:443"},
           Row{"x.com/24", "has a path", "write x.com"},
           Row{"x.com?q", "has a path", "write x.com"},
           Row{"u@x.com", "has userinfo", "write x.com"},
           Row{"example.com.", "ends in a dot", "write example.com"},
           Row{".example.com.:443", "ends in a dot", "write .example.com"},
           Row{"*x.com", "`*`", "write .x.com"},
           Row{"*.*.x.com", "`*`", "write *.x.com"},
           Row{"**.x.com", "`*`", "write *.x.com"},
           Row{"**", "`*`", "write a name"},
           Row{"a.*", "`*`", "write a name"},
           Row{"a*.x.com", "`*`", "write *.x.com"},
           Row{"a.*.x.com", "`*`", "write *.x.com"},
           Row{".*.x.com", "regular expression", ".example.com"},
           Row{".*\\.example\\.com", "regular expression", ".example.com"},
           Row{"^example$", "regular expression", ".example.com"},
           Row{"(a|b).example.com", "regular expression", ".example.com"},
           Row{"~example.com", "regular expression", ".example.com"},
           Row{"*", "every name", "list the names"},
           Row{"a b.com", "blank", "one name on each line"},
           Row{std::string_view("a\0.com", 6), "control character", "one name"},
           Row{"x.com:0", "no port", ":443"},
           Row{"x.com:", "no port", ":443"},
           Row{"x.com:65536", "no port", ":443"},
           Row{"x.com:90-80", "no port", ":443"},
           Row{"x.com:https", "no port", ":443"},
           Row{"x.com:0443", "no port", ":443"},
           Row{"a..com", "empty label", "example.com"},
           Row{"..example.com", "empty label", "example.com"},
           Row{long_label, "longer than 63", "example.com"},
           Row{"10.1.2.3/8", "beyond its prefix", "write 10.0.0.0/8"},
           Row{"2001:db8::1/32", "beyond its prefix", "write 2001:db8::/32"},
           Row{"10.0.0.0/33", "no prefix length", "/32"},
           Row{"2001:db8::/129", "no prefix length", "/128"},
           Row{"127.1", "no dotted quad", "203.0.113.7"},
           Row{"0x7f.1", "no dotted quad", "203.0.113.7"},
           Row{"2130706433", "no dotted quad", "203.0.113.7"},
           Row{"0177.0.0.1", "no dotted quad", "203.0.113.7"},
           Row{".10.0.0.1", "no dotted quad", "203.0.113.7"},
           Row{"2001:db8::1:x", "no IPv6 address", "[2001:db8::1]:443"},
           Row{"[fe80::1%eth0]", "no IPv6 address", "2001:db8"},
           Row{"[2001:db8::1", "no closing bracket", "[2001:db8::1]:443"},
           Row{"[2001:db8::]/32", "outside the brackets", "write [2001:db8::/32]"},
           Row{"[2001:db8::1]443", "after its bracket", "write [2001:db8::1]"},
           Row{"[203.0.113.7]", "in brackets", "write 203.0.113.7"},
           Row{"[example.com]", "no", ""},
           Row{"ex%61mple.com", "no host name", "example.com"},
           Row{"ex!mple.com", "no host name", "example.com"},
       }) {
    const auto parsed = Pattern::parse(row.text);
    ASSERT_FALSE(parsed) << row.text << " as " << parsed->str();
    EXPECT_THAT(parsed.error().message, HasSubstr(row.message)) << row.text;
    EXPECT_THAT(parsed.error().fix, HasSubstr(row.fix)) << row.text;
  }
}

TEST(Pattern, NeverShowsTheBytesOfAnEntryAsTheyAre) {
  const auto parsed = Pattern::parse("a\x1b[2Jb\xff.com/");
  ASSERT_FALSE(parsed);
  EXPECT_EQ(parsed.error().message.find('\x1b'), std::string::npos);
  EXPECT_EQ(parsed.error().message.find('\xff'), std::string::npos);
}

TEST(Pattern, MapsUnicodeByUts46AndChecksWhatThatGives) {
  for (const auto& [text, canonical] : std::initializer_list<std::pair<const char*, const char*>>{
           {"bücher.example", "xn--bcher-kva.example"},
           {".BÜCHER.example:443", ".xn--bcher-kva.example:443"},
           {"*.faß.de", "*.xn--fa-hia.de"},
           {"xn--bcher-kva.example", "xn--bcher-kva.example"},
           {"XN--BCHER-KVA.Example", "xn--bcher-kva.example"},
           {"_x.bücher.example", "_x.xn--bcher-kva.example"},
           {"ex。ample.com", "ex.ample.com"},  // U+3002 is a dot
       }) {
    const auto parsed = Pattern::parse(text);
    ASSERT_TRUE(parsed) << text << ": " << parsed.error().message;
    EXPECT_EQ(parsed->str(), canonical);
  }
  for (const char* text : {
           "℀.example",         // maps to a/c
           "。example.com",     // maps to a leading dot
           "example.com。",     // maps to a trailing dot
           "１２７.0.0.1",      // maps to digits
           "example.com：443",  // maps to a colon
           "a＊.example",       // maps to a star
           "a＠b.example",      // maps to userinfo
           "xn--a.example",     // no A-label
           "xn--.example",
           "xn--abc-.example",  // Punycode of what needs none
           "xn--a-ecp.example",
           "-bü.example",
           "a\u200db.example",
           "\xff\xfe.example",
           "b\xc3.example",
       }) {
    EXPECT_FALSE(Pattern::parse(text)) << text;
  }
}

TEST(Pattern, MatchesAtLabelBoundariesOnly) {
  struct Row {
    std::string_view pattern;
    std::vector<std::string_view> matched;
    std::vector<std::string_view> others;
  };
  const std::vector<Row> rows = {
      {"example.com", {"example.com", "EXAMPLE.com."}, {"www.example.com", "com", "xample.com"}},
      {".example.com",
       {"example.com", "www.example.com", "a.b.c.example.com"},
       {"notexample.com", "example.com.evil", "com", "example.co"}},
      {"*.example.com",
       {"www.example.com", "a.b.c.example.com"},
       {"example.com", "notexample.com", "www.example.com.evil"}},
      {"203.0.113.7", {"203.0.113.7"}, {"203.0.113.8", "[::ffff:203.0.113.7]", "x.203.example"}},
      {"198.51.100.0/24", {"198.51.100.0", "198.51.100.255"}, {"198.51.101.0"}},
      {"2001:db8::/32", {"[2001:db8::]", "[2001:db8:ffff::1]"}, {"[2001:db9::]", "32.1.13.184"}},
  };
  for (const Row& row : rows) {
    for (const auto text : row.matched) {
      EXPECT_TRUE(pattern(row.pattern).matches(host(text))) << row.pattern << " " << text;
    }
    for (const auto text : row.others) {
      EXPECT_FALSE(pattern(row.pattern).matches(host(text))) << row.pattern << " " << text;
    }
  }
}

TEST(PatternList, GivesBackWhatWasAdded) {
  PatternList list;
  const std::vector<std::string_view> texts = {
      "example.com:1-65535", ".example.com", "*.example.com:443", "198.51.100.0/24:80", "0.0.0.0/0",
      "[2001:db8::/33]:443", "::1"};
  for (std::uint32_t i = 0; i < texts.size(); ++i) {
    list.add(pattern(texts[i]), {.line = i + 1, .column = i * 20000});
  }
  for (std::uint32_t i = 0; i < texts.size(); ++i) {
    EXPECT_EQ(list[i], pattern(texts[i]));
    EXPECT_EQ(list[i].str(), texts[i]);
    EXPECT_EQ(list.position(i).line, i + 1);
    EXPECT_EQ(list.position(i).column, std::min(i * 20000, 65535U));
  }
}

TEST(Path, IsUnderAPrefixAtSegmentBoundariesOnly) {
  struct Row {
    std::string_view prefix;
    std::string_view path;
    bool surely;
    bool maybe;
  };
  for (const Row& row : {
           Row{"/acme/", "/acme/", true, true},
           Row{"/acme/", "/acme/x?y", true, true},
           Row{"/acme/", "/acme", false, true},
           Row{"/acme", "/acme", true, true},
           Row{"/acme", "/acme?x", true, true},
           Row{"/acme", "/acme/x", true, true},
           Row{"/acme", "/acmes", false, false},
           Row{"/acme", "/other", false, false},
           Row{"/acme", "/acme;v=1", false, true},
           Row{"/acme", "/ACME", false, false},
           Row{"/", "", true, true},
           Row{"/", "/x", true, true},
           // Dot segments lead out, however they are written.
           Row{"/acme/", "/acme/../x", false, true},
           Row{"/acme/", "/acme/.", false, true},
           Row{"/acme/", "/acme/..", false, true},
           Row{"/acme/", "/acme/%2e%2E/x", false, true},
           Row{"/acme/", "/acme/..%2fx", false, true},
           Row{"/acme/", "/acme/..%5cx", false, true},
           Row{"/acme/", "/acme/..\\x", false, true},
           Row{"/acme/", "/acme/%252e%252e/x", false, true},
           Row{"/acme/", "/acme/..;p/x", false, true},
           Row{"/acme/", "/other/../acme/x", false, true},
           Row{"/acme/", "/acme/...", true, true},
           Row{"/acme/", "/acme/.x/..y", true, true},
           Row{"/acme/", "/acme/@scope%2fname", true, true},
           // What a deny entry must see through.
           Row{"/acme/", "/%61cme/x", false, true},
           Row{"/acme/", "//acme/x", false, true},
           Row{"/acme/", "/acme%2fx", false, true},
           Row{"/acme/x", "/acme;v=1/x", false, true},
           Row{"/acme/x", "/;v/acme/;w;/x;", false, true},
           Row{"/acme/x", "/acme%3bv/x", false, true},
           Row{"/acme;v/", "/acme;v/x", true, true},
           Row{"/acme/x", "/acme;v/y", false, false},
           Row{"/acme/", "/acme%zzx", false, false},
       }) {
    EXPECT_EQ(detail::is_surely_under(row.path, row.prefix), row.surely)
        << row.prefix << " " << row.path;
    EXPECT_EQ(detail::may_be_under(row.path, row.prefix), row.maybe)
        << row.prefix << " " << row.path;
  }
}

TEST(Pattern, IsTheSameOnOtherPorts) {
  for (const char* text :
       {"a.example", ".a.example:80", "*.a.example", "203.0.113.7", "[2001:db8::/32]:443"}) {
    const Pattern before = *Pattern::parse(text);
    const Pattern after = before.on({8000, 8010});
    EXPECT_EQ(*Pattern::parse(after.str()), after) << text;
    EXPECT_EQ(after.ports(), (PortRange{8000, 8010}));
    EXPECT_EQ(after.kind(), before.kind());
    EXPECT_EQ(after.name(), before.name());
    EXPECT_EQ(after.addresses(), before.addresses());
  }
}

}  // namespace
}  // namespace ebbgate::policy
