// What the cache costs on the way of every request.
#include <benchmark/benchmark.h>

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "dns/cache.h"
#include "dns/resolver.h"
#include "net/testing.h"

namespace ebbgate::dns {
namespace {

constexpr MonotonicTime kNow{std::chrono::seconds(1000)};

std::vector<Hostname> names(std::int64_t count) {
  std::vector<Hostname> out;
  out.reserve(static_cast<std::size_t>(count));
  for (std::int64_t i = 0; i < count; ++i) {
    out.push_back(
        Hostname::parse("service-" + std::to_string(i) + ".eu-west-2.example.com").value());
  }
  return out;
}

void BM_CachedName(benchmark::State& state) {
  Cache cache({.entries = 1 << 20, .bytes = 1 << 30});
  const std::vector<Hostname> all = names(state.range(0));
  for (const Hostname& name : all) {
    cache.put(name,
              std::make_shared<const Answer>(
                  Answer{{IpAddress::v4(1), IpAddress::v4(2)}, kNow + std::chrono::hours(1)}),
              kNow + std::chrono::hours(1));
  }
  std::size_t next = 0;
  for (auto _ : state) {
    benchmark::DoNotOptimize(cache.find(all[next], kNow));
    next = (next + 7919) % all.size();
  }
}
BENCHMARK(BM_CachedName)->Arg(1)->Arg(100)->Arg(8192);

// The same with the hosts file before it, as a session asks.
void BM_FindCached(benchmark::State& state) {
  const auto loop = net::testing::make_loop();
  const auto resolver = Resolver::make(*loop, {}).value();
  const Hostname name = Hostname::parse("localhost").value();
  if (!resolver->find_cached(name)) state.SkipWithError("/etc/hosts does not know localhost");
  for (auto _ : state) benchmark::DoNotOptimize(resolver->find_cached(name));
}
BENCHMARK(BM_FindCached);

void BM_NameThatIsNotCached(benchmark::State& state) {
  const auto loop = net::testing::make_loop();
  const auto resolver = Resolver::make(*loop, {}).value();
  const Hostname name = Hostname::parse("service.eu-west-2.example.com").value();
  for (auto _ : state) benchmark::DoNotOptimize(resolver->find_cached(name));
}
BENCHMARK(BM_NameThatIsNotCached);

}  // namespace
}  // namespace ebbgate::dns
