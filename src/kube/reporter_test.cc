// Gateways among themselves, from the Lease to the statuses, over an API that keeps what is written
// and tells those who watch.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "kube/detail/ledger.h"
#include "kube/detail/scan.h"
#include "kube/gateways.h"
#include "kube/policy_reporter.h"
#include "net/background.h"
#include "net/signal.h"
#include "net/testing.h"

namespace ebbgate::kube {
namespace {

using namespace std::chrono_literals;
using detail::Ledger;
using State = ResourceState;

MonotonicTime at(Duration when) {
  return MonotonicTime(when);
}

ResourceReport report(const std::string& name, std::int64_t generation,
                      State state = State::kAccepted) {
  return {.id = {"shop", name},
          .uid = "uid-of-" + name,
          .generation = generation,
          .generation_in_force = generation,
          .state = state};
}

std::string lease(const std::string& name, const std::string& version, const std::string& digest,
                  const std::string& holder = "h") {
  return R"({"metadata":{"name":")" + name + R"(","resourceVersion":")" + version +
         R"(","annotations":{"ebbgate.dev/policy":")" + digest +
         R"("}},"spec":{"holderIdentity":")" + holder + R"("}})";
}

std::vector<std::string> names(const std::vector<Gateway>& gateways) {
  std::vector<std::string> out;
  for (const Gateway& each : gateways) out.push_back(each.lease);
  return out;
}
using Names = std::vector<std::string>;

TEST(LeaseName, IsOneThatTheApiTakesAndNobodyElses) {
  const std::string longest(245, 'a');
  for (const std::string& gateway :
       {std::string("ebbgate-6d5f-x2x"), std::string("ip-10-0-0-1.eu-west-2.compute.internal"),
        std::string("a--b"), longest}) {
    EXPECT_EQ(lease_name_of(gateway), "ebbgate-" + gateway);
  }
  EXPECT_EQ(lease_name_of(""), "ebbgate");
  // What is not the gateway's name to the letter has a hash of it.
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"gw_a", "ebbgate-gw-a-"},
      {"GW-A", "ebbgate-gw-a-"},
      {"gw-a-", "ebbgate-gw-a-"},
      {"-a..b.-.c-", "ebbgate--a.b.c-"},
      {"h\u00e9", "ebbgate-h-"},
      {"_", "ebbgate-"},
      {longest + "a", "ebbgate-" + longest.substr(9) + "-"},
      {longest + "b", "ebbgate-" + longest.substr(9) + "-"},
  };
  std::set<std::string> seen;
  for (const auto& [gateway, prefix] : cases) {
    const std::string name = lease_name_of(gateway);
    ASSERT_TRUE(name.starts_with(prefix)) << name;
    EXPECT_EQ(name.size(), prefix.size() + 8) << name;
    EXPECT_EQ(name.substr(prefix.size()).find_first_not_of("0123456789abcdef"), name.npos) << name;
    EXPECT_TRUE(seen.insert(name).second) << name;
  }
}

TEST(GatewaySet, JudgesByTheTimeSinceALeaseChanged) {
  MonotonicTime now = at(1h);
  int changes = 0;
  GatewaySet set([&] { return now; }, [&] { ++changes; });
  const auto put = [&](const std::string& object) {
    set.take(Change::kPut, object);
    set.settle();
  };
  set.begin_list();
  set.take(Change::kPut, lease("ebbgate-b", "1", "d1"));
  set.take(Change::kPut, lease("ebbgate-a", "2", ""));
  set.take(Change::kPut, lease("somebody-elses", "3", "d"));
  set.take(Change::kPut, "no JSON");
  set.end_list();
  EXPECT_EQ(names(set.live()), Names{});  // not before the watch is there
  set.settle();
  set.on_freshness();
  EXPECT_EQ(names(set.live()), (Names{"ebbgate-a", "ebbgate-b"}));
  EXPECT_EQ(set.live()[1], (Gateway{"ebbgate-b", "h", "d1"}));

  now += 29s;
  changes = 0;
  put(lease("ebbgate-b", "4", "d1"));
  EXPECT_EQ(changes, 0);  // it lives, which is nothing new
  now += 2s;
  EXPECT_EQ(names(set.live()), Names{"ebbgate-b"});
  put(lease("ebbgate-b", "5", "d2"));
  EXPECT_EQ(changes, 1);
  // What a list shows again is not a sign of life.
  now += 29s;
  set.begin_list();
  set.take(Change::kPut, lease("ebbgate-b", "5", "d2"));
  set.take(Change::kPut, lease("ebbgate-a", "2", ""));
  set.end_list();
  set.settle();
  now += 2s;
  EXPECT_EQ(names(set.live()), Names{});
  EXPECT_EQ(set.gone(), Names{});
  now += 9min;
  EXPECT_EQ(set.gone(), Names{"ebbgate-a"});  // 10 minutes and 2 s
  set.take(Change::kRemoved, lease("ebbgate-b", "6", ""));
  set.settle();
  EXPECT_EQ(set.find("ebbgate-b"), nullptr);
  EXPECT_EQ(set.version_of("ebbgate-a"), "2");
  EXPECT_EQ(set.version_of("ebbgate-b"), "");
}

