#include "hello/proxy_protocol.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

#include "base/escape.h"

namespace ebbgate::hello {
namespace {

using namespace std::string_literals;

const std::string kSignature("\r\n\r\n\0\r\nQUIT\n", 12);
const std::string kAddresses4("\xc0\x00\x02\x01\xc6\x33\x64\x07\xdc\x04\x01\xbb", 12);
const std::string kAddresses6(
    "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x02"
    "\xdc\x04\x01\xbb",
    36);

std::string vector16(const std::string& content) {
  return std::string{static_cast<char>(content.size() >> 8), static_cast<char>(content.size())} +
         content;
}
std::string v2(char version_and_command, char family, const std::string& content) {
  return kSignature + version_and_command + family + vector16(content);
}
std::string tlv(std::uint8_t type, const std::string& value) {
  return std::string(1, static_cast<char>(type)) + vector16(value);
}

struct Addresses {
  std::string source;  // empty: the header carries none
  std::string destination;
};

TEST(ProxyHeader, CarriesTheAddresses) {
  constexpr auto kProxy = ProxyCommand::kProxy;
  struct Row {
    std::string bytes;
    Addresses addresses;
    ProxyCommand command = kProxy;
    std::string vpc_endpoint = "";
  };
  const std::string v6_zeros(36, '\0');
  const std::vector<Row> rows = {
      {"PROXY TCP4 192.0.2.1 198.51.100.7 56324 443\r\n", {"192.0.2.1:56324", "198.51.100.7:443"}},
      {"PROXY TCP4 0.0.0.0 255.255.255.255 0 65535\r\n", {"0.0.0.0:0", "255.255.255.255:65535"}},
      {"PROXY TCP6 2001:db8::1 2001:DB8:0::2 56324 443\r\n",
       {"[2001:db8::1]:56324", "[2001:db8::2]:443"}},
      {"PROXY TCP6 ::ffff:192.0.2.1 ::ffff:198.51.100.7 1 443\r\n",
       {"192.0.2.1:1", "198.51.100.7:443"}},
      {"PROXY UNKNOWN\r\n", {}},
      {"PROXY UNKNOWN ffff:f...f:ffff ffff:f...f:ffff 65535 65535\r\n", {}},
      {"PROXY UNKNOWN " + std::string(107 - 16, 'x') + "\r\n", {}},
      {v2(0x21, 0x11, kAddresses4), {"192.0.2.1:56324", "198.51.100.7:443"}},
      {v2(0x21, 0x21, kAddresses6), {"[2001:db8::1]:56324", "[2001:db8::2]:443"}},
      {v2(0x21, 0x21, std::string(10, '\0') + "\xff\xff\xc0\x00\x02\x01"s + std::string(20, '\0')),
       {"192.0.2.1:0", "[::]:0"}},
      {v2(0x20, 0x00, ""), {}, ProxyCommand::kLocal},
      {v2(0x20, 0x11, kAddresses4), {}, ProxyCommand::kLocal},
      {v2(0x20, 0x7f, "anything"), {}, ProxyCommand::kLocal},
      {v2(0x21, 0x00, ""), {}},
      {v2(0x21, 0x31, std::string(216, 'x')), {}},
      {v2(0x21, 0x11, kAddresses4 + tlv(0xea, "\x01vpce-08d2bf15fac5001c9")),
       {"192.0.2.1:56324", "198.51.100.7:443"},
       kProxy,
       "vpce-08d2bf15fac5001c9"},
      {v2(0x21, 0x00, tlv(0xea, "\x01vpce-1") + tlv(0x04, std::string(3, '\0'))),
       {},
       kProxy,
       "vpce-1"},
      {v2(0x21, 0x11, kAddresses4 + tlv(0xea, "\x02other") + tlv(0x01, "h2") + tlv(0xe0, "")),
       {"192.0.2.1:56324", "198.51.100.7:443"}},
      // Of another implementation of CRC-32C, which gives e3069283 for "123456789".
      {v2(0x21, 0x11, kAddresses4 + tlv(0x03, "\xfa\x35\xba\x75") + tlv(0x05, "id")),
       {"192.0.2.1:56324", "198.51.100.7:443"}},
      {v2(0x21, 0x11, kAddresses4 + tlv(0x04, std::string(4096 - 16 - 12 - 3, 'x'))),
       {"192.0.2.1:56324", "198.51.100.7:443"}},
  };
  for (const Row& row : rows) {
    ProxyHeader expected;
    expected.command = row.command;
    expected.vpc_endpoint = row.vpc_endpoint;
    expected.size = row.bytes.size();
    if (!row.addresses.source.empty()) {
      expected.source = Endpoint::parse(row.addresses.source);
      expected.destination = Endpoint::parse(row.addresses.destination);
    }
    for (const std::string& follows : {""s, "CONNECT example.com:443 HTTP/1.1\r\n"s, "\n"s}) {
      const auto state = read_proxy_header(row.bytes + follows);
      ASSERT_TRUE(state) << escaped(row.bytes) << ' ' << state.error().detail;
      ASSERT_TRUE(std::holds_alternative<ProxyHeader>(*state)) << escaped(row.bytes);
      EXPECT_EQ(std::get<ProxyHeader>(*state), expected) << escaped(row.bytes);
    }
    for (std::size_t size = 0; size < row.bytes.size(); ++size) {
      const auto state = read_proxy_header(std::string_view(row.bytes).substr(0, size));
      ASSERT_TRUE(state) << escaped(row.bytes) << ' ' << size;
      ASSERT_TRUE(std::holds_alternative<ProxyHeaderIncomplete>(*state)) << escaped(row.bytes);
    }
  }
}

TEST(ProxyHeader, IsAbsentFromTheFirstOctetThatDiffers) {
  for (const std::string& bytes :
       {"C"s, "G"s, "\x16"s, "PO"s, "PU"s, "PA"s, "PRI"s, "PROP"s, "PROXX"s, "PROXY\t"s, "PROXY\r"s,
        "p"s, "\r\nG"s, "\n"s, "\0"s, " "s, kSignature.substr(0, 11) + "\r"}) {
    const auto state = read_proxy_header(bytes);
    ASSERT_TRUE(state) << escaped(bytes);
    EXPECT_TRUE(std::holds_alternative<ProxyHeaderAbsent>(*state)) << escaped(bytes);
    const auto before = read_proxy_header(bytes.substr(0, bytes.size() - 1));
    EXPECT_TRUE(std::holds_alternative<ProxyHeaderIncomplete>(*before)) << escaped(bytes);
  }
}

TEST(ProxyHeader, ThatBreaksTheRulesIsInvalid) {
  const std::string vpce = tlv(0xea, "\x01vpce-1");
  const std::string checksum = tlv(0x03, "\xfa\x35\xba\x75");
  const std::vector<std::string> rows = {
      // version 1
      "PROXY \r\n", "PROXY TCP\r\n", "PROXY TCP4\r\n",
      "PROXY tcp4 192.0.2.1 198.51.100.7 56324 443\r\n",
      "PROXY UDP4 192.0.2.1 198.51.100.7 56324 443\r\n", "PROXY UNKNOWNS\r\n",
      "PROXY  TCP4 192.0.2.1 198.51.100.7 56324 443\r\n",
      "PROXY TCP4  192.0.2.1 198.51.100.7 56324 443\r\n",
      "PROXY TCP4 192.0.2.1 198.51.100.7 56324 443 \r\n",
      "PROXY TCP4 192.0.2.1 198.51.100.7 56324 443 x\r\n",
      "PROXY TCP4 192.0.2.1 198.51.100.7 56324\r\n",
      "PROXY TCP4 192.0.2.1 198.51.100.7 056324 443\r\n",
      "PROXY TCP4 192.0.2.1 198.51.100.7 65536 443\r\n",
      "PROXY TCP4 192.0.2.1 198.51.100.7 -1 443\r\n",
      "PROXY TCP4 192.0.2.1 198.51.100.7 00 443\r\n",
      "PROXY TCP4 192.0.2.01 198.51.100.7 56324 443\r\n",
      "PROXY TCP4 192.0.2 198.51.100.7 56324 443\r\n",
      "PROXY TCP4 2001:db8::1 2001:db8::2 56324 443\r\n",
      "PROXY TCP6 192.0.2.1 198.51.100.7 56324 443\r\n",
      "PROXY TCP6 [2001:db8::1] [2001:db8::2] 56324 443\r\n",
      "PROXY TCP6 fe80::1%eth0 2001:db8::2 56324 443\r\n",
      "PROXY TCP4 192.0.2.1 198.51.100.7 56324 443\n",
      "PROXY TCP4 192.0.2.1 198.51.100.7 56324 443\rx", "PROXY UNKNOWN\n",
      "PROXY UNKNOWN " + std::string(107 - 15, 'x') + "\r\n",
      "PROXY UNKNOWN " + std::string(107 - 14, 'x'),
      // version 2
      v2(0x11, 0x11, kAddresses4), v2(0x31, 0x11, kAddresses4), v2(0x22, 0x11, kAddresses4),
      v2(0x21, 0x12, kAddresses4), v2(0x21, 0x10, kAddresses4), v2(0x21, 0x22, kAddresses6),
      v2(0x21, 0x41, kAddresses6), v2(0x21, 0x32, std::string(216, 'x')), v2(0x21, 0x11, ""),
      v2(0x21, 0x11, kAddresses4.substr(1)), v2(0x21, 0x21, kAddresses4),
      v2(0x21, 0x31, std::string(215, 'x')), v2(0x21, 0x11, kAddresses4 + "\xea"s),
      v2(0x21, 0x11, kAddresses4 + "\xea\x00"s), v2(0x21, 0x11, kAddresses4 + "\xea\x00\x02\x01"s),
      v2(0x21, 0x11, kAddresses4 + vpce + vpce), v2(0x21, 0x11, kAddresses4 + tlv(0xea, "\x01")),
      v2(0x21, 0x11, kAddresses4 + tlv(0xea, "\x01vpce\n1")),
      v2(0x21, 0x11, kAddresses4 + tlv(0x03, "\xfa\x35\xba\x74") + tlv(0x05, "id")),
      v2(0x21, 0x11, kAddresses4 + checksum + tlv(0x05, "ie")),
      v2(0x21, 0x11, kAddresses4 + checksum + checksum),
      v2(0x21, 0x11, kAddresses4 + tlv(0x03, "\xfa\x35\xba")),
      v2(0x21, 0x11, kAddresses4 + tlv(0x04, std::string(4096 - 16 - 12 - 2, 'x'))),
      kSignature + "\x21\x11\x10\x00"s,  // 4112 octets in all, refused before they come
  };
  for (const std::string& bytes : rows) {
    const auto state = read_proxy_header(bytes);
    ASSERT_FALSE(state) << escaped(bytes);
    EXPECT_EQ(state.error().reason, Reason::kProxyProtocolInvalid) << escaped(bytes);
    EXPECT_EQ(state.error().side, Side::kClient) << escaped(bytes);
  }
}

}  // namespace
}  // namespace ebbgate::hello
