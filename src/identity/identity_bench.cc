// What a lookup costs a worker, and a change the control loop, with a cluster of 150,000 pods.
#include <benchmark/benchmark.h>

#include "identity/pod_index.h"

namespace ebbgate::identity {
namespace {

constexpr std::uint32_t kPods = 150'000;

PodState pod(std::uint32_t number) {
  const std::string app = "service-" + std::to_string(number / 50);
  PodState state{.name = app + "-6d4cf56db6-" + std::to_string(number),
                 .pod_namespace = "team-" + std::to_string(number % 300),
                 .service_account = app,
                 .labels = {{"app", app}, {"pod-template-hash", "6d4cf56db6"}}};
  state.addresses = {IpAddress::v4(0x0a000000U + number)};
  return state;
}

PodIndex& full() {
  static PodIndex index;
  if (index.pod_count() == 0) {
    index.set_pod_blocks({*Cidr::parse("10.0.0.0/8")});
    for (std::uint32_t i = 0; i < kPods; ++i) index.put(pod(i));
    index.publish();
  }
  return index;
}

// One of `among` addresses from `first` on, in no order. Each depends on what was found before, or
// the processor would look up several at a time.
void find(benchmark::State& state, std::uint32_t first, std::uint32_t among) {
  PodReader reader(full());
  std::uint32_t number = 0;
  for (auto _ : state) {
    number = (number * 1'103'515'245U + 12'345U) & 0x7fffffffU;
    const Found found =
        reader.find(IpAddress::v4(first + (number >> 8U) % among), WallTime{}, MonotonicTime{});
    number += found.presence == Presence::kUnknown ? 1U : 0U;
    number += static_cast<std::uint32_t>(reinterpret_cast<std::uintptr_t>(found.pod.get()) >> 63U);
  }
}
// A worker has so many clients at a time; what they need stays in its caches.
void BM_FindBusyPod(benchmark::State& state) {
  find(state, 0x0a000000U, 4096);
}
// Each lookup fetches from memory: the worst that can be.
void BM_FindAnyPod(benchmark::State& state) {
  find(state, 0x0a000000U, kPods);
}
void BM_FindNobody(benchmark::State& state) {
  find(state, 0x0a000000U + kPods, kPods);
}
BENCHMARK(BM_FindBusyPod);
BENCHMARK(BM_FindAnyPod);
BENCHMARK(BM_FindNobody);

// From what the watch says to what the next lookup sees.
void BM_ChangeOnePod(benchmark::State& state) {
  PodIndex& index = full();
  PodState one = pod(7);
  for (auto _ : state) {
    one.started += std::chrono::seconds(1);
    index.put(one);
    index.publish();
  }
}
BENCHMARK(BM_ChangeOnePod);

void BM_ListAll(benchmark::State& state) {
  PodIndex& index = full();
  for (auto _ : state) {
    index.begin_list();
    for (std::uint32_t i = 0; i < kPods; ++i) {
      PodState each = pod(i);
      each.started = WallTime(std::chrono::seconds(state.iterations()));
      index.put(each);
    }
    index.end_list();
    index.publish();
  }
}
BENCHMARK(BM_ListAll)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace ebbgate::identity
