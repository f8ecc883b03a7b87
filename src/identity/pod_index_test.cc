// Whose an address is: a table of disputes, then long random histories beside a model that is too
// simple to be wrong.
#include "identity/pod_index.h"

#include <gtest/gtest.h>
#include <malloc.h>

#include <algorithm>

#include <map>
#include <random>
#include <thread>

namespace ebbgate::identity {
namespace {

using std::chrono::minutes;
using std::chrono::seconds;

WallTime at(int second) {
  return WallTime(seconds(second));
}
constexpr MonotonicTime kNow{};

IpAddress address(std::string_view text) {
  return IpAddress::parse(text).value();
}

PodState pod(std::string name, std::string_view where, int started = 0) {
  PodState state{.name = std::move(name), .pod_namespace = "shop", .service_account = "web"};
  state.addresses = {address(where)};
  state.started = at(started);
  return state;
}

PodState ending(PodState state, int by) {
  state.ends = at(by);
  return state;
}
PodState ended(PodState state) {
  state.has_ended = true;
  return state;
}
PodState unready(PodState state) {
  state.is_ready = false;
  return state;
}
PodState without_network(PodState state) {
  state.has_network = false;
  return state;
}
PodState on_node(PodState state) {
  state.is_on_host_network = true;
  return state;
}

std::string str(const Found& found) {
  switch (found.presence) {
    case Presence::kPod:
      return found.pod->pod_namespace + "/" + found.pod->name;
    case Presence::kAmbiguous:
      return "ambiguous";
    case Presence::kNode:
      return "node";
    case Presence::kAwaited:
      return "awaited";
    case Presence::kUnknown:
      return "unknown";
    case Presence::kStale:
      return "stale";
  }
  return "";
}

std::string whose(const PodIndex& index, std::string_view where, int second = 100) {
  return str(PodReader(index).find(address(where), at(second), kNow));
}

TEST(PodIndex, DecidesWhoseAnAddressIs) {
  constexpr std::string_view kHere = "10.1.0.1";
  struct Row {
    std::string_view what;
    std::vector<PodState> history;
    std::string_view at_100;  // whose kHere is, 100 s after the epoch
  };
  const Row rows[] = {
      {"nobody has it, but a pod may come", {}, "awaited"},
      {"a pod has it", {pod("a", kHere)}, "shop/a"},
      {"a pod has another one", {pod("a", "10.1.0.2")}, "awaited"},
      {"its pod has ended", {pod("a", kHere), ended(pod("a", kHere))}, "awaited"},
      {"its pod had ended when it was first seen", {ended(pod("a", kHere))}, "awaited"},
      {"its pod moved", {pod("a", kHere), pod("a", "10.1.0.2")}, "awaited"},
      {"its pod is ending, and has time", {ending(pod("a", kHere), 101)}, "shop/a"},
      {"its pod's time to end is over", {ending(pod("a", kHere), 100)}, "awaited"},
      {"two running pods claim it", {pod("a", kHere, 1), pod("b", kHere, 2)}, "ambiguous"},
      {"one of the two has ended since",
       {pod("a", kHere, 1), pod("b", kHere, 2), ended(pod("a", kHere, 1))},
       "shop/b"},
      {"its pod is ending, and a younger one has it",
       {ending(pod("a", kHere, 1), 999), pod("b", kHere, 2)},
       "shop/b"},
      {"the same, told in the other order",
       {pod("b", kHere, 2), ending(pod("a", kHere, 1), 999)},
       "shop/b"},
      {"the younger of the two is ending",
       {pod("a", kHere, 1), ending(pod("b", kHere, 2), 999)},
       "ambiguous"},
      {"both are ending",
       {ending(pod("a", kHere, 1), 999), ending(pod("b", kHere, 2), 999)},
       "shop/b"},
      {"both are ending, and the younger one's time is over",
       {ending(pod("a", kHere, 1), 999), ending(pod("b", kHere, 2), 50)},
       "awaited"},
      {"one is ending, and they started in the same second",
       {ending(pod("a", kHere, 1), 999), pod("b", kHere, 1)},
       "ambiguous"},
      {"one runs, one is ending, a third one is younger",
       {pod("a", kHere, 1), ending(pod("b", kHere, 2), 999), pod("c", kHere, 3)},
       "ambiguous"},
      {"pods of a node's network", {on_node(pod("a", kHere)), on_node(pod("b", kHere))}, "node"},
      {"a pod claims a node's address",
       {on_node(pod("a", kHere, 1)), pod("b", kHere, 2)},
       "ambiguous"},
      {"it does so no more, as it is ending",
       {on_node(pod("a", kHere, 2)), pod("b", kHere, 3), ending(pod("b", kHere, 3), 999)},
       "node"},
      {"its time to end is over, told in the other order",
       {ending(pod("b", kHere, 1), 50), on_node(pod("a", kHere, 2))},
       "node"},
      {"nor is an older one ready that claims a node's",
       {unready(pod("b", kHere, 1)), on_node(pod("a", kHere, 2))},
       "node"},
      {"a younger one, not ready yet, claims a node's",
       {on_node(pod("a", kHere, 1)), unready(pod("b", kHere, 2))},
       "ambiguous"},
      {"one of two that claim a node's is ending",
       {on_node(pod("a", kHere, 2)), ending(pod("b", kHere, 1), 999), pod("c", kHere, 1)},
       "ambiguous"},
      {"its pod has lost its network",
       {pod("a", kHere), without_network(pod("a", kHere))},
       "awaited"},
      {"it has it again",
       {pod("a", kHere), without_network(pod("a", kHere)), pod("a", kHere)},
       "shop/a"},
      {"one of two has lost its network",
       {without_network(pod("a", kHere, 1)), pod("b", kHere, 2)},
       "shop/b"},
      {"its pod is not ready", {unready(pod("a", kHere))}, "shop/a"},
      {"its pod is not ready any more, and a younger one has it",
       {pod("a", kHere, 1), pod("b", kHere, 2), unready(pod("a", kHere, 1))},
       "shop/b"},
      {"neither is ready", {unready(pod("a", kHere, 1)), unready(pod("b", kHere, 2))}, "shop/b"},
      {"the younger one is not ready",
       {pod("a", kHere, 1), unready(pod("b", kHere, 2))},
       "ambiguous"},
      {"the older one is ready again",
       {unready(pod("a", kHere, 1)), pod("b", kHere, 2), pod("a", kHere, 1)},
       "ambiguous"},
      {"one is not ready, and they started in the same second",
       {unready(pod("a", kHere, 1)), pod("b", kHere, 1)},
       "ambiguous"},
      {"the same though the one on the node is ending",
       {ending(on_node(pod("a", kHere, 1)), 999), pod("b", kHere, 2)},
       "ambiguous"},
      {"a pod is told twice", {pod("a", kHere), pod("a", kHere)}, "shop/a"},
  };
  for (const Row& row : rows) {
    PodIndex index;
    index.set_pod_blocks({*Cidr::parse("10.1.0.0/16")});
    for (const PodState& state : row.history) {
      index.put(state);
      index.publish();
    }
    EXPECT_EQ(whose(index, kHere), row.at_100) << row.what;
  }
}

TEST(PodIndex, KnowsAPodByAllOfItsAddressesInWhateverForm) {
  PodIndex index;
  index.set_pod_blocks({*Cidr::parse("10.1.0.0/16"), *Cidr::parse("2001:db8::/32")});
  PodState both = pod("a", "10.1.0.1");
  both.addresses = {address("::ffff:10.1.0.1"), address("10.1.0.1"), address("2001:db8::1")};
  index.put(both);
  index.publish();
  EXPECT_EQ(whose(index, "10.1.0.1"), "shop/a");
  EXPECT_EQ(whose(index, "::ffff:10.1.0.1"), "shop/a");
  EXPECT_EQ(whose(index, "2001:db8::1"), "shop/a");
  EXPECT_EQ(whose(index, "2001:db8::2"), "awaited");
  index.remove("shop", "a");
  index.remove("shop", "never there");
  index.publish();
  EXPECT_EQ(whose(index, "2001:db8::1"), "awaited");
  EXPECT_EQ(index.pod_count(), 0U);
}

TEST(PodIndex, TellsWhatPoliciesAskFor) {
  PodIndex index;
  index.set_pod_blocks({*Cidr::parse("10.1.0.0/16")});
  PodState state = pod("a", "10.1.0.1");
  state.uid = "1";
  state.labels = {{"app", "web"}};
  index.put(state);
  index.publish();
  PodReader reader(index);
  const auto find = [&](std::string_view where) {
    return reader.find(address(where), at(0), kNow).pod;  // a copy
  };
  const auto first = find("10.1.0.1");
  ASSERT_TRUE(first);
  EXPECT_EQ(first->service_account, "web");
  EXPECT_EQ(first->uid, "1");
  EXPECT_EQ(*first->labels, state.labels);

  state.labels = {{"app", "api"}};
  state.service_account = "api";
  index.put(state);
  EXPECT_EQ(find("10.1.0.1"), first) << "nothing changes before it is published";
  index.publish();
  const auto second = find("10.1.0.1");
  EXPECT_EQ(second->service_account, "api");
  EXPECT_EQ(*second->labels, state.labels);
  EXPECT_EQ(first->service_account, "web") << "who asked stays who it was";

  state.uid = "2";
  index.put(state);
  index.publish();
  EXPECT_EQ(find("10.1.0.1")->uid, "2") << "another pod of that name";

  PodState twin = pod("b", "10.1.0.2");
  twin.labels = state.labels;
  index.put(twin);
  index.publish();
  EXPECT_EQ(find("10.1.0.2")->labels, second->labels) << "equal labels are kept once";
}

TEST(PodIndex, WaitsOnlyWherePodsMayBe) {
  PodIndex index;
  EXPECT_EQ(whose(index, "10.1.0.1"), "unknown");
  index.set_pod_blocks({*Cidr::parse("10.1.0.0/16"), *Cidr::parse("2001:db8::/64")});
  EXPECT_EQ(whose(index, "10.1.255.1"), "awaited");
  EXPECT_EQ(whose(index, "2001:db8::7"), "awaited");
  EXPECT_EQ(whose(index, "10.2.0.1"), "unknown");
}

TEST(PodIndex, KnowsNobodyOutsideOfThePodsBlocks) {
  PodIndex index;
  index.put(pod("a", "10.1.0.1"));
  index.put(pod("b", "10.2.0.2", 1));
  index.put(pod("c", "10.2.0.2", 2));
  index.put(on_node(pod("d", "10.2.0.3")));
  PodState both = pod("e", "10.1.0.5");
  both.addresses.push_back(address("2001:db8::5"));
  index.put(both);
  index.publish();
  EXPECT_EQ(whose(index, "10.1.0.1"), "unknown");
  EXPECT_EQ(index.outside_count(), 4U) << "the node's has no address of its own";
  index.set_pod_blocks({*Cidr::parse("10.1.0.0/16")});
  EXPECT_EQ(whose(index, "10.1.0.1"), "shop/a");
  EXPECT_EQ(whose(index, "10.1.0.5"), "shop/e");
  EXPECT_EQ(whose(index, "2001:db8::5"), "unknown");
  for (const std::string_view where : {"10.2.0.2", "10.2.0.3", "10.2.0.4"}) {
    EXPECT_EQ(whose(index, where), "unknown") << where;
  }
  EXPECT_EQ(index.outside_count(), 3U);
  index.remove("shop", "b");
  index.put(ended(pod("c", "10.2.0.2", 2)));
  EXPECT_EQ(index.outside_count(), 1U);
  EXPECT_EQ(index.address_outside(), address("2001:db8::5"));
  index.put(pod("e", "10.1.0.5"));
  EXPECT_EQ(index.outside_count(), 0U);
  EXPECT_EQ(index.address_outside(), std::nullopt);
}

TEST(PodIndex, BelievesNothingFiveMinutesAfterTheWatchWasLost) {
  PodIndex index;
  index.set_pod_blocks({*Cidr::parse("10.1.0.0/16")});
  index.put(pod("a", "10.1.0.1"));
  index.put(pod("c", "10.1.0.3", 1));
  index.put(pod("d", "10.1.0.3", 2));
  index.put(on_node(pod("e", "10.1.0.4")));
  index.publish();
  PodReader reader(index);
  const auto ask = [&](std::string_view where, Duration later) {
    return str(reader.find(address(where), at(0), kNow + later));
  };
  index.watch_lost(kNow);
  index.watch_lost(kNow + minutes(4));  // the first loss counts
  EXPECT_EQ(ask("10.1.0.1", minutes(5) - seconds(1)), "shop/a");
  EXPECT_EQ(ask("10.1.0.1", minutes(5)), "stale");
  EXPECT_EQ(ask("10.1.0.2", minutes(5)), "stale") << "nobody will come";
  EXPECT_EQ(ask("10.1.0.3", minutes(5)), "ambiguous") << "to be denied all the same";
  EXPECT_EQ(ask("10.1.0.4", minutes(5) - seconds(1)), "node");
  EXPECT_EQ(ask("10.1.0.4", minutes(5)), "stale") << "a pod may have it now";
  EXPECT_EQ(ask("10.9.0.2", minutes(5)), "unknown");
  const auto last = [&](std::string_view where) {
    const Found found = reader.find(address(where), at(0), kNow + minutes(5));
    return found.pod ? found.pod->name : "nobody";
  };
  EXPECT_EQ(last("10.1.0.1"), "a") << "whoever had it last may have it still";
  EXPECT_EQ(last("10.1.0.2"), "nobody");
  EXPECT_EQ(last("10.1.0.4"), "nobody");
  index.watch_restored();
  EXPECT_EQ(ask("10.1.0.1", minutes(9)), "shop/a");
  index.watch_lost(kNow + minutes(10));
  EXPECT_EQ(ask("10.1.0.1", minutes(14)), "shop/a");
  EXPECT_EQ(ask("10.1.0.1", minutes(15)), "stale");
}

TEST(PodIndex, TellsASubjectOfItsPodOrOfTheOneThatItMayBe) {
  const auto someone = std::make_shared<const policy::Pod>();
  const std::shared_ptr<const policy::Pod> nobody;
  struct Row {
    Found found;
    bool is_pod = false, may_be_pod = false, is_suspected = false;
  };
  const Row rows[] = {
      {{Presence::kPod, someone}, true, false, false},
      {{Presence::kStale, someone}, false, true, true},
      {{Presence::kStale, nobody}, false, true, false},
      {{Presence::kAwaited, nobody}, false, true, false},
      {{Presence::kUnknown, nobody}, false, false, false},
      {{Presence::kNode, nobody}, false, false, false},
      {{Presence::kAmbiguous, nobody}, false, false, false},
  };
  policy::Subject subject;
  for (const Row& before : rows) {
    for (const Row& row : rows) {
      identify(subject, before.found);
      identify(subject, row.found);
      EXPECT_EQ(subject.pod != nullptr, row.is_pod);
      EXPECT_EQ(subject.may_be_pod, row.may_be_pod);
      EXPECT_EQ(subject.suspected != nullptr, row.is_suspected);
    }
  }
}

TEST(PodIndex, ForgetsWhatANewListDoesNotHave) {
  PodIndex index;
  index.set_pod_blocks({*Cidr::parse("10.1.0.0/16")});
  for (const char* name : {"a", "b", "c"}) {
    index.put(pod(name, "10.1.0." + std::to_string(name[0] - 'a')));
  }
  index.publish();
  index.begin_list();
  index.put(pod("b", "10.1.0.1"));
  index.put(pod("d", "10.1.0.0"));
  index.publish();
  EXPECT_EQ(whose(index, "10.1.0.0"), "ambiguous") << "while the list comes, both may be there";
  EXPECT_EQ(index.ambiguous_count(), 1U);
  index.end_list();
  index.publish();
  EXPECT_EQ(whose(index, "10.1.0.0"), "shop/d");
  EXPECT_EQ(whose(index, "10.1.0.1"), "shop/b");
  EXPECT_EQ(whose(index, "10.1.0.2"), "awaited");
  EXPECT_EQ(index.ambiguous_count(), 0U);
}

// The rules again, over a plain list of pods and without an index.
class Model {
 public:
  void put(const PodState& state) { pods_[state.name] = state; }
  void remove(const std::string& name) { pods_.erase(name); }

