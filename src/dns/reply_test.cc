#include "dns/detail/reply.h"

#include <gtest/gtest.h>

#include <chrono>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "dns/detail/scripted_server.h"

namespace ebbgate::dns::detail {
namespace {

using namespace std::string_literals;
using std::chrono::seconds;
using testing::address;
using testing::alias;
using testing::kA;
using testing::kAaaa;
using testing::start_of_authority;

std::string message(std::string_view name, std::uint16_t type, const testing::Reply& reply) {
  const std::string question = testing::wire_name(name) + testing::number16(type) + "\x00\x01"s;
  return testing::to_message("\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00"s + question,
                             question.size(), reply);
}

std::span<const std::uint8_t> octets(std::string_view text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

TEST(ReadAddresses, FollowsAliasesToAllAddressesWithTheLeastLifetime) {
  const std::string text = message(
      "www.a.test", kA,
      {.answers = {alias("www.a.test", "cdn.b.test", 300), alias("cdn.b.test", "edge.c.test", 20),
                   address("edge.c.test", "192.0.2.1", 60),
                   address("edge.c.test", "192.0.2.2", 60)}});
  const auto read = read_addresses(Family::kV4, octets(text));
  ASSERT_TRUE(read);
  EXPECT_EQ(read->addresses,
            (std::vector{*IpAddress::parse("192.0.2.1"), *IpAddress::parse("192.0.2.2")}));
  EXPECT_EQ(read->ttl, seconds(20));
}

TEST(ReadAddresses, ReadsIpv6) {
  const std::string text =
      message("a.test", kAaaa, {.answers = {address("a.test", "2001:db8::1", 60)}});
  const auto read = read_addresses(Family::kV6, octets(text));
  ASSERT_TRUE(read);
  EXPECT_EQ(read->addresses, std::vector{*IpAddress::parse("2001:db8::1")});
  EXPECT_EQ(read->ttl, seconds(60));
}

TEST(ReadAddresses, FindsNoneBehindAnAliasThatLeadsNowhere) {
  const std::string text =
      message("www.a.test", kA, {.answers = {alias("www.a.test", "a.test", 60)}});
  const auto read = read_addresses(Family::kV4, octets(text));
  ASSERT_TRUE(read);
  EXPECT_TRUE(read->addresses.empty());
}

TEST(ReadAddresses, TakesALifetimeAboveTheLargestForNone) {
  const std::string text =
      message("a.test", kA, {.answers = {address("a.test", "192.0.2.1", 0x80000000U)}});
  EXPECT_EQ(read_addresses(Family::kV4, octets(text))->ttl, seconds(0));
}

TEST(ReadAddresses, ReadsNoMoreThanItsMost) {
  testing::Reply reply;
  for (int i = 0; i < kMaxAddresses + 5; ++i) {
    reply.answers.push_back(address("a.test", "192.0.2." + std::to_string(i), 60));
  }
  const std::string text = message("a.test", kA, reply);
  EXPECT_EQ(read_addresses(Family::kV4, octets(text))->addresses.size(),
            static_cast<std::size_t>(kMaxAddresses));
}

TEST(ReadAddresses, RefusesWhatIsCutShort) {
  const std::string text = message("a.test", kA, {.answers = {address("a.test", "192.0.2.1", 60)}});
  for (std::size_t size = 0; size < text.size(); ++size) {
    const std::string cut = text.substr(0, size);
    EXPECT_FALSE(read_addresses(Family::kV4, octets(cut))) << size;
  }
}

TEST(ReadNegativeTtl, IsTheLesserOfTheTwoThatTheSoaHas) {
  struct Row {
    std::vector<testing::Record> answers, authority;
    std::optional<seconds> ttl;
  };
  for (const Row& row : {
           Row{{}, {start_of_authority("test", 900, 15)}, seconds(15)},
           Row{{}, {start_of_authority("test", 10, 3600)}, seconds(10)},
           Row{{alias("a.test", "b.test", 5)}, {start_of_authority("test", 900, 15)}, seconds(15)},
           Row{{},
               {address("ns.test", "192.0.2.1", 7), start_of_authority("test", 9, 9)},
               seconds(9)},
           Row{{}, {}, std::nullopt},
           Row{{}, {address("ns.test", "192.0.2.1", 7)}, std::nullopt},
           // An SOA that was asked for says nothing about what is not there.
           Row{{start_of_authority("test", 900, 15)}, {}, std::nullopt},
       }) {
    const std::string text =
        message("a.test", kA, {.rcode = 3, .answers = row.answers, .authority = row.authority});
    EXPECT_EQ(read_negative_ttl(octets(text)), row.ttl);
  }
}

TEST(ReadNegativeTtl, ReadsNothingFromWhatIsCutShort) {
  const std::string text =
      message("a.test", kA, {.rcode = 3, .authority = {start_of_authority("test", 900, 15)}});
  ASSERT_TRUE(read_negative_ttl(octets(text)));
  for (std::size_t size = 0; size < text.size(); ++size) {
    const std::string cut = text.substr(0, size);
    EXPECT_EQ(read_negative_ttl(octets(cut)), std::nullopt) << size;
  }
}

}  // namespace
}  // namespace ebbgate::dns::detail
