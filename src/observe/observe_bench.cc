// What an event costs the worker that writes it.
#include <benchmark/benchmark.h>

#include <chrono>
#include <memory>

#include "observe/access_log.h"
#include "observe/detail/testing.h"
#include "observe/log_target.h"
#include "observe/request_id.h"
#include "observe/worker_log.h"

namespace ebbgate::observe {
namespace {

class NullTarget final : public LogTarget {
 public:
  [[nodiscard]] std::string name() const override { return "nowhere"; }
  Opened open() override { return {}; }
  Written write(std::string_view bytes) override { return {.bytes = bytes.size(), .error = 0}; }
  [[nodiscard]] int wait_fd() const override { return -1; }
  [[nodiscard]] Sync sync() const override { return {}; }
};

void format(benchmark::State& state, LogFormat format) {
  const Record record = full_record();
  std::string line;
  for (auto _ : state) {
    line.clear();
    append_event(line, format, record);
    benchmark::DoNotOptimize(line.data());
  }
  state.counters["octets"] = static_cast<double>(line.size());
}
BENCHMARK_CAPTURE(format, squid, LogFormat::kSquid);
BENCHMARK_CAPTURE(format, json, LogFormat::kJson);

// Format and queue, with a writer that keeps up.
void queue(benchmark::State& state, LogFormat format) {
  Metrics metrics(1, {});
  auto log = AccessLog::start({.format = format, .queue_bytes = 16 * 1024 * 1024},
                              std::make_unique<NullTarget>(), metrics, [](auto) {});
  const Record record = full_record();
  for (auto _ : state) (*log)->worker(0).queue_or_drop(record);
  (*log)->stop();
  state.counters["dropped"] = static_cast<double>(metrics.worker(0).log_dropped.value());
}
BENCHMARK_CAPTURE(queue, squid, LogFormat::kSquid);
BENCHMARK_CAPTURE(queue, json, LogFormat::kJson);

// Refusals of a new name each: they are never folded, and remembered to fold others.
void refuse(benchmark::State& state) {
  Metrics metrics(1, {});
  auto log = AccessLog::start({.format = LogFormat::kJson, .queue_bytes = 16 * 1024 * 1024},
                              std::make_unique<NullTarget>(), metrics, [](auto) {});
  std::string host = "h0000000.example";
  std::uint64_t waited = 0;
  std::uint64_t n = 0;
  for (auto _ : state) {
    ++n;
    for (std::size_t digit = 0; digit < 7; ++digit) {
      host[1 + digit] = static_cast<char>('a' + (n >> (4 * digit) & 15));
    }
    const MonotonicTime now(n * std::chrono::microseconds(20));
    if (!(*log)->worker(0).try_queue(refusal_of(host), now)) ++waited;
  }
  state.counters["waited"] = static_cast<double>(waited);
}
BENCHMARK(refuse);

void fold(benchmark::State& state) {
  Metrics metrics(1, {});
  auto log = AccessLog::start({}, std::make_unique<NullTarget>(), metrics, [](auto) {});
  const Record refusal = refusal_of("a.example");
  for (auto _ : state) benchmark::DoNotOptimize((*log)->worker(0).try_queue(refusal, {}));
}
BENCHMARK(fold);

void count(benchmark::State& state) {
  Metrics metrics(1, {});
  Record record = full_record();
  record.phase = Phase::kRequest;
  for (auto _ : state) metrics.worker(0).count(record);
}
BENCHMARK(count);

void next_id(benchmark::State& state) {
  RequestIdSource source(1);
  for (auto _ : state) benchmark::DoNotOptimize(source.next());
}
BENCHMARK(next_id);

void scrape(benchmark::State& state) {
  Metrics metrics(4, {});
  for (auto _ : state) {
    benchmark::DoNotOptimize(metrics.exposition(Exposition::kPrometheus, read_process_stats()));
  }
}
BENCHMARK(scrape);

}  // namespace
}  // namespace ebbgate::observe
