#include "noproxy/dialects.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace ebbgate::noproxy {
namespace {

// Which clients go direct, a letter each in the order of kClients: Go, Curl, Requests, requests of
// Old, Urllib, Java, Node, uNdici; `.` for those that use the proxy.
std::string who(std::string_view url, std::string_view value) {
  constexpr std::string_view kLetters = "gcrouJnN";
  const auto target = Target::parse(url);
  if (!target) return "no target: " + target.error().detail;
  std::string directs;
  const auto answers = explain(*target, value);
  for (std::size_t i = 0; i < answers.size(); ++i) {
    directs += answers[i].is_direct ? kLetters[i] : '.';
  }
  return directs;
}

struct Row {
  std::string_view value;
  std::string_view url;
  std::string_view directs;
};

void expect(const std::vector<Row>& rows) {
  for (const Row& row : rows)
    EXPECT_EQ(who(row.url, row.value), row.directs) << row.value << ' ' << row.url;
}

TEST(Dialects, ReadNamesEachInItsWay) {
  expect({
      {"example.com", "https://example.com", "gcrouJnN"},
      {"example.com", "https://a.b.example.com", "gcrou..N"},
      {"example.com", "https://notexample.com", "...o...."},
      {"example.com", "https://example.com.evil.example", "........"},
      {".example.com", "https://example.com", ".crou.nN"},
      {".example.com", "https://a.b.example.com", "gcrou.nN"},
      {".example.com", "https://notexample.com", "........"},
      {"*.example.com", "https://example.com", ".......N"},
      {"*.example.com", "https://a.b.example.com", "g....JnN"},
      {"*.example.com", "https://notexample.com", "........"},
      {"EXAMPLE.com", "https://example.COM", "gcrouJnN"},
      {"example.com.", "https://example.com", ".c......"},
      {"example.com,.example.com", "https://example.com", "gcrouJnN"},
      {"example.com,.example.com", "https://a.example.com", "gcrou.nN"},
      {"", "https://example.com", "........"},
  });
}

TEST(Dialects, ReadBlocksAndAddressesEachInItsWay) {
  expect({
      {"10.0.0.0/8", "https://10.1.2.3", "gcro...."},
      {"10.0.0.0/8", "https://11.1.2.3", "........"},
      {"10.0.0.0/8", "https://ten.example", "........"},  // no client resolves the name
      {"10.9.9.9/8", "https://10.1.2.3", "gcro...."},
      {"0.0.0.0/0", "https://10.1.2.3", "g......."},
      {"10.1.2.3", "https://10.1.2.3", "gcrouJnN"},
      {"10.*", "https://10.1.2.3", ".....J.."},
      {"10.1.2.0-10.1.2.9", "https://10.1.2.3", "......n."},
      {"2001:db8::/32", "https://[2001:db8::1]", "g......."},
      {"2001:db8::1", "https://[2001:db8::1]", "gcro..n."},
      {"[2001:db8::1]", "https://[2001:db8::1]", "....uJ.N"},
      {"2001:db8::1,[2001:db8::1]", "https://[2001:db8::1]", "gcrouJnN"},
      {"::1", "https://[2001:db8::1]", "...o...."},  // any suffix, of an address too
  });
}

TEST(Dialects, ReadPortsEachInItsWay) {
  expect({
      {"example.com:8443", "https://example.com:8443", "g.rou.nN"},
      {"example.com:8443", "https://a.example.com:8443", "g.rou..N"},
      {"example.com:8443", "https://example.com", "........"},
      {"example.com:443", "https://example.com", "g.....nN"},  // Python wants it in the URL
      {"example.com:443", "https://example.com:443", "g.rou.nN"},
      {"example.com:80", "http://example.com", "g.....nN"},
      {"10.1.2.3:443", "https://10.1.2.3", "g.....nN"},
      {"[2001:db8::1]:443", "https://[2001:db8::1]", "g......N"},
  });
}

TEST(Dialects, ReadSeparatorsAndStarsEachInItsWay) {
  expect({
      {"a.example, b.example", "https://b.example", "gcrou.nN"},
      {"a.example b.example", "https://b.example", ".c.....N"},
      {"a.example|b.example", "https://b.example", ".....J.."},
      {" a.example", "https://a.example", "gcrou.nN"},
      {"a.example,,b.example", "https://b.example", "gcrouJnN"},
      {"*", "https://a.example", "gcrouJnN"},
      {"b.example,*", "https://a.example", "g....Jn."},
      {"*", "https://10.1.2.3", "gcrouJnN"},
  });
}

TEST(Dialects, LeaveTheMachineItselfToThoseThatAlwaysDo) {
  expect({
      {"x.example", "http://localhost", "g....J.."},
      {"x.example", "http://127.0.0.1", "g....J.."},
      {"x.example", "http://[::1]", "g....J.."},
      {"", "http://localhost", "g......."},
  });
}

TEST(Dialects, SayWhichEntryDecided) {
  const Target target = *Target::parse("https://www.example.com/");
  EXPECT_EQ(
      ask(Client::kGo, target, "x, .Example.com"),
      (Answer{Client::kGo, true, ".Example.com", "'.Example.com' covers the names below it"}));
  EXPECT_EQ(ask(Client::kCurl, target, "*.example.com").why,
            "'*.example.com' is near, but not for this client");
  EXPECT_EQ(ask(Client::kUrllib, target, "example.net").why, "no entry matches");
  EXPECT_EQ(ask(Client::kUndici, *Target::parse("http://10.1.2.3"), "10.0.0.0/8").why,
            "'10.0.0.0/8' contains the address, but this client does not see it");
}

TEST(Target, IsAUrlOrAnAuthority) {
  struct Parsed {
    std::string_view text;
    std::string_view scheme;
    std::string_view host;
    unsigned port;
    bool is_written;
  };
  for (const Parsed& row : std::vector<Parsed>{
           {"https://Example.com./a?b", "https", "example.com", 443, false},
           {"HTTP://example.com", "http", "example.com", 80, false},
           {"http://example.com:8080/", "http", "example.com", 8080, true},
           {"example.com", "https", "example.com", 443, false},
           {"example.com:80", "http", "example.com", 80, true},
           {"https://[2001:DB8::1]:443", "https", "2001:db8::1", 443, true},
           {"[2001:db8::1]", "https", "2001:db8::1", 443, false},
           {"10.0.0.1:443", "https", "10.0.0.1", 443, true},
       }) {
    const auto target = Target::parse(row.text);
    ASSERT_TRUE(target) << row.text;
    EXPECT_EQ(target->scheme, row.scheme) << row.text;
    EXPECT_EQ(target->host, row.host) << row.text;
    EXPECT_EQ(target->port, row.port) << row.text;
    EXPECT_EQ(target->port_is_written, row.is_written) << row.text;
  }
  for (const std::string_view bad :
       {"ftp://example.com", "https://", "", "https://user@example.com",
        "https://example.com:99999", "https://127.1/", "a b"}) {
    EXPECT_FALSE(Target::parse(bad)) << bad;
  }
}

}  // namespace
}  // namespace ebbgate::noproxy
