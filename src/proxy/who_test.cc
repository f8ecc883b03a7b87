#include "proxy/who.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "net/testing.h"

namespace ebbgate::proxy {
namespace {

using net::testing::ip;
using std::chrono::milliseconds;
using std::chrono::seconds;

identity::PodState pod(std::string name, std::string_view where) {
  return {.name = std::move(name), .pod_namespace = "shop", .addresses = {ip(where)}};
}

policy::Subject from(std::string_view address) {
  return {.address = ip(address)};
}

// "shop/a", or who else it is taken for.
std::string str(Who::Known known, const policy::Subject& subject) {
  if (known == Who::Known::kAwaited) return "awaited";
  if (known == Who::Known::kAmbiguous) return subject.pod ? "with a pod" : "ambiguous";
  if (subject.pod) return subject.pod->pod_namespace + "/" + subject.pod->name;
  if (subject.suspected) return "perhaps " + subject.suspected->name;
  return subject.may_be_pod ? "some pod" : "no pod";
}

class WhoTest : public ::testing::Test {
 protected:
  WhoTest() { pods.set_pod_blocks({*Cidr::parse("10.0.0.0/8"), *Cidr::parse("2001:db8::/32")}); }

  std::string identify(policy::Subject subject) {
    const Who::Known known = who.identify(subject);
    return str(known, subject);
  }

  net::Task<void> wait(std::string_view address, std::string& outcome) {
    policy::Subject subject = from(address);
    const Who::Known known = co_await who.wait(subject);
    outcome = str(known, subject);
  }

  std::uint64_t lookups(identity::Presence presence) {
    return metrics.worker(0).kube_lookups[static_cast<std::size_t>(presence)].value();
  }

