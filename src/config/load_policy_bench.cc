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

}  // namespace
}  // namespace ebbgate::config
