#include "net/listener.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/wait.h>

#include <cstring>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "net/testing.h"

namespace ebbgate::net {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::ip;
using testing::make_loop;
using testing::NoDescriptors;
using testing::Socket;

// A listener with a record of what it called.
struct Served {
  std::unique_ptr<Loop> loop = make_loop();
  std::vector<Socket> accepted;
  std::vector<Endpoint> from;
  std::vector<std::pair<bool, int>> exhausted;
  std::optional<Listener> listener;

  explicit Served(const Endpoint& at = {ip("127.0.0.1"), 0}, const ListenOptions& options = {}) {
    listener.emplace(
        *loop, open_listener(at, options).value(),
        [this](int fd, const Endpoint& client) {
          accepted.emplace_back(fd);
          from.push_back(client);
        },
        [this](bool is_exhausted, int error) { exhausted.emplace_back(is_exhausted, error); });
  }
};

int option(const Socket& socket, int level, int name) {
  int value = -1;
  socklen_t size = sizeof value;
  ::getsockopt(socket.fd(), level, name, &value, &size);
  return value;
}

TEST(Listener, AcceptsNonBlockingSocketsWithTheAddressTheyComeFrom) {
  for (const std::string_view at : {"127.0.0.1", "::1"}) {
    Served served(Endpoint{ip(at), 0});
    ASSERT_TRUE(served.listener->start());
    std::vector<Socket> clients;
    for (int i = 0; i < 100; ++i) {  // more than it takes in one turn
      clients.push_back(Socket::connected(served.listener->local()));
      ASSERT_TRUE(clients.back().is_open());
    }
    served.loop->post([&] { served.loop->post([&] { served.loop->stop(); }); });
    served.loop->run();
    ASSERT_EQ(served.accepted.size(), 100U);
    for (std::size_t i = 0; i < 100; ++i) {
      EXPECT_EQ(served.from[i], clients[i].local());
      EXPECT_NE(::fcntl(served.accepted[i].fd(), F_GETFL) & O_NONBLOCK, 0);
    }
  }
}

TEST(Listener, ReportsAnIpv4ClientOfADualStackSocketAsIpv4) {
  Served served(Endpoint{ip("::"), 0});
  ASSERT_TRUE(served.listener->start());
  const Socket client = Socket::connected({ip("127.0.0.1"), served.listener->local().port});
  ASSERT_TRUE(client.is_open());
  served.listener->close();
  ASSERT_EQ(served.from.size(), 1U);
  EXPECT_EQ(served.from[0], client.local());
}

// Makes this process one with a network of its own, whose sockets of `[::]` take IPv6 alone unless
// they say otherwise.
bool enter_network_of_ipv6_alone() {
  if (::unshare(CLONE_NEWUSER | CLONE_NEWNET) != 0) return false;
  const Socket setting(::open("/proc/sys/net/ipv6/bindv6only", O_WRONLY | O_CLOEXEC));
  if (!setting.is_open() || ::write(setting.fd(), "1", 1) != 1) return false;
  ifreq loopback{};
  std::strcpy(loopback.ifr_name, "lo");
  loopback.ifr_flags = IFF_UP;
  const Socket any(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  return ::ioctl(any.fd(), SIOCSIFFLAGS, &loopback) == 0;
}

TEST(Listener, TakesBothFamiliesWhateverTheHostsDefaultIs) {
  constexpr int kSkipped = 77;
  const pid_t child = ::fork();
  if (child == 0) {
    if (!enter_network_of_ipv6_alone()) ::_exit(kSkipped);
    const Served served(Endpoint{ip("::"), 0});
    const std::uint16_t port = served.listener->local().port;
    const bool takes_both = Socket::connected({ip("127.0.0.1"), port}).is_open() &&
                            Socket::connected({ip("::1"), port}).is_open();
    ::_exit(takes_both ? 0 : 1);
  }
  int status = -1;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  if (WIFEXITED(status) && WEXITSTATUS(status) == kSkipped) {
    GTEST_SKIP() << "a process may have no network of its own here";
  }
  EXPECT_EQ(status, 0);
}

TEST(Listener, GivesItsOptionsToWhatItAccepts) {
  Served served(Endpoint{ip("127.0.0.1"), 0}, ListenOptions{.keepalive = seconds(40)});
  const Socket client = Socket::connected(served.listener->local());
  served.listener->close();
  ASSERT_EQ(served.accepted.size(), 1U);
  EXPECT_EQ(option(served.accepted[0], SOL_SOCKET, SO_KEEPALIVE), 1);
  EXPECT_EQ(option(served.accepted[0], IPPROTO_TCP, TCP_KEEPIDLE), 40);
  EXPECT_EQ(option(served.accepted[0], IPPROTO_TCP, TCP_KEEPINTVL), 10);
  EXPECT_EQ(option(served.accepted[0], IPPROTO_TCP, TCP_NODELAY), 1);
}

TEST(Listener, SendsNoProbesWhereNoneAreWanted) {
  Served served(Endpoint{ip("127.0.0.1"), 0}, ListenOptions{.keepalive = Duration::zero()});
  const Socket client = Socket::connected(served.listener->local());
  served.listener->close();
  ASSERT_EQ(served.accepted.size(), 1U);
  EXPECT_EQ(option(served.accepted[0], SOL_SOCKET, SO_KEEPALIVE), 0);
}

TEST(Listener, AcceptsWhatIsWaitingBeforeItCloses) {
  Served served;
  ASSERT_TRUE(served.listener->start());
  const Endpoint at = served.listener->local();
  std::vector<Socket> clients;
  for (int i = 0; i < 3; ++i) clients.push_back(Socket::connected(at));
  served.listener->close();
  EXPECT_EQ(served.accepted.size(), 3U);
  EXPECT_FALSE(Socket::connected(at).is_open());
}

TEST(Listener, SharesItsAddressWithThatOfAnotherWorker) {
  const Served first;
  const Served second(first.listener->local());
  EXPECT_EQ(second.listener->local(), first.listener->local());
}

TEST(Listener, SaysWhichCallFailedAndWhy) {
  const Socket taken = Socket::listening(ip("127.0.0.1"));
  const auto fd = open_listener(taken.local(), {});
  ASSERT_FALSE(fd);
  EXPECT_EQ(fd.error().reason, Reason::kInternal);
  EXPECT_EQ(fd.error().detail,
            "cannot listen on " + taken.local().str() + ": bind: Address already in use");
}

TEST(Listener, PausesWithoutSpinningWhenDescriptorsRunOutAndGoesOnAfterwards) {
  Served served;
  ASSERT_TRUE(served.listener->start());
  const Socket client = Socket::connected(served.listener->local());
  std::optional<NoDescriptors> none(std::in_place);
  Timer timer([](void* owner) { static_cast<std::optional<NoDescriptors>*>(owner)->reset(); },
              &none);
  served.loop->arm(timer, served.loop->after(milliseconds(120)));
  struct Watchdog {
    Served* served;
    Timer* self = nullptr;
    int turns = 0;
  } watchdog{&served};
  Timer poll(
      [](void* owner) {
        auto& dog = *static_cast<Watchdog*>(owner);
        ++dog.turns;
        if (!dog.served->accepted.empty() || dog.turns > 500) {
          dog.served->loop->stop();
        } else {
          dog.served->loop->arm(*dog.self, dog.served->loop->after(milliseconds(10)));
        }
      },
      &watchdog);
  watchdog.self = &poll;
  served.loop->arm(poll, served.loop->after(milliseconds(10)));
  served.loop->run();
  ASSERT_EQ(served.accepted.size(), 1U);
  EXPECT_EQ(served.from[0], client.local());
  EXPECT_EQ(served.exhausted, (std::vector<std::pair<bool, int>>{{true, EMFILE}, {false, 0}}));
}

}  // namespace
}  // namespace ebbgate::net
