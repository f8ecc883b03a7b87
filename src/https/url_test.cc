#include "https/url.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace ebbgate::https {
namespace {

TEST(Url, SaysWhereToConnectAndWhatToAskFor) {
  struct Case {
    const char* text;
    const char* authority;
    const char* target;
    const char* host_field;
    const char* origin;
  };
  const Case cases[] = {
      {"https://a.example", "a.example:443", "/", "a.example", "https://a.example"},
      {"http://a.example", "a.example:80", "/", "a.example", "http://a.example"},
      {"HTTPS://A.Example/P?q=%20", "a.example:443", "/P?q=%20", "a.example", "https://a.example"},
      {"https://a.example:443/", "a.example:443", "/", "a.example", "https://a.example"},
      {"https://a.example:8443/x", "a.example:8443", "/x", "a.example:8443",
       "https://a.example:8443"},
      {"https://a.example:80/x", "a.example:80", "/x", "a.example:80", "https://a.example:80"},
      {"https://a.example?list", "a.example:443", "/?list", "a.example", "https://a.example"},
      {"http://169.254.169.254/latest/api/token", "169.254.169.254:80", "/latest/api/token",
       "169.254.169.254", "http://169.254.169.254"},
      {"http://[fd00:ec2::254]:81/", "[fd00:ec2::254]:81", "/", "[fd00:ec2::254]:81",
       "http://[fd00:ec2::254]:81"},
      {"https://a.example/@b:c//d", "a.example:443", "/@b:c//d", "a.example", "https://a.example"},
  };
  for (const Case& each : cases) {
    SCOPED_TRACE(each.text);
    const auto url = Url::parse(each.text);
    ASSERT_TRUE(url) << url.error().detail;
    EXPECT_EQ(url->authority.str(), each.authority);
    EXPECT_EQ(url->target, each.target);
    EXPECT_EQ(url->host_field(), each.host_field);
    EXPECT_EQ(url->origin(), each.origin);
  }
}

TEST(Url, RefusesWhatCouldBeReadInTwoWays) {
  for (const char* text :
       {"", "a.example", "ftp://a.example/", "https:/a.example/", "https://", "https:///x",
        "https://user:secret@a.example/", "https://a.example/#x", "https://a.example/a b",
        "https://a.example/\r\nHost: b", "https://a.example:0/", "https://a.example:65536/",
        "https://a.example:x/", "https://127.1/", "https://0x7f.1/", "https://fd00::1/",
        "https://[::1/", "https://a..example/", "https://\xc3\xa4.example/"}) {
    const auto url = Url::parse(text);
    ASSERT_FALSE(url) << text;
    EXPECT_EQ(url.error().reason, Reason::kMalformedRequest);
  }
}

}  // namespace
}  // namespace ebbgate::https