TEST(GatewaySet, TheTimeInWhichNothingWasHeardCountsForNobodyAndNoOtherDoes) {
  MonotonicTime now = at(1h);
  WatchState watch;
  GatewaySet set([&] { return now; }, nullptr);
  set.follow(watch);
  const auto change = [&](std::optional<MonotonicTime> lost_since) {
    watch.lost_since = lost_since;
    set.on_freshness();
  };
  set.take(Change::kPut, lease("ebbgate-a", "1", "d"));
  set.take(Change::kPut, lease("ebbgate-b", "2", "d"));
  now += 5min;
  watch.is_synced = true;
  change({});
  EXPECT_EQ(names(set.live()), (Names{"ebbgate-a", "ebbgate-b"}));
  now += 10s;
  set.take(Change::kPut, lease("ebbgate-b", "3", "d"));
  // Lost for an hour, which is noticed after a minute.
  now += 10s;
  const MonotonicTime last_heard = now;
  now += 1min;
  change(last_heard);
  EXPECT_EQ(names(set.live()), Names{});
  EXPECT_EQ(set.gone(), Names{});
  now += 59min;
  change({});
  EXPECT_EQ(names(set.live()), (Names{"ebbgate-a", "ebbgate-b"}));
  now += 9s;
  EXPECT_EQ(names(set.live()), (Names{"ebbgate-a", "ebbgate-b"}));
  now += 1s;  // 30 s in which a did not renew its Lease
  EXPECT_EQ(names(set.live()), Names{"ebbgate-b"});
  // A watch that comes and goes does not bring the dead back to life.
  for (int i = 0; i < 4; ++i) {
    change(now);
    now += 20s;
    change({});
    now += 3s;
    EXPECT_EQ(names(set.live()), i < 3 ? Names{"ebbgate-b"} : Names{}) << i;
  }
  now += 10min;
  EXPECT_EQ(set.gone(), (Names{"ebbgate-a", "ebbgate-b"}));
}

// What the ledger wants to be told, in its order, as `name in_force/gateways`; all of it is done.
Names told(Ledger& ledger) {
  Names out;
  while (Ledger::Entry* entry = ledger.next(at(1h))) {
    const Coverage coverage = ledger.coverage(*entry);
    out.push_back(entry->report.id.name + " " + std::to_string(coverage.in_force) + "/" +
                  std::to_string(coverage.gateways));
    ledger.done(*entry, entry->revision, coverage);
  }
  return out;
}

TEST(Ledger, CountsTheGatewaysThatHaveAGenerationByTheirDigests) {
  Ledger ledger(30s);
  const auto gateways = [&](const std::string& b, const std::string& c, Duration when = 0s) {
    return ledger.set_gateways({{"a", "", "stale"}, {"b", "", b}, {"c", "", c}}, "a", at(when));
  };
  ledger.report({report("x", 1), report("y", 1)}, "d1");
  EXPECT_TRUE(gateways("d1", "d1"));
  EXPECT_FALSE(gateways("d1", "d1"));
  EXPECT_EQ(told(ledger), (Names{"x 3/3", "y 3/3"}));

  // x is another: b and c have the old one still, and y as it was.
  ledger.report({report("x", 2), report("y", 1)}, "d2");
  EXPECT_TRUE(gateways("d1", "d1"));
  ledger.queue_completed();
  EXPECT_EQ(told(ledger), Names{"x 1/3"});
  EXPECT_TRUE(gateways("d2", "d1"));
  ledger.queue_completed();
  EXPECT_EQ(told(ledger), Names{});
  EXPECT_TRUE(gateways("d2", "d2"));
  ledger.queue_completed();
  EXPECT_EQ(told(ledger), Names{"x 3/3"});

  // b is ahead of us: as before, for a while; c serves nobody yet, d is one that we do not know.
  EXPECT_TRUE(gateways("d3", ""));
  ledger.queue_recounted();
  EXPECT_EQ(told(ledger), (Names{"x 2/2", "y 2/2"}));
  EXPECT_TRUE(gateways("d3", "none", 31s));
  ledger.queue_recounted();
  EXPECT_EQ(told(ledger), (Names{"x 1/2", "y 1/2"}));
  ledger.report({report("x", 3), report("y", 1)}, "d3");
  EXPECT_TRUE(gateways("d3", "other", 32s));
  ledger.queue_recounted();
  EXPECT_EQ(told(ledger), (Names{"x 2/3", "y 2/3"}));
}

