#include "observe/request_id.h"

#include <gtest/gtest.h>

#include <set>
#include <string>

namespace ebbgate::observe {
namespace {

TEST(RequestIdSource, CountsBehindItsPrefix) {
  RequestIdSource source(0);
  EXPECT_EQ(source.next().view(), "0000000000000000");
  EXPECT_EQ(source.next().view(), "0000000000000001");
  for (int i = 2; i < 32; ++i) (void)source.next();
  EXPECT_EQ(source.next().view(), "0000000000000010");
  EXPECT_EQ(RequestIdSource(~std::uint64_t{0}).next().view(), "zzzzzzzzzz000000");
}

TEST(RequestIdSource, GivesEachIdOnce) {
  std::set<std::string> seen;
  RequestIdSource first(0x0123456789abcdef);
  RequestIdSource second(0x0123456789abcdee);
  for (int i = 0; i < 50000; ++i) {
    seen.emplace(first.next().view());
    seen.emplace(second.next().view());
  }
  EXPECT_EQ(seen.size(), 100000U);
}

}  // namespace
}  // namespace ebbgate::observe
