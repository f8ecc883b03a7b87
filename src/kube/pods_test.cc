#include "kube/pods.h"

#include <gtest/gtest.h>

#include "kube/testing.h"

namespace ebbgate::kube {
namespace {

using identity::PodState;
using identity::Presence;

WallTime at(std::int64_t seconds) {
  return WallTime(std::chrono::seconds(seconds));
}
IpAddress ip(std::string_view text) {
  return *IpAddress::parse(text);
}

TEST(ParsePod, TakesTheFieldsThatMatter) {
  const auto pod = parse_pod(R"({
    "metadata": {"name": "web-1", "namespace": "shop", "uid": "u", "resourceVersion": "5",
                 "labels": {"app": "web", "name": "x", "a/b": ""},
                 "annotations": {"name": "no"}, "deletionTimestamp": "1970-01-01T00:01:00Z",
                 "ownerReferences": [{"name": "web", "namespace": "other"}]},
    "spec": {"serviceAccountName": "front", "hostNetwork": false,
             "containers": [{"name": "c", "env": [{"name": "namespace"}]}]},
    "status": {"phase": "Running", "startTime": "1970-01-01T00:00:30Z", "podIP": "10.0.0.1",
               "hostIP": "10.9.9.9", "podIPs": [{"ip": "10.0.0.1"}, {"ip": "fd00::1"}],
               "conditions": [{"type": "PodScheduled", "status": "False", "reason": "Ready"},
                              {"type": "Ready", "status": "True"}]}})");
  ASSERT_TRUE(pod);
  EXPECT_EQ(pod->name, "web-1");
  EXPECT_EQ(pod->pod_namespace, "shop");
  EXPECT_EQ(pod->uid, "u");
  EXPECT_EQ(pod->service_account, "front");
  EXPECT_EQ(pod->labels, (policy::PodLabels{{"app", "web"}, {"name", "x"}, {"a/b", ""}}));
  EXPECT_EQ(pod->addresses, (std::vector{ip("10.0.0.1"), ip("fd00::1")}));
  EXPECT_EQ(pod->started, at(30));
  EXPECT_EQ(pod->ends, at(60));
  EXPECT_FALSE(pod->has_ended);
  EXPECT_FALSE(pod->is_on_host_network);
  EXPECT_TRUE(pod->has_network);
  EXPECT_TRUE(pod->is_ready);
}

TEST(ParsePod, ReadsStatesAndOldForms) {
  const auto with = [](const std::string& rest) {
    return *parse_pod(R"({"metadata":{"name":"a","namespace":"b","uid":"c"})" + rest + "}");
  };
  EXPECT_TRUE(with("").addresses.empty());
  EXPECT_TRUE(with(R"(,"spec":{"hostNetwork":true})").is_on_host_network);
  EXPECT_TRUE(with(R"(,"status":{"phase":"Succeeded"})").has_ended);
  EXPECT_TRUE(with(R"(,"status":{"phase":"Failed"})").has_ended);
  EXPECT_FALSE(with(R"(,"status":{"phase":"Pending"})").has_ended);
  EXPECT_EQ(with(R"(,"status":{"podIP":"10.1.2.3"})").addresses, std::vector{ip("10.1.2.3")});
  EXPECT_TRUE(with(R"(,"status":{"podIP":"10.1.2"})").addresses.empty());
  EXPECT_EQ(with(R"(,"status":{"startTime":"now"})").started, WallTime{});
}

TEST(ParsePod, ReadsConditions) {
  struct Row {
    std::string_view conditions;
    bool has_network = true, is_ready = true;
  };
  const Row rows[] = {
      {"", true, true},  // nobody has said
      {R"({"type":"Ready","status":"False"})", true, false},
      {R"({"type":"Ready","status":"Unknown"})", true, false},
      {R"({"status":"False","reason":"x","type":"Ready"})", true, false},
      {R"({"type":"PodReadyToStartContainers","status":"False"},{"type":"Ready","status":"True"})",
       false, true},
      {R"({"type":"PodReadyToStartContainers","status":"True"},{"type":"Ready","status":"False"})",
       true, false},
      {R"({"type":"PodReadyToStartContainers","status":"Unknown"})", true, true},
      {R"({"type":"ContainersReady","status":"False"},{"type":"Ready"})", true, true},
      {R"({"type":"ContainersReady"},{"type":"Ready","status":"False"})", true, false},
      {R"({"type":"Ready","status":false})", true, true},
  };
  for (const Row& row : rows) {
    const auto pod = parse_pod(R"({"metadata":{"name":"a","namespace":"b","uid":"c"},)"
                               R"("status":{"conditions":[)" +
                               std::string(row.conditions) + "]}}");
    ASSERT_TRUE(pod);
    EXPECT_EQ(pod->has_network, row.has_network) << row.conditions;
    EXPECT_EQ(pod->is_ready, row.is_ready) << row.conditions;
  }
}

TEST(ParsePod, RefusesWhatIsNone) {
  for (const char* text : {"", "{}", "[]", R"({"metadata":{"name":"a","uid":"c"}})",
                           R"({"metadata":{"namespace":"b","uid":"c"}})",
                           R"({"metadata":{"name":"a","namespace":"b"}})",
                           R"({"metadata":{"name":1,"namespace":"b","uid":"c"}})",
                           R"({"metadata":{"name":"a","namespace":"b","uid":"c"})"}) {
    EXPECT_FALSE(parse_pod(text)) << text;
  }
}

std::string pod(const std::string& name, const std::string& address, const std::string& version) {
  return R"({"metadata":{"name":")" + name + R"(","namespace":"n","uid":"u","resourceVersion":")" +
         version +
         R"("},"status":{"phase":"Running","startTime":"2026-01-01T00:00:00Z","podIPs":[{"ip":")" +
         address + R"("}]}})";
}