TEST(Ledger, TellsTheOldestFirstAndWhatFailedLater) {
  Ledger ledger(30s);
  ledger.report({report("a", 1), report("b", 1), report("c", 1)}, "d1");
  ledger.set_gateways({{"g", "", ""}}, "g", at(0s));
  EXPECT_EQ(ledger.next(at(0s))->report.id.name, "a");
  ledger.failed(*ledger.next(at(0s)), at(2h));
  EXPECT_TRUE(ledger.has_failures());
  EXPECT_EQ(ledger.waiting(), 3U);
  EXPECT_EQ(told(ledger), (Names{"b 1/1", "c 1/1"}));
  EXPECT_EQ(ledger.next_at(at(1h)), at(2h));
  EXPECT_EQ(ledger.find({"shop", "a"})->failures, 1);
  ledger.failed(*ledger.next(at(2h)), at(1h));
  EXPECT_EQ(ledger.find({"shop", "a"})->failures, 2);
  EXPECT_EQ(told(ledger), Names{"a 1/1"});
  EXPECT_FALSE(ledger.has_failures());
  // Nothing new: nothing to tell.
  ledger.report({report("a", 1), report("b", 1), report("c", 1)}, "d1");
  EXPECT_EQ(ledger.next(at(1h)), nullptr);
  // It changed again while it was being told.
  // What waits and changes keeps its place; what changes while it is told comes behind the others.
  ledger.report({report("a", 2), report("b", 2), report("c", 1)}, "d2");
  ledger.report({report("a", 2), report("b", 3), report("c", 2)}, "d3");
  Ledger::Entry& entry = *ledger.next(at(0s));
  const std::uint64_t revision = entry.revision;
  ledger.report({report("a", 3), report("b", 3), report("c", 2)}, "d4");
  ledger.done(entry, revision, {});
  ledger.set_gateways({{"g", "", ""}}, "g", at(0s));
  EXPECT_EQ(told(ledger), (Names{"b 1/1", "c 1/1", "a 1/1"}));
  // One that is gone is not told of, nor does its failure count; and one of its name is another.
  ledger.report({report("a", 4)}, "d4");
  ledger.failed(*ledger.next(at(0s)), at(0s));
  ledger.report({}, "d5");
  EXPECT_FALSE(ledger.has_failures());
  EXPECT_EQ(ledger.waiting(), 0U);
  ledger.report({report("a", 4)}, "d6");
  ledger.set_gateways({{"g", "", ""}, {"h", "", "d4"}}, "g", at(0s));
  EXPECT_EQ(told(ledger), Names{"a 1/2"});
  ledger.forget_told();
  EXPECT_EQ(told(ledger), Names{"a 1/2"});
}

TEST(Ledger, RemembersTheLastDigestsOnly) {
  Ledger ledger(30s);
  for (int i = 0; i < 100; ++i) {
    ledger.report({report("x", i < 90 ? 1 : 2), report("y", 1)}, "d" + std::to_string(i));
  }
  const auto on = [&](const std::string& digest) {
    ledger.set_gateways({{"a", "", ""}, {"b" + digest, "", digest}}, "a", at(0s));
    const Coverage x = ledger.coverage(*ledger.find({"shop", "x"}));
    const Coverage y = ledger.coverage(*ledger.find({"shop", "y"}));
    return std::to_string(x.in_force) + std::to_string(y.in_force);
  };
  EXPECT_EQ(on("d99"), "22");
  EXPECT_EQ(on("d90"), "22");
  EXPECT_EQ(on("d89"), "12");
  EXPECT_EQ(on("d36"), "12");
  EXPECT_EQ(on("d35"), "11");
}

