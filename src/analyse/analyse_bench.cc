// What a line of a log costs: to read alone, and to learn from or replay. `items_per_second` is
// lines of one core.
#include <benchmark/benchmark.h>

#include <random>
#include <string>

#include "analyse/detail/testing.h"
#include "analyse/learn.h"
#include "analyse/log_reader.h"
#include "analyse/replay.h"

namespace ebbgate::analyse {
namespace {

constexpr std::size_t kLines = 100'000;

std::string host(std::size_t i) {
  return "host" + std::to_string(i) + ".zone" + std::to_string(i % 50) + ".example.com";
}

// Tunnels of 1,000 clients to 2,000 hosts.
const std::string& json_log() {
  static const std::string log = [] {
    std::mt19937 random(7);
    std::string text;
    for (std::size_t i = 0; i < kLines; ++i) {
      const std::string name = host(random() % 2000);
      const std::string client =
          "10.64." + std::to_string(random() % 4) + "." + std::to_string(random() % 250);
      text += R"({"time":"2026-01-31T12:00:00.250Z","id":"0c5tq2v8m1a4x9kd","phase":"open",)"
              R"("count":1,"client":")" +
              client + R"(","subject":{"kind":"address","name":")" + client +
              R"("},"ech":false,"listener":"127.0.0.1:3128","method":"CONNECT","target":")" + name +
              R"(:443","host":")" + name + R"(","port":443,"sni":")" + name +
              R"(","verdict":"ALLOW","reason":"allowed","policy":"doc","rule":".example.com",)"
              R"("policyVersion":"0123456789ab","address":"203.0.113.7","bytesIn":517,)"
              R"("bytesOut":39,"status":200,"durationMs":12,"connectMs":3})"
              "\n";
    }
    return text;
  }();
  return log;
}

const std::string& squid_log() {
  static const std::string log = [] {
    std::mt19937 random(7);
    std::string text;
    for (std::size_t i = 0; i < kLines; ++i) {
      text += "1795501324.331     12 10.64." + std::to_string(random() % 4) + "." +
              std::to_string(random() % 250) + " TCP_TUNNEL/200 4193 CONNECT " +
              host(random() % 2000) + ":443 - HIER_DIRECT/203.0.113.7 -\n";
    }
    return text;
  }();
  return log;
}

template <typename OnEvent>
void read(benchmark::State& state, const std::string& log, OnEvent&& on_event) {
  for (auto _ : state) {
    LogReader reader(on_event);
    reader.read("log", detail::source_of(log));
    if (reader.counts().events != kLines) state.SkipWithError("a line was not read");
  }
  state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(kLines));
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(log.size()));
}

void BM_Read(benchmark::State& state, const std::string& (*log)()) {
  read(state, log(), [](const LogEvent& event) { benchmark::DoNotOptimize(event.port); });
}
BENCHMARK_CAPTURE(BM_Read, json, json_log);
BENCHMARK_CAPTURE(BM_Read, squid, squid_log);

void BM_Replay(benchmark::State& state, const std::string& (*log)()) {
  const auto before = detail::listed(".example.com");
  const auto after = detail::listed(".zone1.example.com\n.zone2.example.com:443");
  Replay replay(*before, *after, {}, WallTime());
  read(state, log(), [&](const LogEvent& event) { replay.add(event); });
  benchmark::DoNotOptimize(replay.report().refused);
}
BENCHMARK_CAPTURE(BM_Replay, json, json_log);
BENCHMARK_CAPTURE(BM_Replay, squid, squid_log);

void BM_Learn(benchmark::State& state, const std::string& (*log)()) {
  Learner learner({});
  read(state, log(), [&](const LogEvent& event) { learner.add(event); });
  benchmark::DoNotOptimize(learner.learn().requests);
}
BENCHMARK_CAPTURE(BM_Learn, json, json_log);
BENCHMARK_CAPTURE(BM_Learn, squid, squid_log);

}  // namespace
}  // namespace ebbgate::analyse
