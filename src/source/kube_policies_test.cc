// The policies of a cluster by an API that answers by script: what is told of them, and when.
#include "source/kube_policies.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "kube/testing.h"

namespace ebbgate::source {
namespace {

using kube::testing::Answer;
using kube::testing::event;
using kube::testing::list;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::string policy(const std::string& name, int generation, const std::string& version,
                   const std::string& in_namespace = "shop", const std::string& rest = "") {
  return R"({"metadata":{"name":")" + name + R"(","namespace":")" + in_namespace +
         R"(","uid":"u-)" + name + R"(","generation":)" + std::to_string(generation) +
         R"(,"resourceVersion":")" + version + R"("},"spec":{})" + rest + "}";
}
std::string cluster_policy(const std::string& name, const std::string& version) {
  return R"({"metadata":{"name":")" + name + R"(","uid":"u","generation":1,"resourceVersion":")" +
         version + R"("},"spec":{}})";
}
Answer body(std::string text) {
  return {.pieces = {std::move(text)}};
}
Answer refused(int code, const std::string& reason) {
  return {.status = code, .pieces = {kube::testing::status(code, reason)}};
}

// A script for each of the two kinds; a stream that is in none stays open.
class TwoKinds final : public https::StreamTransport {
 public:
  explicit TwoKinds(net::Loop& loop) : cluster(loop), namespaced(loop) {
    cluster.stops_at_end = false;
    namespaced.stops_at_end = false;
  }
  [[nodiscard]] net::Task<Result<https::Response>> send(https::Request request) override {
    kube::testing::Script& script = of(request);
    return script.send(std::move(request));
  }
  [[nodiscard]] net::Task<Result<https::Response>> stream(https::Request request,
                                                          https::BodySink sink) override {
    kube::testing::Script& script = of(request);
    return script.stream(std::move(request), std::move(sink));
  }

  kube::testing::Script cluster;
  kube::testing::Script namespaced;

 private:
  kube::testing::Script& of(const https::Request& request) {
    return request.url.contains("/clusteregresspolicies") ? cluster : namespaced;
  }
};

class KubePoliciesTest : public ::testing::Test {
 protected:
  // Serves the loop for as long as nothing new may come: a while after the last change.
  void run(Duration quiet = 2 * KubePolicies::kGather) {
    quiet_ = quiet;
    policies_.start();
    loop_->arm(end_, loop_->after(quiet));
    loop_->run();
  }

  [[nodiscard]] std::vector<std::string> names() const {
    std::vector<std::string> out;
    for (const config::PolicyResource& each : policies_.resources()) {
      out.push_back(each.id.str() + " " + std::to_string(each.id.generation));
    }
    return out;
  }

  void changed() {
    ++changes_;
    if (on_change_) on_change_();
    loop_->arm(end_, loop_->after(quiet_));
  }

  std::unique_ptr<net::Loop> loop_ = net::testing::make_loop();
  TwoKinds api_{*loop_};
  kube::Client client_{*loop_,
                       api_,
                       [] { return std::uint64_t{1}; },
                       {.server = "https://api.example:6443",
                        .backoff = std::chrono::milliseconds(1),
                        .max_object = 4096}};
  int changes_ = 0;
  std::function<void()> on_change_;
  std::vector<std::string> said_;
  KubePolicies policies_{
      client_,
      [this] { changed(); },
      [this](std::string_view line) { said_.emplace_back(line); },
      {.backoff = std::chrono::milliseconds(1), .max_backoff = std::chrono::milliseconds(4)}};

 private:
  Duration quiet_{};
  net::Timer end_{[](void* self) { static_cast<KubePoliciesTest*>(self)->loop_->stop(); }, this};
};

TEST_F(KubePoliciesTest, TellsOfAllOnceBothListsHaveComeWhole) {
  api_.cluster.add(list("7", cluster_policy("base", "3")));
  api_.namespaced.add(list("9", policy("b", 2, "4") + "," + policy("a", 1, "5", "tools")));
  run();
  EXPECT_TRUE(policies_.is_synced());
  EXPECT_EQ(changes_, 1);
  EXPECT_THAT(names(), ElementsAre("ClusterEgressPolicy base 1", "EgressPolicy shop/b 2",
                                   "EgressPolicy tools/a 1"));
  EXPECT_EQ(policies_.resources()[1].id.uid, "u-b");
  EXPECT_EQ(*policies_.resources()[1].text, policy("b", 2, "4"));
  EXPECT_FALSE(policies_.lost_since());
  EXPECT_THAT(said_, ElementsAre());
  EXPECT_THAT(api_.cluster.path(0), HasSubstr("/apis/ebbgate.dev/v1alpha1/clusteregresspolicies?"));
  EXPECT_THAT(api_.namespaced.path(0), HasSubstr("/apis/ebbgate.dev/v1alpha1/egresspolicies?"));
}

TEST_F(KubePoliciesTest, TellsOfAnEmptyClusterToo) {
  api_.cluster.add(list("7", ""));
  api_.namespaced.add(list("9", ""));
  run();
  EXPECT_TRUE(policies_.is_synced());
  EXPECT_EQ(changes_, 1);
  EXPECT_EQ(policies_.count(), 0U);
}

TEST_F(KubePoliciesTest, GathersAThousandEvents) {
  api_.cluster.add(list("1", ""));
  api_.namespaced.add(list("1", ""));
  Answer events;
  for (int i = 0; i < 1000; ++i) {
    events.pieces.push_back(
        event("ADDED", policy("p-" + std::to_string(i), 1, std::to_string(i + 2))));
  }
  api_.namespaced.add(std::move(events));
  run();
  EXPECT_EQ(policies_.count(), 1000U);
  EXPECT_EQ(changes_, 1) << "the list's among them";
}