TEST(Ledger, TenThousandResourcesTakeLittle) {
  Ledger ledger(30s);
  std::vector<ResourceReport> many;
  for (int i = 0; i < 10'000; ++i) many.push_back(report("r" + std::to_string(i), 1));
  for (int i = 0; i < 10; ++i) {
    many[static_cast<std::size_t>(i)].generation_in_force = 2;
    ledger.report(many, "d" + std::to_string(i));
  }
  ledger.set_gateways({{"a", "", ""}, {"b", "", "d9"}}, "a", at(0s));
  EXPECT_EQ(told(ledger).size(), 10'000U);
}

// Keeps Leases and what else is written, answers as it is told to, and counts.
class FakeApi final : public https::StreamTransport {
 public:
  explicit FakeApi(net::Loop& loop) : loop_(&loop), changed_(loop) {}

  struct Call {
    std::string method;
    std::string path;  // without its query
    std::string body;
    MonotonicTime when;
  };
  std::vector<Call> calls;
  std::map<std::string, std::string> leases;
  // The next answers to calls whose path has this in it.
  struct Fault {
    std::string of;
    int status;
    int count = 1;
    std::vector<https::Header> headers = {};
  };
  std::vector<Fault> faults;
  bool is_away = false;

  [[nodiscard]] std::vector<Call> of(std::string_view method, std::string_view part) const {
    std::vector<Call> out;
    for (const Call& each : calls) {
      if (each.method == method && each.path.find(part) != std::string::npos) out.push_back(each);
    }
    return out;
  }
  void put(const std::string& name, std::string spec) {
    // The API's own field goes into the metadata that were sent.
    const std::string key = "\"metadata\":{";
    spec.insert(spec.find(key) + key.size(),
                R"("resourceVersion":")" + std::to_string(++version_) + R"(",)");
    tell("MODIFIED", leases[name] = std::move(spec));
  }
  void remove(const std::string& name) {
    const auto found = leases.find(name);
    if (found == leases.end()) return;
    std::string gone = found->second;
    const std::string key = R"("resourceVersion":")";
    const std::size_t begin = gone.find(key) + key.size();
    gone.replace(begin, gone.find('"', begin) - begin, std::to_string(++version_));
    leases.erase(found);
    tell("DELETED", gone);
  }

  net::Task<Result<https::Response>> send(https::Request request) override {
    const std::size_t host = request.url.find('/', 8);
    const std::string path = request.url.substr(host, request.url.find('?') - host);
    calls.push_back({request.method, path, request.body, loop_->now()});
    static_cast<void>(co_await net::sleep_until(*loop_, loop_->after(100us)));
    if (is_away) co_return fail(Reason::kConnectFailed, Side::kOrigin, "away");
    for (Fault& each : faults) {
      if (each.count <= 0 || path.find(each.of) == path.npos) continue;
      --each.count;
      co_return https::Response{.status = each.status, .headers = each.headers, .body = "{}"};
    }
    const std::string name = path.substr(path.rfind('/') + 1);
    if (path.find("/leases/") != path.npos && request.method == "PATCH") {
      const auto there = leases.find(name);
      std::string spec = request.body;
      // The version that it is to be changed from.
      if (const auto [begin, end] = version_in(spec); end > begin) {
        const std::string asked = std::string(kVersion) + spec.substr(begin, end + 1 - begin);
        if (there == leases.end() || !there->second.contains(asked)) {
          co_return https::Response{.status = 409, .headers = {}, .body = "{}"};
        }
        const std::size_t comma = begin - kVersion.size() - 1;
        spec.erase(comma, end + 1 - comma);
      }
      put(name, std::move(spec));
      co_return https::Response{.status = 200, .headers = {}, .body = leases[name]};
    }
    if (path.find("/leases/") != path.npos && request.method == "DELETE") remove(name);
    co_return https::Response{.status = 200, .headers = {}, .body = "{}"};
  }
  net::Task<Result<https::Response>> stream(https::Request request, https::BodySink sink) override {
    const bool is_watch = request.url.find("watch=true") != request.url.npos;
    static_cast<void>(co_await net::sleep_until(*loop_, loop_->after(100us)));
    if (is_away) co_return fail(Reason::kConnectFailed, Side::kOrigin, "away");
    static_cast<void>(sink({}));
    if (!is_watch) {
      std::string items;
      for (const auto& [name, object] : leases) items += (items.empty() ? "" : ",") + object;
      sink(R"({"kind":"LeaseList","metadata":{"resourceVersion":")" + std::to_string(version_) +
           R"("},"items":[)" + items + "]}");
      co_return https::Response{.status = 200};
    }
    std::size_t seen = told_.size();
    while (!is_away) {
      for (; seen < told_.size(); ++seen) {
        if (!sink(told_[seen])) co_return https::Response{.status = 200};
      }
      const auto end = co_await changed_.wait(loop_->after(5ms));
      if (end == net::Wait::End::kStopped) break;
    }
    co_return fail(Reason::kOriginClosed, Side::kOrigin, "away");
  }

 private:
  static constexpr std::string_view kVersion = R"("resourceVersion":")";
  // Where it stands; from npos to npos where there is none. It is the last of the metadata.
  [[nodiscard]] static std::pair<std::size_t, std::size_t> version_in(const std::string& object) {
    const std::size_t found = object.find(kVersion);
    if (found == object.npos) return {0, 0};
    const std::size_t begin = found + kVersion.size();
    return {begin, object.find('"', begin)};
  }
  void tell(const std::string& type, const std::string& object) {
    told_.push_back(R"({"type":")" + type + R"(","object":)" + object + "}\n");
    changed_.notify_all();
  }
  net::Loop* loop_;
  net::Signal changed_;
  std::vector<std::string> told_;
  int version_ = 1;
};

