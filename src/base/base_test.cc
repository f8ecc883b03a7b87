#include <gtest/gtest.h>

#include "base/authority.h"
#include "base/clock.h"
#include "base/escape.h"
#include "base/published.h"

namespace ebbgate {
namespace {

TEST(Hostname, FoldsCaseAndOneTrailingDot) {
  EXPECT_EQ(Hostname::parse("Example.COM.")->str(), "example.com");
  EXPECT_EQ(Hostname::parse("_dmarc.a-b.example")->str(), "_dmarc.a-b.example");
  EXPECT_EQ(Hostname::parse("localhost")->str(), "localhost");
}

TEST(Hostname, RefusesWhatCouldBeReadTwoWays) {
  const std::string long_label(64, 'a');
  const std::string long_name = [] {
    std::string name;
    while (name.size() < 250) name += "abcdefgh.";
    return name + "abcdef";
  }();
  const std::string_view with_nul("a\0b.example", 11);
  for (const std::string_view bad : {std::string_view(""),
                                     std::string_view("."),
                                     std::string_view(".example.com"),
                                     std::string_view("a..b"),
                                     std::string_view("example.com.."),
                                     std::string_view(long_label),
                                     std::string_view(long_name),
                                     with_nul,
                                     std::string_view("a b.example"),
                                     std::string_view("a%62.example"),
                                     std::string_view("a\\b.example"),
                                     std::string_view("u@example.com"),
                                     std::string_view("*.example.com"),
                                     std::string_view("~x.example"),
                                     std::string_view("ex\xc3\xa4mple.com"),
                                     std::string_view("127.1"),
                                     std::string_view("2130706433"),
                                     std::string_view("0x7f.1"),
                                     std::string_view("a.0x7F"),
                                     std::string_view("a.0x"),
                                     std::string_view("example.1")}) {
    EXPECT_FALSE(Hostname::parse(bad)) << escaped(bad);
  }
}

TEST(Host, ReadsStrictQuadsAndBracketedIpv6Only) {
  EXPECT_EQ(Host::parse("203.0.113.7")->address()->str(), "203.0.113.7");
  EXPECT_EQ(Host::parse("[2001:DB8::1]")->str(), "[2001:db8::1]");
  EXPECT_EQ(Host::parse("[::ffff:127.0.0.1]")->address()->unmapped().str(), "127.0.0.1");
  for (const std::string_view bad :
       {"0177.0.0.1", "127.0.0.01", "1.2.3", "1.2.3.4.5", "256.1.1.1", "127.0.0.1.", "::1", "[::1",
        "[fe80::1%eth0]", "[127.0.0.1]", "[v1.x]", "[]", "[::127.0.0.01]"}) {
    EXPECT_FALSE(Host::parse(bad)) << bad;
  }
}

TEST(Authority, NeedsAPortUnlessOneIsGiven) {
  EXPECT_EQ(Authority::parse("example.com:443")->str(), "example.com:443");
  EXPECT_EQ(Authority::parse("[::1]:8443")->port.value(), 8443);
  EXPECT_EQ(Authority::parse("example.com", kHttpPort)->port.value(), 80);
  EXPECT_EQ(Authority::parse("example.com:", kHttpPort)->port.value(), 80);
  EXPECT_EQ(Authority::parse("[::1]", kHttpPort)->str(), "[::1]:80");
  for (const std::string_view bad :
       {"example.com", "example.com:", "example.com:0", "example.com:+1", "example.com:65536",
        "example.com:0443", "a:b:1", "u@example.com:443", ":443", "example.com:4 3"}) {
    EXPECT_FALSE(Authority::parse(bad)) << bad;
  }
}

TEST(Cidr, ContainsByFamilyAndPrefix) {
  const auto private_net = Cidr::parse("10.0.0.0/8");
  ASSERT_TRUE(private_net);
  EXPECT_TRUE(private_net->contains(*IpAddress::parse("10.255.0.1")));
  EXPECT_FALSE(private_net->contains(*IpAddress::parse("11.0.0.1")));
  EXPECT_FALSE(private_net->contains(*IpAddress::parse("::ffff:10.0.0.1")));
  EXPECT_TRUE(Cidr::parse("2001:db8::/33")->contains(*IpAddress::parse("2001:db8:7fff::")));
  EXPECT_FALSE(Cidr::parse("2001:db8::/33")->contains(*IpAddress::parse("2001:db8:8000::")));
  EXPECT_TRUE(Cidr::parse("0.0.0.0/0")->contains(*IpAddress::parse("203.0.113.9")));
  EXPECT_EQ(Cidr::parse("192.0.2.1")->str(), "192.0.2.1/32");
  EXPECT_EQ(Cidr::of(*IpAddress::parse("10.1.255.3"), 15).str(), "10.0.0.0/15");
  EXPECT_EQ(Cidr::of(*IpAddress::parse("10.1.2.3"), 0).str(), "0.0.0.0/0");
  EXPECT_EQ(Cidr::of(*IpAddress::parse("10.1.2.3"), 32).str(), "10.1.2.3/32");
  EXPECT_EQ(Cidr::of(*IpAddress::parse("2001:db8:ffff::1"), 37).str(), "2001:db8:f800::/37");
  EXPECT_EQ(Cidr::of(*IpAddress::parse("2001:db8::1"), 128).str(), "2001:db8::1/128");
  for (const std::string_view bad : {"10.0.0.1/8", "10.0.0.0/33", "10.0.0.0/", "10.0.0.0/08",
                                     "10.0.0.0/-1", "10.0.0/8", "2001:db8::/129", "/8", ""}) {
    EXPECT_FALSE(Cidr::parse(bad)) << bad;
  }
}

TEST(Endpoint, RoundTrips) {
  for (const std::string_view text : {"127.0.0.1:3128", "[::1]:0", "0.0.0.0:80"}) {
    EXPECT_EQ(Endpoint::parse(text)->str(), text);
  }
  for (const std::string_view bad : {"127.0.0.1", "localhost:80", "::1:80", "[127.0.0.1]:80"}) {
    EXPECT_FALSE(Endpoint::parse(bad)) << bad;
  }
}

TEST(Reason, WordsAreUniqueAndFound) {
  for (const ReasonInfo& row : kReasons) EXPECT_EQ(reason_of(row.word), row.reason) << row.word;
  EXPECT_FALSE(reason_of("no-such-reason"));
}

TEST(Published, AReaderSeesEachNewValueOnceItIsWhole) {
  Published<int> source;
  Subscription<int> reader(source);
  EXPECT_EQ(reader.current(), nullptr);
  source.publish(std::make_shared<const int>(1));
  const auto kept = reader.current();
  source.publish(std::make_shared<const int>(2));
  EXPECT_EQ(*reader.current(), 2);
  EXPECT_EQ(*kept, 1);
}

TEST(Escape, ShowsOnlyVisibleAscii) {
  EXPECT_EQ(escaped("a b\n\x7f\xff"), "a%20b%0A%7F%FF");
  EXPECT_EQ(escaped_prose("a b\r"), "a b%0D");
  EXPECT_EQ(escaped("abcdef", 3), "abc");
}

TEST(Deadline, ZeroAllowanceNeverComes) {
  const MonotonicTime now{};
  EXPECT_TRUE(Deadline::after(now, Duration::zero()).is_never());
  EXPECT_EQ(Deadline::never().or_earlier(Deadline::after(now, Duration(5))).when(),
            now + Duration(5));
}

}  // namespace
}  // namespace ebbgate