  [[nodiscard]] std::string whose(const IpAddress& where, WallTime now) const {
    std::vector<const PodState*> claims;
    for (const auto& [name, state] : pods_) {
      const bool has_it = std::ranges::find(state.addresses, where) != state.addresses.end();
      if (has_it && !state.has_ended && state.has_network) claims.push_back(&state);
    }
    if (claims.empty()) return "awaited";
    const auto is_of_node = [](const PodState* each) { return each->is_on_host_network; };
    if (std::ranges::any_of(claims, is_of_node)) {
      const bool is_node = std::ranges::all_of(claims, [&](const PodState* pod) {
        return is_of_node(pod) || pod->ends ||
               (!pod->is_ready && std::ranges::any_of(claims, [&](const PodState* node) {
                 return is_of_node(node) && node->started > pod->started;
               }));
      });
      return is_node ? "node" : "ambiguous";
    }
    for (const PodState* owner : claims) {
      const bool wins = std::ranges::all_of(claims, [&](const PodState* other) {
        return other == owner ||
               ((other->ends || !other->is_ready) && other->started < owner->started);
      });
      if (!wins) continue;
      return owner->ends && *owner->ends <= now ? "awaited" : "shop/" + owner->name;
    }
    return "ambiguous";
  }

 private:
  std::map<std::string, PodState> pods_;
};

TEST(PodIndex, AgreesWithTheModelThroughRandomHistories) {
  constexpr int kPods = 12;
  constexpr int kAddresses = 6;  // few, so that they are fought over
  for (unsigned seed = 0; seed < 40; ++seed) {
    std::mt19937 random(seed);
    const auto pick = [&](int below) {
      return std::uniform_int_distribution<int>(0, below - 1)(random);
    };
    const auto where = [](int number) {
      return number % 2 == 0 ? IpAddress::v4(0x0a010000U + static_cast<std::uint32_t>(number))
                             : address("2001:db8::" + std::to_string(number));
    };
    PodIndex index;
    index.set_pod_blocks({*Cidr::parse("10.1.0.0/16"), *Cidr::parse("2001:db8::/64")});
    PodReader reader(index);
    Model model;
    std::map<std::string, PodState> known;
    for (int step = 0; step < 400; ++step) {
      const std::string name = "pod-" + std::to_string(pick(kPods));
      PodState& state = known[name];
      switch (pick(8)) {
        case 0:
          index.remove("shop", name);
          model.remove(name);
          state = {};
          break;
        case 1: {  // a list: of what the model knows, without one pod
          model.remove(name);
          state = {};
          index.begin_list();
          for (const auto& [each, listed] : known) {
            if (!listed.name.empty()) index.put(listed);
          }
          index.end_list();
          break;
        }
        default:
          if (state.name.empty() || pick(6) == 0) {
            state = pod(name, "10.1.0.0", pick(5));
            state.addresses = {where(pick(kAddresses))};
            if (pick(3) == 0) state.addresses.push_back(where(pick(kAddresses)));
            if (pick(8) == 0) state.addresses.clear();
            state.is_on_host_network = pick(10) == 0;
          }
          state.is_ready = pick(4) > 0;
          state.has_network = pick(8) > 0;
          if (pick(3) == 0) state.ends = at(pick(200));
          if (pick(6) == 0) state.has_ended = true;
          index.put(state);
          model.put(state);
      }
      index.publish();
      for (int number = 0; number < kAddresses; ++number) {
        ASSERT_EQ(str(reader.find(where(number), at(100), kNow)),
                  model.whose(where(number), at(100)))
            << "seed " << seed << ", step " << step << ", address " << number;
      }
    }
  }
}

// The pod of that number among a cluster's many: 50 pods of each template, seven labels.
PodState one_of_many(std::uint32_t number) {
  const std::string app = "payments-service-" + std::to_string(number / 50 % 700);
  PodState state{.name = app + "-6d4cf56db6-" + std::to_string(number),
                 .pod_namespace = "team-" + std::to_string(number % 300),
                 .uid = "2d6f3c1e-6a0b-4c59-8f27-" + std::to_string(900'000'000'000 + number),
                 .service_account = app,
                 .labels = {{"app.kubernetes.io/name", app},
                            {"app.kubernetes.io/instance", app + "-production"},
                            {"app.kubernetes.io/version", "2026.11.24"},
                            {"app.kubernetes.io/component", "backend"},
                            {"app.kubernetes.io/managed-by", "Helm"},
                            {"topology.kubernetes.io/zone", "eu-west-2a"},
                            {"pod-template-hash", "6d4cf56db6"}}};
  state.addresses = {IpAddress::v4(0x0a000000U + number)};
  return state;
}

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define EBBGATE_OTHER_ALLOCATOR
#endif
#endif
#ifdef EBBGATE_OTHER_ALLOCATOR
constexpr bool kIsOwnAllocator = false;
#else
constexpr bool kIsOwnAllocator = true;
#endif

TEST(PodIndex, HoldsAHundredAndFiftyThousandPodsIn300Megabytes) {
  if (!kIsOwnAllocator) GTEST_SKIP() << "a sanitizer's allocator does not tell";
  constexpr std::uint32_t kPods = 150'000;
  const auto used = [] { return mallinfo2().uordblks + mallinfo2().hblkhd; };
  const std::size_t before = used();
  PodIndex index;
  for (std::uint32_t i = 0; i < kPods; ++i) index.put(one_of_many(i));
  index.publish();
  const std::size_t bytes = used() - before;
  EXPECT_EQ(index.pod_count(), kPods);
  RecordProperty("bytes", std::to_string(bytes));
  EXPECT_LT(bytes, 300'000'000U);
  EXPECT_GT(bytes, 10'000'000U) << "the measure does not measure";
}

TEST(PodIndex, IsReadWhileItChanges) {
  PodIndex index;
  index.set_pod_blocks({*Cidr::parse("10.1.0.0/16")});
  std::atomic<bool> is_over = false;
  std::vector<std::thread> readers;
  std::atomic<int> wrong = 0;
  for (int i = 0; i < 2; ++i) {
    readers.emplace_back([&] {
      PodReader reader(index);
      while (!is_over) {
        const Found found = reader.find(address("10.1.0.1"), at(0), kNow);
        // Only ever one of the two pods that have had it, whole.
        const bool is_right =
            found.presence == Presence::kAwaited ||
            (found.presence == Presence::kPod && found.pod->name == found.pod->service_account);
        if (!is_right) ++wrong;
      }
    });
  }
  for (int i = 0; i < 2000; ++i) {
    const std::string name = i % 2 == 0 ? "a" : "b";
    PodState state = pod(name, "10.1.0.1", i);
    state.service_account = name;
    index.remove("shop", i % 2 == 0 ? "b" : "a");
    index.put(state);
    index.publish();
  }
  is_over = true;
  for (std::thread& reader : readers) reader.join();
  EXPECT_EQ(wrong, 0);
}

}  // namespace
}  // namespace ebbgate::identity
