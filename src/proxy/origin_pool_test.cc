#include "proxy/origin_pool.h"

#include <gtest/gtest.h>
#include <sys/socket.h>

#include <string>
#include <utility>
#include <vector>

#include "net/testing.h"

namespace ebbgate::proxy {
namespace {

using net::testing::connected_pair;
using net::testing::make_loop;
using net::testing::run_to_end;
using net::testing::Socket;
using std::chrono::milliseconds;

const OriginKey kKey{.authority = "a.test:80", .subject = "192.0.2.1", .policy_generation = 1};

class OriginPoolTest : public ::testing::Test {
 protected:
  // Keeps a new connection; out: the origin's end of it.
  Socket keep(OriginKey key = kKey) {
    const auto [ours, theirs] = connected_pair();
    last_kept = ours;
    pool.keep(std::move(key), net::Stream(*loop, ours), address);
    return Socket(theirs);
  }

  // Lets the loop see what the kernel has to report. Once a test.
  void let_loop_see() { run_to_end(*loop, pass_time()); }

  std::unique_ptr<net::Loop> loop = make_loop();
  OriginPool pool{*loop};
  Endpoint address{net::testing::ip("127.0.0.1"), 80};
  int last_kept = -1;

 private:
  net::Task<void> pass_time() {
    const Deadline deadline = loop->after(milliseconds(50));
    co_await net::sleep_until(*loop, deadline);
  }
};

TEST_F(OriginPoolTest, GivesAConnectionToTheSameKeyOnce) {
  const Socket origin = keep();
  auto taken = pool.take(kKey);
  ASSERT_TRUE(taken);
  EXPECT_EQ(taken->stream.fd(), last_kept);
  EXPECT_EQ(taken->address, address);
  EXPECT_FALSE(pool.take(kKey));
  EXPECT_EQ(pool.size(), 0U);
}

TEST_F(OriginPoolTest, GivesItToNoOtherAuthoritySubjectOrPolicy) {
  const Socket origin = keep();
  for (const OriginKey& other :
       {OriginKey{"a.test:81", "192.0.2.1", 1}, OriginKey{"b.test:80", "192.0.2.1", 1},
        OriginKey{"a.test:80", "192.0.2.2", 1}, OriginKey{"a.test:80", "", 1},
        OriginKey{"a.test:80", "192.0.2.1", 2},
        // Parts that together read alike.
        OriginKey{"a.test:80192.0.2.1", "", 1}}) {
    EXPECT_FALSE(pool.take(other)) << other.authority << ' ' << other.subject;
  }
  EXPECT_TRUE(pool.take(kKey));
}

TEST_F(OriginPoolTest, KeepsSeveralForOneKey) {
  const Socket one = keep();
  const Socket two = keep();
  const auto first = pool.take(kKey);
  const auto second = pool.take(kKey);
  ASSERT_TRUE(first && second);
  EXPECT_NE(first->stream.fd(), second->stream.fd());
}

TEST_F(OriginPoolTest, OneThatTheOriginClosesLeavesAtOnce) {
  Socket closes = keep();
  const Socket stays = keep();
  closes.close();
  let_loop_see();
  EXPECT_EQ(pool.size(), 1U);
  EXPECT_TRUE(pool.take(kKey));
}

TEST_F(OriginPoolTest, OneThatWasClosedUnseenIsNotGiven) {
  Socket origin = keep();
  origin.close();
  EXPECT_FALSE(pool.take(kKey)) << "the loop has not run, so taking it has to look";
  EXPECT_EQ(pool.size(), 0U);
}

TEST_F(OriginPoolTest, OneThatSaysSomethingUnaskedIsNotGiven) {
  const Socket seen = keep();
  ASSERT_EQ(::send(seen.fd(), "HTTP/1.1 200 OK\r\n", 17, 0), 17);
  let_loop_see();
  EXPECT_EQ(pool.size(), 0U);
  const Socket unseen = keep();
  ASSERT_EQ(::send(unseen.fd(), "H", 1, 0), 1);
  EXPECT_FALSE(pool.take(kKey));
}

TEST_F(OriginPoolTest, OneThatIsDoneForAlreadyIsNotKept) {
  const auto [ours, theirs] = connected_pair();
  Socket origin(theirs);
  ASSERT_EQ(::send(theirs, "x", 1, 0), 1);
  pool.keep(kKey, net::Stream(*loop, ours), address);
  EXPECT_EQ(pool.size(), 0U);
}

TEST_F(OriginPoolTest, TheOldestMakesRoomWhereThereAreTooMany) {
  std::vector<Socket> origins;
  for (int i = 0; i < 513; ++i) {
    origins.push_back(
        keep({.authority = std::to_string(i), .subject = "", .policy_generation = 1}));
  }
  EXPECT_EQ(pool.size(), 512U);
  EXPECT_FALSE(pool.take({.authority = "0", .subject = "", .policy_generation = 1}));
  EXPECT_TRUE(pool.take({.authority = "1", .subject = "", .policy_generation = 1}));
  char octet = 0;
  EXPECT_EQ(::recv(origins.front().fd(), &octet, 1, 0), 0) << "its origin is told";
}

TEST_F(OriginPoolTest, ClearClosesAll) {
  const Socket origin = keep();
  pool.clear();
  EXPECT_EQ(pool.size(), 0U);
  char octet = 0;
  EXPECT_EQ(::recv(origin.fd(), &octet, 1, 0), 0);
}

}  // namespace
}  // namespace ebbgate::proxy