TEST_F(KubePoliciesTest, TakesAStatusForNoChange) {
  api_.cluster.add(list("1", ""));
  api_.namespaced.add(list("1", policy("a", 1, "1")));
  const std::string with_status = policy("a", 1, "2", "shop", R"(,"status":{"allow":1})");
  // After what the lists brought was told.
  for (int i = 0; i < 12; ++i) api_.namespaced.breaks(Reason::kConnectFailed);
  api_.namespaced.add(body(event("MODIFIED", with_status)));
  std::string first;
  on_change_ = [&] { first = *policies_.text({.in_namespace = "shop", .name = "a"}); };
  run(std::chrono::milliseconds(300));
  EXPECT_EQ(first, policy("a", 1, "1"));
  EXPECT_EQ(changes_, 1);
  ASSERT_NE(policies_.text({.in_namespace = "shop", .name = "a"}), nullptr);
  EXPECT_EQ(*policies_.text({.in_namespace = "shop", .name = "a"}), with_status);
  EXPECT_EQ(policies_.text({.name = "a"}), nullptr);
}

TEST_F(KubePoliciesTest, TellsOfEachChangeOfASpec) {
  api_.cluster.add(list("1", ""));
  api_.namespaced.add(list("1", policy("a", 1, "1")));
  for (int i = 0; i < 12; ++i) api_.namespaced.breaks(Reason::kConnectFailed);
  api_.namespaced.add(body(event("MODIFIED", policy("a", 2, "2"))));
  run(std::chrono::milliseconds(300));
  EXPECT_EQ(changes_, 2);
  EXPECT_THAT(names(), ElementsAre("EgressPolicy shop/a 2"));
}

TEST_F(KubePoliciesTest, ForgetsWhatIsGoneWithItsNamespace) {
  api_.cluster.add(list("1", ""));
  api_.namespaced.add(list(
      "1", policy("a", 1, "1") + "," + policy("b", 1, "1") + "," + policy("c", 1, "1", "tools")));
  api_.namespaced.add(
      {.pieces = {event("DELETED", policy("a", 1, "2")), event("DELETED", policy("b", 1, "3")),
                  event("DELETED", policy("b", 1, "4")),
                  event("MODIFIED", policy("c", 2, "5", "tools"))}});
  run();
  EXPECT_THAT(names(), ElementsAre("EgressPolicy tools/c 2"));
}

TEST_F(KubePoliciesTest, SaysOnceThatDefinitionsAreNotInstalledAndKeepsAsking) {
  api_.namespaced.add(list("1", ""));
  for (int i = 0; i < 5; ++i) api_.cluster.add(refused(404, "NotFound"));
  run();
  EXPECT_FALSE(policies_.is_synced());
  EXPECT_EQ(changes_, 0);
  EXPECT_GE(api_.cluster.seen.size(), 6U);
  EXPECT_THAT(
      said_, ElementsAre(AllOf(HasSubstr("clusteregresspolicies.ebbgate.dev: the API answered 404"),
                               HasSubstr("`ebbgate kube manifests`"))));
  EXPECT_TRUE(policies_.lost_since());
}

TEST_F(KubePoliciesTest, GoesOnWhenTheDefinitionsAreThere) {
  api_.namespaced.add(list("1", ""));
  api_.cluster.add(refused(404, "NotFound"));
  api_.cluster.add(list("1", cluster_policy("base", "1")));
  run();
  EXPECT_TRUE(policies_.is_synced());
  EXPECT_EQ(changes_, 1);
  ASSERT_EQ(said_.size(), 2U);
  EXPECT_EQ(said_[1], "the policies are watched again: clusteregresspolicies.ebbgate.dev");
}

TEST_F(KubePoliciesTest, KeepsAllWhileTheApiIsAway) {
  api_.cluster.add(list("1", cluster_policy("base", "1")));
  api_.namespaced.add(list("1", policy("a", 1, "1")));
  for (int i = 0; i < 200; ++i) api_.namespaced.breaks(Reason::kConnectFailed);
  run();
  EXPECT_TRUE(policies_.is_synced());
  EXPECT_TRUE(policies_.lost_since());
  EXPECT_NE(policies_.namespaced().last_error, "");
  EXPECT_EQ(policies_.cluster().last_error, "");
  EXPECT_EQ(policies_.count(), 2U);
  ASSERT_EQ(said_.size(), 1U) << "once for the whole of it";
  EXPECT_THAT(said_[0], HasSubstr("the policies stay as they were"));
}

TEST_F(KubePoliciesTest, ListsAnewAndTellsOnlyOfWhatIsAnother) {
  api_.cluster.add(list("1", ""));
  api_.namespaced.add(list("1", policy("a", 1, "1") + "," + policy("b", 1, "1")));
  api_.namespaced.add(body(event("ERROR", kube::testing::status(410, "Expired"))));
  api_.namespaced.add(list("8", policy("a", 1, "7")));
  run();
  EXPECT_THAT(names(), ElementsAre("EgressPolicy shop/a 1"));
  EXPECT_EQ(policies_.namespaced().lists, 2U);
}

TEST_F(KubePoliciesTest, PassesOverWhatHasNoName) {
  api_.cluster.add(list("1", R"({"metadata":{}},{"spec":{}},)" + cluster_policy("base", "1")));
  api_.namespaced.add(list("1", ""));
  run();
  EXPECT_TRUE(policies_.is_synced());
  EXPECT_THAT(names(), ElementsAre("ClusterEgressPolicy base 1"));
}

}  // namespace
}  // namespace ebbgate::source
