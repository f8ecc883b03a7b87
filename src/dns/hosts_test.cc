#include "dns/hosts.h"

#include <gtest/gtest.h>

#include <unistd.h>
#include <chrono>

#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>

namespace ebbgate::dns {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr MonotonicTime kNow{seconds(1000)};

Hostname name(std::string_view text) {
  return Hostname::parse(text).value();
}

// The addresses of `host` in that text, with commas.
std::string addresses(std::string_view text, std::string_view host) {
  const Hosts hosts = parse_hosts(text);
  const auto found = hosts.find(name(host));
  std::string out;
  if (found == hosts.end()) return out;
  for (const IpAddress& address : found->second->addresses) {
    out += (out.empty() ? "" : ",") + address.str();
  }
  return out;
}

TEST(ParseHosts, ReadsNamesAndTheirAddresses) {
  struct Row {
    std::string_view text, host, addresses;
  };
  for (const Row& row : {
           Row{"127.0.0.1 localhost", "localhost", "127.0.0.1"},
           Row{"127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost\n", "localhost",
               "127.0.0.1,::1"},
           Row{"192.0.2.1 a.test b.test\r\n", "b.test", "192.0.2.1"},
           Row{"  192.0.2.1  A.Test.  ", "a.test", "192.0.2.1"},
           Row{"192.0.2.1 a.test # b.test", "b.test", ""},
           Row{"#192.0.2.1 a.test", "a.test", ""},
           Row{"192.0.2.1 a.test#b.test", "a.test", "192.0.2.1"},
           Row{"192.0.2.1 a.test\n192.0.2.1 a.test", "a.test", "192.0.2.1"},
           // One mistake takes nothing from the others.
           Row{"192.0.2.256 a.test\n192.0.2.1 b.test", "a.test", ""},
           Row{"192.0.2.256 a.test\n192.0.2.1 b.test", "b.test", "192.0.2.1"},
           Row{"192.0.2.1 *.test a.test", "a.test", "192.0.2.1"},
           Row{"fe80::1%lo0 a.test", "a.test", ""},
           Row{"10.1 a.test", "a.test", ""},
           Row{"192.0.2.1", "a.test", ""},
           Row{"a.test 192.0.2.1", "a.test", ""},
           Row{"", "a.test", ""},
           // Names are absolute: no part of one is another.
           Row{"192.0.2.1 www", "www.test", ""},
           Row{"192.0.2.1 www.test", "www", ""},
       }) {
    EXPECT_EQ(addresses(row.text, row.host), row.addresses) << row.text << " for " << row.host;
  }
}

TEST(ParseHosts, NeverExpiresWhatItReads) {
  const Hosts hosts = parse_hosts("192.0.2.1 a.test");
  EXPECT_EQ(hosts.at(name("a.test"))->expiry, MonotonicTime::max());
}

struct File : ::testing::Test {
  std::string path = ::testing::TempDir() + "hosts-" + std::to_string(::getpid());
  ~File() override { std::filesystem::remove(path); }
  void write(std::string_view text) const { std::ofstream(path, std::ios::trunc) << text; }
};

TEST_F(File, IsReadAgainWhenItHasChangedAndLookedAtOnceASecond) {
  write("192.0.2.1 a.test");
  HostsFile hosts(path);
  ASSERT_NE(hosts.find(name("a.test"), kNow), nullptr);
  write("192.0.2.20 b.test");
  EXPECT_NE(hosts.find(name("a.test"), kNow + milliseconds(999)), nullptr);
  EXPECT_EQ(hosts.find(name("a.test"), kNow + milliseconds(1000)), nullptr);
  EXPECT_NE(hosts.find(name("b.test"), kNow + milliseconds(1000)), nullptr);
}

TEST_F(File, HoldsNothingWhenItIsNotThereAndIsFoundWhenItComes) {
  HostsFile hosts(path);
  EXPECT_EQ(hosts.find(name("a.test"), kNow), nullptr);
  write("192.0.2.1 a.test");
  EXPECT_NE(hosts.find(name("a.test"), kNow + seconds(1)), nullptr);
  std::filesystem::remove(path);
  EXPECT_EQ(hosts.find(name("a.test"), kNow + seconds(2)), nullptr);
}

TEST_F(File, HoldsNothingWhenItIsTooLong) {
  write("192.0.2.1 a.test\n" + std::string(HostsFile::kMaxSize, '#'));
  HostsFile hosts(path);
  EXPECT_EQ(hosts.find(name("a.test"), kNow), nullptr);
}

TEST(HostsFile, OfNoPathHoldsNothing) {
  HostsFile hosts("");
  EXPECT_EQ(hosts.find(name("localhost"), kNow), nullptr);
}

}  // namespace
}  // namespace ebbgate::dns
