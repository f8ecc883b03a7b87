#include "kube/client.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "kube/testing.h"

namespace ebbgate::kube {
namespace {

using testing::list;
using testing::object;
using testing::status;
using testing::World;

const Resource kPolicies{
    .group = "ebbgate.dev", .version = "v1", .plural = "egresspolicies", .in_namespace = "shop"};

TEST(Resource, HasAPath) {
  const struct {
    Resource resource;
    const char* name;
    const char* subresource;
    const char* path;
  } cases[] = {
      {{.plural = "pods"}, "", "", "/api/v1/pods"},
      {{.plural = "pods", .in_namespace = "a"}, "b", "", "/api/v1/namespaces/a/pods/b"},
      {kPolicies, "p", "status", "/apis/ebbgate.dev/v1/namespaces/shop/egresspolicies/p/status"},
      {{.plural = "pods", .in_namespace = "../x"},
       "a/b?c",
       "",
       "/api/v1/namespaces/..%2Fx/pods/a%2Fb%3Fc"},
  };
  for (const auto& each : cases) {
    EXPECT_EQ(each.resource.path(each.name, each.subresource), each.path);
  }
  EXPECT_EQ(kPolicies.str(), "egresspolicies.ebbgate.dev");
  EXPECT_EQ(Resource{.plural = "pods"}.str(), "pods");
}

TEST(Client, GetsAnObject) {
  World world;
  world.api.add(object("a", "1"));
  EXPECT_EQ(world.run(world.client.get(kPolicies, "a")), object("a", "1"));
  EXPECT_EQ(world.api.seen[0].url,
            "https://api.example:6443/apis/ebbgate.dev/v1/namespaces/shop/egresspolicies/a");
}

TEST(Client, TakesThoseThatWereMadeFromItToAnotherServer) {
  World world;
  Client other(world.client, {.server = "https://api.example:6443"});
  world.client.set_server("https://other.example");
  world.api.add(object("a", "1"));
  EXPECT_EQ(world.run(other.get({.plural = "pods", .in_namespace = "shop"}, "a")),
            object("a", "1"));
  EXPECT_EQ(world.api.seen[0].url, "https://other.example/api/v1/namespaces/shop/pods/a");
}

TEST(Client, TriesACreationAndReadsALog) {
  World one;
  one.api.status(201, "{}");
  EXPECT_TRUE(one.run(one.client.create(kPolicies, "{}", {.dry_run = true})));
  EXPECT_TRUE(one.api.seen[0].url.ends_with("/egresspolicies?dryRun=All"));
  World other;
  other.api.status(200, "a line\nand another");
  EXPECT_EQ(other.run(other.client.get_text("/api/v1/namespaces/a/pods/p/log")),
            "a line\nand another");
}

TEST(Client, TellsFailuresApart) {
  const struct {
    int status;
    std::string body;
    int told;
    const char* reason;
    const char* said;
  } cases[] = {
      {404, status(404, "NotFound"), 404, "NotFound", "x: the API answered 404 NotFound: so it is"},
      {403, "no", 403, "", "x: the API answered 403: no"},
      {409, status(409, "Conflict"), 409, "Conflict", nullptr},
      {400, R"({"kind":"Status","code":99999,"reason":7,"message":[]})", 400, "", nullptr},
      {301, "", 301, "", nullptr},
  };
  for (const auto& each : cases) {
    World world;
    world.api.status(each.status, each.body);
    const auto out = world.run(world.client.get(kPolicies, "a"));
    ASSERT_FALSE(out);
    EXPECT_EQ(out.error().status, each.told);
    EXPECT_EQ(out.error().reason, each.reason);
    if (each.said != nullptr) EXPECT_EQ(out.error().describe("x"), each.said);
    EXPECT_EQ(world.api.seen.size(), 1U);
  }
  World world;
  world.api.add("no JSON");
  EXPECT_EQ(world.run(world.client.get(kPolicies, "a")).error().kind, Failure::Kind::kUnreadable);
}

TEST(Client, TriesAgainWhereThatHelps) {
  {
    World world;
    world.api.status(429, "", {{"retry-after", "0"}})
        .breaks(Reason::kConnectFailed)
        .status(503)
        .add("{}");
    EXPECT_TRUE(world.run(world.client.get(kPolicies, "a")));
    EXPECT_EQ(world.api.seen.size(), 4U);
  }
  {
    World world;
    for (int i = 0; i < 9; ++i) world.api.status(500);
    EXPECT_EQ(world.run(world.client.get(kPolicies, "a")).error().status, 500);
    EXPECT_EQ(world.api.seen.size(), 4U);
  }
  {
    World world;  // longer than anybody waits here
    world.api.status(429, "", {{"retry-after", "3600"}});
    EXPECT_EQ(world.run(world.client.get(kPolicies, "a")).error().retry_after,
              std::chrono::hours(1));
  }
  {
    World world;  // it may have been created
    world.api.breaks(Reason::kOriginClosed);
    EXPECT_FALSE(world.run(world.client.create(kPolicies, "{}")));
    EXPECT_EQ(world.api.seen.size(), 1U);
  }
  {
    World world;  // it was not
    world.api.status(429, "", {{"retry-after", "0"}}).status(201, "{}");
    EXPECT_TRUE(world.run(world.client.create(kPolicies, "{}")));
  }
}

TEST(Client, WaitsAsLongAsTheApiAsks) {
  World world;
  world.api.status(429, R"({"kind":"Status","details":{"retryAfterSeconds":1}})").add("{}");
  const auto before = std::chrono::steady_clock::now();
  EXPECT_TRUE(world.run(world.client.get(kPolicies, "a")));
  EXPECT_GE(std::chrono::steady_clock::now() - before, std::chrono::seconds(1));
}

std::string type_of(const https::Request& request) {
  for (const auto& [name, value] : request.headers) {
    if (name == "Content-Type") return value;
  }
  return "";
}

TEST(Client, AppliesAndPatches) {
  {
    World world;
    world.api.add("{}");
    EXPECT_TRUE(world.run(
        world.client.apply(kPolicies, "a", "{\"x\":1}",
                           {.field_manager = "eb bgate", .force = true, .dry_run = true})));
    const https::Request& seen = world.api.seen[0];
    EXPECT_EQ(seen.method, "PATCH");
    EXPECT_EQ(world.api.path(0),
              kPolicies.path("a") + "?fieldManager=eb%20bgate&force=true&dryRun=All");
    EXPECT_EQ(type_of(seen), "application/apply-patch+yaml");
    EXPECT_EQ(seen.body, "{\"x\":1}");
  }
  {
    World world;
    world.api.status(409, status(409, "Conflict"));
    const auto out = world.run(world.client.apply(kPolicies, "a", "{}", {}, "status"));
    EXPECT_TRUE(out.error().is_conflict());
    EXPECT_EQ(world.api.path(0),
              kPolicies.path("a", "status") + "?fieldManager=ebbgate&force=false");
  }
  {
    World world;
    world.api.add("{}");
    EXPECT_TRUE(world.run(world.client.merge_patch(kPolicies, "a", "{}", "status")));
    EXPECT_EQ(type_of(world.api.seen[0]), "application/merge-patch+json");
  }
  {
    World world;
    world.api.status(404, status(404, "NotFound"));
    EXPECT_TRUE(world.run(world.client.remove(kPolicies, "a")));
    EXPECT_EQ(world.api.seen[0].method, "DELETE");
  }
}

TEST(Client, KnowsWhatTheApiServes) {
  const struct {
    int status;
    std::string body;
    int serves;  // 1, 0, or -1 for an error
  } cases[] = {
      {200, R"({"kind":"APIResourceList","resources":[{"name":"x"},{"name":"egresspolicies"}]})",
       1},
      {200, R"({"kind":"APIResourceList","resources":[{"name":"egresspolicies/status"}]})", 0},
      {404, status(404, "NotFound"), 0},
      {403, status(403, "Forbidden"), -1},
      {200, "{}", -1},
  };
  for (const auto& each : cases) {
    World world;
    world.api.status(each.status, each.body);
    const auto out = world.run(world.client.serves(kPolicies));
    EXPECT_EQ(out ? static_cast<int>(*out) : -1, each.serves) << each.body;
    EXPECT_EQ(world.api.path(0), "/apis/ebbgate.dev/v1");
  }
}

struct Listed {
  Outcome<std::string> version;
  std::string names;
  std::vector<std::string> paths;
};
Listed list_all(World& world, Selection selection = {}) {
  Listed out;
  out.version = world.run(world.client.list(
      {.plural = "pods"}, std::move(selection),
      [&](std::string_view each) {
        const std::string key = R"("name":")";
        const std::size_t begin = each.find(key) + key.size();
        out.names += each.substr(begin, each.find('"', begin) - begin);
        return true;
      },
      [&] { out.names += "|"; }));
  for (std::size_t i = 0; i < world.api.seen.size(); ++i) out.paths.push_back(world.api.path(i));
  return out;
}

TEST(Client, ListsPageByPage) {
  World world;
  world.api.add(list("5", object("a", "1"), "next/1"))
      .status(503)
      .add(list("5", object("b", "2"), "next2"))
      .add(list("5", object("c", "3")));
  const Listed out = list_all(world, {.labels = "a=b,c", .fields = "status.phase!=Failed"});
  EXPECT_EQ(out.version, "5");
  EXPECT_EQ(out.names, "abc");
  EXPECT_EQ(out.paths[0],
            "/api/v1/pods?limit=500&labelSelector=a%3Db%2Cc"
            "&fieldSelector=status.phase%21%3DFailed");
  EXPECT_TRUE(out.paths[1].starts_with("/api/v1/pods?limit=500&continue=next%2F1&"))
      << out.paths[1];
  EXPECT_EQ(out.paths[1], out.paths[2]);
  EXPECT_TRUE(out.paths[3].starts_with("/api/v1/pods?limit=500&continue=next2&"));
}

TEST(Client, ListsInOnePieceWhereThePagesExpired) {
  World world;
  world.api.add(list("5", object("a", "1"), "next"))
      .status(410, status(410, "Expired"))
      .add(list("9", object("a", "1") + "," + object("b", "2")));
  const Listed out = list_all(world);
  EXPECT_EQ(out.version, "9");
  EXPECT_EQ(out.names, "a|ab");
  EXPECT_EQ(out.paths[2], "/api/v1/pods?limit=0");
}

TEST(Client, GivesUpAListThatDrips) {
  const auto loop = net::testing::make_loop();
  testing::Script api(*loop);
  api.stops_at_end = false;
  Client client(*loop, api, [] { return std::uint64_t{1}; },
                {.server = "https://a", .max_attempts = 1, .page_time = -std::chrono::seconds(1)});
  api.add(list("5", object("a", "1")));
  std::optional<Outcome<std::string>> out;
  const auto keep = [](Client& from, std::optional<Outcome<std::string>>& to) -> net::Task<void> {
    Client::Take take = [](std::string_view) { return true; };
    std::function<void()> again = [] {};
    to.emplace(co_await from.list({.plural = "pods"}, {}, std::move(take), std::move(again)));
  };
  net::testing::run_to_end(*loop, keep(client, out));
  ASSERT_FALSE(*out);
  EXPECT_EQ(out->error().error, Reason::kTimedOut);
}

TEST(Client, RefusesListsThatAreNone) {
  const std::string cases[] = {
      "",
      "[]",
      R"({"kind":"Status","metadata":{"resourceVersion":"1"}})",
      R"({"kind":"PodList","items":[]})",
      R"({"kind":"PodList","metadata":{},"items":[]})",
      R"({"kind":"PodList","metadata":{"resourceVersion":"1"},"items":[)",
      R"({"kind":"PodList","metadata":{"resourceVersion":"1"},"items":[])",
      R"({"kind":"PodList","metadata":{"resourceVersion":"1"},"items":[{"a":")" +
          std::string(5000, 'x') + "\"}]}",
  };
  for (const std::string& text : cases) {
    World world;
    world.api.add(text);
    const Listed out = list_all(world);
    ASSERT_FALSE(out.version) << text.substr(0, 80);
    EXPECT_EQ(out.version.error().kind, Failure::Kind::kUnreadable) << text.substr(0, 80);
  }
  World world;
  world.api.add(list("5", "", "same")).add(list("5", "", "same"));
  EXPECT_FALSE(list_all(world).version);
}

}  // namespace
}  // namespace ebbgate::kube
