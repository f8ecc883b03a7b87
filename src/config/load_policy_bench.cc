// How long it takes until a policy of many names is in force: read, parsed, compiled. The bar is
// 100,000 patterns in 0.3 s.
#include <benchmark/benchmark.h>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <string>

#include "config/load_policy.h"

namespace ebbgate::config {
namespace {

std::string name(std::int64_t i) {
  return "host-" + std::to_string(i) + ".team-" + std::to_string(i % 977) + ".example.com";
}

void load(benchmark::State& state, const std::string& file, const std::string& text) {
  const std::filesystem::path path = std::filesystem::temp_directory_path() / file;
  std::ofstream(path, std::ios::binary) << text;
  Settings settings;
  settings.policies = {path.string()};
  for (auto _ : state) {
    const LoadedPolicy loaded = load_policy(settings);
    if (loaded.policy == nullptr) state.SkipWithError("the policy is invalid");
  }
  state.counters["names"] = static_cast<double>(state.range(0));
  std::filesystem::remove(path);
}

void plain_list(benchmark::State& state) {
  std::string text;
  for (std::int64_t i = 0; i < state.range(0); ++i) text += name(i) + '\n';
  load(state, "ebbgate_bench.list", text);
}
BENCHMARK(plain_list)->Arg(100)->Arg(100'000)->Arg(1'000'000)->Unit(benchmark::kMillisecond);

void yaml(benchmark::State& state) {
  std::string text =
      "apiVersion: ebbgate.dev/v1alpha1\nkind: EgressPolicy\nmetadata: {name: p}\n"
      "spec:\n  allow:\n    - hosts:\n";
  for (std::int64_t i = 0; i < state.range(0); ++i) text += "        - \"" + name(i) + "\"\n";
  load(state, "ebbgate_bench.yaml", text);
}
BENCHMARK(yaml)->Arg(100)->Arg(100'000)->Unit(benchmark::kMillisecond);

// A cluster's policies: the first loading, and the one after a change of one resource. Bars for
// 10,000 resources: 2 s and 0.2 s.
PolicyResource resource(std::int64_t i, std::int64_t entries, std::int64_t generation = 1) {
  const std::string in_namespace = "team-" + std::to_string(i % 977);
  std::string spec;
  for (std::int64_t entry = 0; entry < entries; ++entry) {
    spec += (spec.empty() ? "" : ",") + (R"({"hosts":[")" + name(i * entries + entry)) +
            R"("],"owner":"o)" + std::to_string(generation) + "\"}";
  }
  return {.id = {.kind = "EgressPolicy",
                 .in_namespace = in_namespace,
                 .name = "p-" + std::to_string(i),
                 .uid = std::to_string(i),
                 .generation = generation},
          .text = std::make_shared<const std::string>(
              R"({"apiVersion":"ebbgate.dev/v1alpha1","metadata":{},"spec":{"allow":[)" + spec +
              "]}}")};
}

std::vector<PolicyResource> cluster(std::int64_t count, std::int64_t entries) {
  std::vector<PolicyResource> all;
  all.push_back(
      {.id = {.kind = "ClusterEgressPolicy", .name = "base", .uid = "base", .generation = 1},
       .text = std::make_shared<const std::string>(
           R"({"apiVersion":"ebbgate.dev/v1alpha1","metadata":{},"spec":)"
           R"({"delegate":{"namespaces":["*"],"hosts":[".example.com"]}}})")});
  for (std::int64_t i = 0; i < count; ++i) all.push_back(resource(i, entries));
  return all;
}

void resources_first(benchmark::State& state) {
  Settings settings;
  settings.kube.is_on = true;
  const auto all = cluster(state.range(0), state.range(1));
  for (auto _ : state) {
    const LoadedPolicy loaded = load_policy(settings, 1, {}, {}, all);
    if (loaded.policy == nullptr) state.SkipWithError("the policy is invalid");
  }
}
BENCHMARK(resources_first)->Args({10'000, 3})->Args({1, 10'000})->Unit(benchmark::kMillisecond);

void resources_change(benchmark::State& state) {
  Settings settings;
  settings.kube.is_on = true;
  auto all = cluster(state.range(0), state.range(1));
  LoadedPolicy last = load_policy(settings, 1, {}, {}, all);
  std::int64_t generation = 1;
  for (auto _ : state) {
    all.back() = resource(state.range(0) - 1, state.range(1), ++generation);
    LoadedPolicy loaded = load_policy(settings, 1, last, {}, all);
    if (loaded.version == last.version) state.SkipWithError("it is the same");
    last = std::move(loaded);
  }
}
BENCHMARK(resources_change)->Args({10'000, 3})->Args({1, 10'000})->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace ebbgate::config