// One gateway's part.
struct Reporting {
  Reporting(net::Loop& loop, FakeApi& api, const std::string& name, std::uint64_t process)
      : Reporting(loop, api, options(name), process) {}
  Reporting(net::Loop& loop, FakeApi& api, ReporterOptions how, std::uint64_t process)
      : client(loop, api, [process] { return process; }, {.server = "https://api.example"}),
        reporter(
            client, clock, std::move(how),
            [this](const ObjectId& id) {
              const auto found = objects.find(id);
              return found == objects.end() ? nullptr : &found->second;
            },
            [this](std::string_view line) { said.emplace_back(line); }) {}

  static ReporterOptions options(const std::string& name) {
    return {.in_namespace = "ebbgate-system",
            .gateway = name,
            .times = {.renewal = 20ms, .duration = 300ms, .removal = 500ms},
            .pause = 1ms,
            .event_pause = 1ms,
            .event_gap = 0ms,
            .gather = 15ms,
            .settle = 20ms,
            .backoff = 4ms,
            .max_backoff = 16ms,
            .watch = {.backoff = 1ms, .max_backoff = 4ms}};
  }
  void load(std::vector<ResourceReport> reports, std::string digest) {
    for (const ResourceReport& each : reports) objects.try_emplace(each.id, "{}");
    reporter.report(std::move(reports), std::move(digest));
  }

  SystemClock clock;
  std::map<ObjectId, std::string> objects;
  Names said;
  Client client;
  PolicyReporter reporter;
};

struct World {
  std::unique_ptr<net::Loop> loop = net::testing::make_loop();
  FakeApi api{*loop};

  // Runs the steps one after the other on one loop: each waits until it holds. False: one of them
  // did not, in time.
  struct Step {
    std::function<void()> first;
    std::function<bool()> holds;
  };
  [[nodiscard]] bool run(std::vector<Step> steps) {
    bool all = true;
    net::testing::run_to_end(*loop, walk(std::move(steps), all));
    return all;
  }

 private:
  net::Task<void> walk(std::vector<Step> steps, bool& all) {
    for (std::size_t i = 0; i < steps.size() && all; ++i) {
      steps[i].first();
      const MonotonicTime latest = loop->now() + 5s;
      while (!steps[i].holds()) {
        if (loop->now() > latest) {
          ADD_FAILURE() << "step " << i << " does not come to hold";
          all = false;
          break;
        }
        const Deadline soon = loop->after(1ms);
        static_cast<void>(co_await net::sleep_until(*loop, soon));
      }
    }
  }
};

bool has(std::string_view text, std::string_view part) {
  return text.find(part) != text.npos;
}
void nothing() {}

TEST(PolicyReporter, KeepsALeaseAndDeletesItWhenItLeaves) {
  World world;
  Reporting one(*world.loop, world.api, "one", 7);
  auto& api = world.api;
  net::Background leaving;
  const std::string path = "/apis/coordination.k8s.io/v1/namespaces/ebbgate-system/leases/";
  std::size_t renewals = 0;
  ASSERT_TRUE(world.run({
      {[&] { one.reporter.start(); }, [&] { return api.of("PATCH", path).size() >= 3; }},
      // Another digest is told at once, and not only with the next renewal.
      {[&] { one.load({report("x", 1)}, "d1"); },
       [&] { return has(api.leases["ebbgate-one"], R"("ebbgate.dev/policy":"d1")"); }},
      {nothing, [&] { return one.reporter.state().is_reporter; }},
      // So is one that somebody deleted.
      {[&] { api.remove("ebbgate-one"); }, [&] { return api.leases.contains("ebbgate-one"); }},
      {[&] {
         leaving.start(one.reporter.farewell(world.loop->after(1s)),
                       net::testing::abort_on_failure);
       },
       [&] { return !leaving.is_running(); }},
      {[&] { renewals = api.of("PATCH", path).size(); },
       [&, begin = world.loop->now()] { return world.loop->now() - begin > 60ms; }},
  }));
  EXPECT_EQ(api.of("DELETE", path).size(), 1U);
  EXPECT_FALSE(api.leases.contains("ebbgate-one"));
  EXPECT_EQ(api.of("PATCH", path).size(), renewals);
  EXPECT_EQ(one.said, Names{});
  const std::string body = api.of("PATCH", path).front().body;
  EXPECT_TRUE(has(body, R"("holderIdentity":"one_000000007")")) << body;
  EXPECT_TRUE(has(body, R"("leaseDurationSeconds":1)")) << body;
  EXPECT_TRUE(has(body, R"("app.kubernetes.io/component":"gateway")")) << body;
  EXPECT_TRUE(has(body, R"("ebbgate.dev/policy":"")")) << body;
}