TEST(PodFeed, FillsTheIndexByListAndWatch) {
  testing::World world;
  identity::PodIndex index;
  index.set_pod_blocks({*Cidr::parse("10.0.0.0/8")});
  identity::PodReader reader(index);
  PodFeed feed(index);
  ListWatch watch(world.client, all_pods(), feed, {}, {.backoff = std::chrono::milliseconds(1)});
  feed.follow(watch);
  world.api.add(testing::list("5", pod("a", "10.0.0.1", "3") + "," + pod("b", "10.0.0.2", "4")))
      .add(testing::event("ADDED", pod("c", "10.0.0.3", "6")) +
           testing::event("DELETED", pod("a", "10.0.0.1", "7")));
  watch.start();
  world.loop->run();
  const auto name_at = [&](const char* address) {
    const auto found = reader.find(ip(address), at(1'800'000'000), world.loop->now());
    return found.pod ? found.pod->name : std::string();
  };
  EXPECT_EQ(name_at("10.0.0.1"), "");
  EXPECT_EQ(name_at("10.0.0.2"), "b");
  EXPECT_EQ(name_at("10.0.0.3"), "c");
  EXPECT_EQ(index.pod_count(), 2U);
}

TEST(PodFeed, TellsTheIndexWhenTheWatchIsLost) {
  testing::World world;
  identity::PodIndex index;
  index.set_pod_blocks({*Cidr::parse("10.0.0.0/8")});
  identity::PodReader reader(index);
  PodFeed feed(index);
  ListWatch watch(world.client, all_pods(), feed, {}, {.backoff = std::chrono::milliseconds(1)});
  feed.follow(watch);
  world.api.add(testing::list("5", pod("a", "10.0.0.1", "3"))).breaks(Reason::kConnectFailed);
  watch.start();
  world.loop->run();
  const MonotonicTime now = world.loop->now();
  const auto presence = [&](MonotonicTime then) {
    return reader.find(ip("10.0.0.1"), at(1'800'000'000), then).presence;
  };
  EXPECT_EQ(presence(now), Presence::kPod);
  EXPECT_EQ(presence(now + identity::PodIndex::kTrust), Presence::kStale);
  EXPECT_TRUE(watch.state().is_lost());
}

}  // namespace
}  // namespace ebbgate::kube