  std::unique_ptr<net::Loop> loop = net::testing::make_loop();
  SystemClock clock;
  identity::PodIndex pods;
  observe::Metrics metrics{1, {}};
  Who who{*loop, clock, pods, metrics.worker(0)};
};

TEST_F(WhoTest, IsThePodBehindTheAddress) {
  pods.put(pod("a", "10.0.0.1"));
  pods.put(pod("b", "2001:db8::1"));
  pods.put(pod("c", "10.0.0.3"));
  pods.put(pod("d", "10.0.0.3"));
  identity::PodState node = pod("e", "10.0.0.4");
  node.is_on_host_network = true;
  pods.put(node);
  pods.publish();
  EXPECT_EQ(identify(from("10.0.0.1")), "shop/a");
  EXPECT_EQ(identify(from("::ffff:10.0.0.1")), "shop/a");
  EXPECT_EQ(identify(from("2001:db8::1")), "shop/b");
  EXPECT_EQ(identify(from("10.0.0.3")), "ambiguous");
  EXPECT_EQ(identify(from("10.0.0.4")), "no pod");
  EXPECT_EQ(identify(from("192.0.2.1")), "no pod");
  EXPECT_EQ(identify(from("10.0.0.5")), "awaited");
  EXPECT_EQ(identify({}), "no pod") << "a load balancer's own request has no address";
  pods.watch_lost(loop->now() - identity::PodIndex::kTrust);
  EXPECT_EQ(identify(from("10.0.0.1")), "perhaps a");
  EXPECT_EQ(identify(from("10.0.0.5")), "some pod") << "nobody would come";

  EXPECT_EQ(lookups(identity::Presence::kPod), 3U);
  EXPECT_EQ(lookups(identity::Presence::kAmbiguous), 1U);
  EXPECT_EQ(lookups(identity::Presence::kStale), 2U);
  EXPECT_EQ(lookups(identity::Presence::kAwaited), 0U) << "counted when the wait is over";
}

TEST_F(WhoTest, ForgetsThePodThatTheSubjectWas) {
  policy::Subject subject = from("10.0.0.1");
  pods.put(pod("a", "10.0.0.1"));
  pods.publish();
  EXPECT_EQ(str(who.identify(subject), subject), "shop/a");
  pods.remove("shop", "a");
  pods.put(pod("b", "10.0.0.1"));
  pods.publish();
  EXPECT_EQ(str(who.identify(subject), subject), "shop/b");
  pods.watch_lost(loop->now() - identity::PodIndex::kTrust);
  EXPECT_EQ(str(who.identify(subject), subject), "perhaps b");
  EXPECT_TRUE(subject.may_be_pod);
  pods.watch_restored();
  EXPECT_EQ(str(who.identify(subject), subject), "shop/b");
  EXPECT_FALSE(subject.may_be_pod);
  EXPECT_FALSE(subject.suspected);
  pods.put(pod("c", "10.0.0.1"));
  pods.publish();
  EXPECT_EQ(str(who.identify(subject), subject), "ambiguous");
}

// The other thread publishes at any point of the waiter's way into its wait: were it missed, one of
// so many would wait for its whole patience.
class WhoWoken : public WhoTest {
 protected:
  static constexpr int kPods = 60;  // one after the other, each after a pause of the wake-ups
  static std::string address_of(int number) { return "10.0.0." + std::to_string(number); }
  void publish_what_is_asked_for() {
    for (int number = 0; number < kPods; ++number) {
      while (asked < number) std::this_thread::yield();
      pods.put(pod(std::to_string(number), address_of(number)));
      pods.publish();
      who.pods_changed();
    }
  }
  net::Task<void> ask_for_each() {
    for (int number = 0; number < kPods; ++number) {
      policy::Subject subject = from(address_of(number));
      asked = number;
      Who::Known known = who.identify(subject);
      if (known == Who::Known::kAwaited) known = co_await who.wait(subject);
      right += str(known, subject) == "shop/" + std::to_string(number) ? 1 : 0;
    }
  }
  std::atomic<int> asked = -1;
  int right = 0;
};

TEST_F(WhoWoken, ByTheChangeThatItWaitsFor) {
  std::thread control([this] { publish_what_is_asked_for(); });
  const MonotonicTime began = std::chrono::steady_clock::now();
  net::testing::run_to_end(*loop, ask_for_each());
  control.join();
  EXPECT_EQ(right, kPods);
  EXPECT_GT(metrics.worker(0).kube_waits.value(), 0U) << "the test tests nothing";
  EXPECT_LT(std::chrono::steady_clock::now() - began, identity::PodIndex::kPatience);
}

class WhoInVain : public WhoTest {
 protected:
  net::Task<void> ask_for_all() {
    for (std::size_t i = 0; i < addresses.size(); ++i) {
      net::spawn(wait(addresses[i], outcomes[i]), net::testing::abort_on_failure);
    }
    pods.put(pod("a", "10.0.0.8"));
    pods.put(pod("b", "10.0.0.9"));
    pods.put(pod("c", "10.0.0.9"));
    pods.publish();
    who.pods_changed();
    const Deadline end = loop->after(identity::PodIndex::kPatience - milliseconds(200));
    co_await net::sleep_until(*loop, end);
    EXPECT_EQ(outcomes, (std::vector<std::string>{"", "", "", "shop/a", "ambiguous"}));
    const Deadline after_end = loop->after(milliseconds(400));
    co_await net::sleep_until(*loop, after_end);
  }
  const std::vector<std::string> addresses = {"10.0.0.1", "::ffff:10.0.0.2", "2001:db8::3",
                                              "10.0.0.8", "10.0.0.9"};
  std::vector<std::string> outcomes = std::vector<std::string>(addresses.size());
};

TEST_F(WhoInVain, WaitsTwoSecondsAndNotAgain) {
  net::testing::run_to_end(*loop, ask_for_all());
  for (std::size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(outcomes[i], "some pod") << addresses[i];
    EXPECT_EQ(identify(from(addresses[i])), "some pod") << "and does not wait again";
  }
  EXPECT_EQ(metrics.worker(0).kube_waits.value(), 5U);
  EXPECT_EQ(lookups(identity::Presence::kAwaited), 6U);
  pods.put(pod("d", "10.0.0.1"));
  pods.publish();
  EXPECT_EQ(identify(from("10.0.0.1")), "shop/d") << "it only skips the wait";
  pods.remove("shop", "d");
  pods.publish();
  EXPECT_EQ(identify(from("10.0.0.1")), "awaited") << "somebody had it: the next one is new";
  EXPECT_EQ(identify(from("10.0.0.2")), "some pod");
}

class WhoWokenByMany : public WhoTest {
 protected:
  static constexpr int kChanges = 40;
  net::Task<void> publish_as_fast_as_it_goes() {
    std::string outcome;
    net::spawn(wait("10.0.0.1", outcome), net::testing::abort_on_failure);
    const MonotonicTime began = loop->now();
    for (int i = 0; i < kChanges; ++i) {
      who.pods_changed();
      const Deadline soon = loop->after(milliseconds(1));
      co_await net::sleep_until(*loop, soon);
    }
    EXPECT_GE(who.wake_ups(), 1U);
    EXPECT_LE(who.wake_ups(),
              1U + static_cast<std::uint64_t>((loop->now() - began) / Who::kWakePause));
    pods.put(pod("a", "10.0.0.1"));
    pods.publish();
    who.pods_changed();
    const MonotonicTime published = loop->now();
    while (outcome.empty()) {
      const Deadline soon = loop->after(milliseconds(1));
      co_await net::sleep_until(*loop, soon);
    }
    EXPECT_EQ(outcome, "shop/a");
    EXPECT_LT(loop->now() - published, identity::PodIndex::kPatience / 2) << "it was not woken";
  }
};

TEST_F(WhoWokenByMany, ChangesIsWokenNowAndThen) {
  net::testing::run_to_end(*loop, publish_as_fast_as_it_goes());
}

TEST_F(WhoTest, WaitsNoLongerThanTheWorkerServes) {
  std::string outcome;
  net::spawn(wait("10.0.0.1", outcome), net::testing::abort_on_failure);
  loop->give_up_on_everything();
  loop->post([this] { loop->stop(); });
  loop->run();
  EXPECT_EQ(outcome, "some pod");
  EXPECT_EQ(identify(from("10.0.0.1")), "awaited") << "it was not in vain";
}

TEST(VainWaits, AreRememberedForHalfAMinuteInATableThatDoesNotGrow) {
  const MonotonicTime now{};
  const auto waits = std::make_unique<VainWaits>();
  EXPECT_FALSE(waits->has(IpAddress(), now));
  waits->add(ip("10.0.0.1"), now);
  EXPECT_TRUE(waits->has(ip("::ffff:10.0.0.1"), now + seconds(29)));
  EXPECT_FALSE(waits->has(ip("10.0.0.1"), now + seconds(30)));
  EXPECT_FALSE(waits->has(ip("10.0.0.2"), now));
  waits->forget(ip("10.0.0.2"), now);
  EXPECT_TRUE(waits->has(ip("10.0.0.1"), now));
  waits->forget(ip("::ffff:10.0.0.1"), now);
  EXPECT_FALSE(waits->has(ip("10.0.0.1"), now));
  int kept = 0;
  for (std::uint32_t i = 0; i < 100'000; ++i) waits->add(IpAddress::v4(i), now);
  for (std::uint32_t i = 0; i < 100'000; ++i) kept += waits->has(IpAddress::v4(i), now) ? 1 : 0;
  EXPECT_GT(kept, 500) << "the table is used";
  EXPECT_LE(kept, 1024);
}

}  // namespace
}  // namespace ebbgate::proxy