TEST(PolicyReporter, TheFirstThatLivesReportsForAll) {
  World world;
  auto& api = world.api;
  Reporting a(*world.loop, api, "a", 1);
  Reporting b(*world.loop, api, "b", 2);
  Reporting c(*world.loop, api, "c", 3);
  const std::string web = "/apis/ebbgate.dev/v1alpha1/namespaces/shop/egresspolicies/web/status";
  std::vector<Reporting*> all = {&a, &b, &c};
  const auto all_load = [&](std::int64_t generation, const std::string& digest) {
    for (Reporting* each : all) each->load({report("web", generation)}, digest);
  };
  net::Background leaving;
  std::size_t before = 0;
  const auto last = [&] {
    const auto writes = api.of("PATCH", web);
    return writes.empty() ? std::string() : writes.back().body;
  };
  ASSERT_TRUE(world.run({
      {[&] {
         for (Reporting* each : all) each->reporter.start();
         all_load(1, "d1");
       },
       [&] { return has(last(), "in force on 3 of 3 gateways"); }},
      {nothing, [&] { return a.reporter.state().waiting == 0; }},
      // By one gateway only, and nothing twice.
      {[&] { before = a.reporter.state().statuses; },
       [&, begin = world.loop->now()] { return world.loop->now() - begin > 100ms; }},
      {[&] {
         EXPECT_EQ(a.reporter.state().statuses, before);
         EXPECT_EQ(b.reporter.state().statuses + c.reporter.state().statuses, 0U);
         EXPECT_EQ(b.reporter.state().reporter, "ebbgate-a");
         EXPECT_EQ(b.reporter.state().gateways, 3U);
         // The first ones leave; who is next knows what there is to tell.
         leaving.start(a.reporter.farewell(world.loop->after(1s)), net::testing::abort_on_failure);
       },
       [&] { return b.reporter.state().is_reporter; }},
      {nothing, [&] { return has(last(), "in force on 2 of 2 gateways"); }},
      {[&] { api.faults.push_back({"/leases/ebbgate-b", 500, 1'000'000}); },
       [&] { return c.reporter.state().is_reporter; }},
      {nothing, [&] { return has(last(), "in force on 1 of 1 gateways"); }},
      // It is gone for long: its Lease goes, too.
      {[&] {
         api.faults.clear();
         api.faults.push_back({"/leases/ebbgate-b", 500, 1'000'000});
       },
       [&] { return !api.of("DELETE", "/leases/ebbgate-b").empty(); }},
      {[&] { api.faults.clear(); }, [&] { return b.reporter.state().is_reporter; }},
  }));
  EXPECT_EQ(a.said, Names{});
}

TEST(PolicyReporter, ComplainsOnceAndGoesOnWhenTheApiIsBack) {
  World world;
  auto& api = world.api;
  Reporting one(*world.loop, api, "one", 7);
  const auto statuses = [&] { return api.of("PATCH", "/status").size(); };
  std::vector<ResourceReport> many;
  for (int i = 0; i < 30; ++i) many.push_back(report("r" + std::to_string(i), 1));
  MonotonicTime begin;
  std::size_t calls = 0;
  ASSERT_TRUE(world.run({
      {[&] {
         api.faults.push_back({"/status", 403, 6});
         one.reporter.start();
         one.load(many, "d1");
       },
       [&] { return one.reporter.state().statuses == 30; }},
      {[&] {
         EXPECT_EQ(statuses(), 36U);
         ASSERT_EQ(one.said.size(), 2U);
         EXPECT_TRUE(has(one.said[0],
                         "the status of shop/r0 cannot be written: the API answered "
                         "403"))
             << one.said[0];
         EXPECT_EQ(one.said[1], "the status of policies is written again");
         // The API asks to be left alone.
         api.faults = {{"/status", 429, 1, {{"retry-after", "1"}}}};
         one.load({report("r0", 2)}, "d2");
       },
       [&] { return one.reporter.state().failures == 7; }},
      {[&] { begin = world.loop->now(); }, [&] { return one.reporter.state().statuses == 31; }},
      {[&] {
         EXPECT_GE(world.loop->now() - begin, 950ms);
         // It is away: nothing is written, and it is not asked all the time.
         api.is_away = true;
         calls = api.calls.size();
         begin = world.loop->now();
         one.load({report("r0", 3)}, "d3");
         one.said.clear();
       },
       [&] { return world.loop->now() - begin > 300ms; }},
      {[&] {
         EXPECT_LT(api.calls.size() - calls, 60U);
         EXPECT_FALSE(one.reporter.state().is_reporter);
         EXPECT_FALSE(one.reporter.state().last_error.empty());
         EXPECT_EQ(one.said.size(), 1U);  // of the Lease
         api.is_away = false;
       },
       [&] { return one.reporter.state().statuses == 32; }},
      {nothing, [&] { return one.reporter.state().last_error.empty(); }},
  }));
  EXPECT_EQ(one.said.size(), 2U) << one.said.back();
}

TEST(PolicyReporter, EventsThatMayNotBeWrittenHoldNothingUp) {
  World world;
  auto& api = world.api;
  Reporting one(*world.loop, api, "one", 7);
  ResourceReport bad = report("bad", 1, State::kNeverGood);
  bad.generation_in_force = 0;
  ResourceReport worse = bad;
  worse.id.name = worse.uid = "worse";
  ASSERT_TRUE(world.run({
      {[&] {
         api.faults = {{"/events", 403, 2}, {"bad/status", 404, 1}};
         one.reporter.start();
         one.load({bad, worse}, "");
       },
       [&] { return one.reporter.state().is_reporter && one.reporter.state().waiting == 0; }},
      {[&] {
         EXPECT_EQ(one.reporter.state().statuses, 1U);
         EXPECT_EQ(one.said.size(), 1U);  // of the events, once
         EXPECT_TRUE(has(api.leases["ebbgate-one"], R"("ebbgate.dev/policy":"none")"));
         EXPECT_TRUE(has(api.of("PATCH", "worse/status").back().body, "NamespaceClosed"));
         // Another generation, another event; one that is there already is fine.
         bad.generation = 2;
         api.faults = {{"/events", 409, 1}};
         one.load({bad, worse}, "");
       },
       [&] { return one.reporter.state().statuses == 2; }},
      {[&] {
         EXPECT_EQ(api.of("POST", "/events").size(), 3U);
         bad.generation = bad.generation_in_force = 3;
         bad.state = State::kAccepted;
         one.objects[bad.id] = api.of("PATCH", "bad/status").back().body;
         // A resource that the watch does not have any more is not written about.
         worse.generation = 2;
         one.load({bad, worse}, "d1");
         one.objects.erase(worse.id);
       },
       [&] { return one.reporter.state().events == 1; }},
      {nothing, [&] { return one.reporter.state().waiting == 0; }},
  }));
  EXPECT_TRUE(has(api.of("POST", "/events").back().body, R"("type":"Normal")"));
  EXPECT_EQ(api.of("PATCH", "worse/status").size(), 1U);
}

TEST(PolicyReporter, WhoGoesByNoPolicyReportsForNobodyWhoDoes) {
  World world;
  auto& api = world.api;
  Reporting a(*world.loop, api, "a", 1);
  Reporting b(*world.loop, api, "b", 2);
  ResourceReport kept = report("bad", 5, State::kLastGoodKept);
  kept.generation_in_force = 4;
  ResourceReport never = report("bad", 5, State::kNeverGood);
  never.generation_in_force = 0;
  const ResourceReport web = report("web", 1);
  const auto last = [&](const std::string& name) {
    const auto writes = api.of("PATCH", name + "/status");
    return writes.empty() ? std::string() : writes.back().body;
  };
  ASSERT_TRUE(world.run({
      {[&] {
         a.reporter.start();
         a.load({web, never}, "");
       },
       [&] { return has(last("bad"), "NamespaceClosed"); }},  // there is nobody else
      {[&] {
         b.reporter.start();
         b.load({web, kept}, digest_of(std::vector{web, kept}));
       },
       [&] { return b.reporter.state().is_reporter && !a.reporter.state().is_reporter; }},
      {nothing, [&] { return has(last("bad"), "generation 4 stays in force on 1 of 1 gateways"); }},
      // Now it has one, and its name is the first: what the other keeps is kept still.
      {[&] {
         a.objects[kept.id] = last("bad");
         a.load({web, never}, digest_of(std::vector{web, never}));
       },
       [&] { return a.reporter.state().is_reporter && has(last("bad"), "KeptInPart"); }},
      {nothing, [&] { return has(last("web"), "in force on 2 of 2 gateways"); }},
  }));
  EXPECT_TRUE(has(last("bad"), "generation 4 stays in force on 1 of 2 gateways, and on 1,"))
      << last("bad");
  EXPECT_TRUE(has(api.leases["ebbgate-a"], "ebbgate.dev/invalid"));
  // Nobody was told otherwise meanwhile.
  std::size_t closed = 0;
  for (const auto& call : api.of("PATCH", "bad/status")) {
    closed += has(call.body, "NamespaceClosed") ? 1 : 0;
  }
  EXPECT_EQ(closed, 1U);
}

TEST(PolicyReporter, ALoopOfChangesHoldsUpNobodyElse) {
  World world;
  auto& api = world.api;
  ReporterOptions options = Reporting::options("one");
  options.event_pause = 10ms;
  options.event_gap = 200ms;
  Reporting one(*world.loop, api, options, 7);
  // All of its policies are others each time: valid, or not.
  std::int64_t generation = 0;
  const auto is_well = [](std::int64_t of) { return of / 3 % 2 == 0; };
  const auto change = [&](std::int64_t mine) {
    ++generation;
    std::vector<ResourceReport> all = {report("mine", mine)};
    for (int i = 0; i < 11; ++i) {
      ResourceReport& each = all.emplace_back(report("e" + std::to_string(i), generation));
      each.id.in_namespace = "evil";
      if (!is_well(generation)) {
        each.state = State::kLastGoodKept;
        --each.generation_in_force;
      }
    }
    one.load(std::move(all), "d" + std::to_string(generation));
  };
  const auto evil = [&] { return api.of("PATCH", "evil/egresspolicies").size(); };
  std::size_t before = 0;
  MonotonicTime begin;
  ASSERT_TRUE(world.run({
      {[&] { one.reporter.start(); },
       [&] {
         change(1);
         return evil() > 20;
       }},
      {[&] { before = evil(); },
       [&] {
         change(2);
         return has(api.of("PATCH", "mine/status").back().body, R"("observedGeneration":2)");
       }},
      {[&] {
         EXPECT_LE(evil() - before, 3U);  // it was the second one's turn
         begin = world.loop->now();
       },
       [&] {
         change(2);
         return world.loop->now() - begin > 500ms;
       }},
      {[&] {
         while (!is_well(generation + 1)) ++generation;
         change(2);
         begin = world.loop->now();
       },
       [&] { return world.loop->now() - begin > 500ms; }},
  }));
  std::map<std::string, std::vector<FakeApi::Call>> events;
  const auto told = api.of("POST", "/events");
  for (std::size_t i = 0; i < told.size(); ++i) {
    const std::string& body = told[i].body;
    const std::size_t name = body.find(R"("name":"e)") + 8;
    events[body.substr(name, body.find('.', name) - name)].push_back(told[i]);
    if (i > 0) {
      EXPECT_GE(told[i].when - told[i - 1].when, 10ms);
    }
  }
  EXPECT_EQ(events.size(), 11U);
  for (const auto& [name, of_it] : events) {
    EXPECT_GE(of_it.size(), 2U) << name;
    for (std::size_t i = 1; i < of_it.size(); ++i) {
      EXPECT_GE(of_it[i].when - of_it[i - 1].when, 200ms) << name;
    }
    // When the time was over, what held then.
    EXPECT_TRUE(has(of_it.back().body, "valid again")) << of_it.back().body;
  }
}

TEST(PolicyReporter, OfTwoProcessesOfOneNameTheLaterOneHoldsTheLease) {
  World world;
  auto& api = world.api;
  Reporting old(*world.loop, api, "same", 1);
  Reporting young(*world.loop, api, "same", 2);
  net::Background leaving;
  ASSERT_TRUE(world.run({
      {[&] {
         old.reporter.start();
         old.load({report("x", 1)}, "d1");
       },
       [&] { return old.reporter.state().statuses == 1; }},
      {[&] {
         young.reporter.start();
         young.load({report("x", 1)}, "d1");
       },
       [&] { return young.reporter.state().is_reporter && !old.said.empty(); }},
      {[&] {
         EXPECT_EQ(old.said.size(), 1U);
         EXPECT_TRUE(has(old.said.back(), "held by another process")) << old.said.back();
         // It found out by the version that it had written, and wrote over nothing.
         EXPECT_TRUE(has(api.leases["ebbgate-same"], "same_000000002"));
         bool is_youngs = false;
         for (const auto& call : api.of("PATCH", "/leases/")) {
           const bool is_its = has(call.body, "same_000000002");
           EXPECT_TRUE(is_its || !is_youngs || has(call.body, "resourceVersion")) << call.body;
           is_youngs |= is_its;
         }
         EXPECT_FALSE(old.reporter.state().is_reporter);
         // The one that stood aside leaves the other's Lease alone.
         leaving.start(old.reporter.farewell(world.loop->after(1s)),
                       net::testing::abort_on_failure);
       },
       [&] { return !leaving.is_running(); }},
  }));
  EXPECT_TRUE(has(api.leases["ebbgate-same"], "same_000000002"));
  EXPECT_EQ(young.said, Names{});
}

TEST(PolicyReporter, LeavesInTimeThoughTheApiDoesNotAnswer) {
  World world;
  auto& api = world.api;
  Reporting one(*world.loop, api, "one", 7);
  net::Background leaving;
  MonotonicTime begin;
  ASSERT_TRUE(world.run({
      {[&] { one.reporter.start(); }, [&] { return api.leases.contains("ebbgate-one"); }},
      {[&] {
         api.is_away = true;
         begin = world.loop->now();
         leaving.start(one.reporter.farewell(world.loop->after(50ms)),
                       net::testing::abort_on_failure);
       },
       [&] { return !leaving.is_running(); }},
  }));
  EXPECT_LT(world.loop->now() - begin, 500ms);
}

}  // namespace
}  // namespace ebbgate::kube
