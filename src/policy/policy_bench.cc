// What a decision costs with 10, 100,000 and 1,000,000 patterns, and what it costs to load them.
// The requests are the same in all three: names of a working set, half of them listed.
#include <benchmark/benchmark.h>
#include <malloc.h>

#include <array>
#include <fstream>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "policy/decide.h"
#include "policy/explain.h"
#include "policy/list.h"

namespace ebbgate::policy {
namespace {

constexpr std::size_t kWorkingSet = 1024;  // names that clients ask for over and over

std::string name(std::size_t i) {
  return "host" + std::to_string(i) + ".zone" + std::to_string(i % 5000) + ".example.com";
}

// A list of that many lines: names, suffixes and a few with ports, as lists have them.
std::string list_text(std::size_t lines) {
  std::string text;
  for (std::size_t i = 0; i < lines; ++i) {
    text += i % 7 == 0 ? "." : i % 11 == 0 ? "*." : "";
    text += name(i * 7919 % lines);
    text += i % 13 == 0 ? ":443\n" : "\n";
  }
  return text;
}

std::shared_ptr<const Policy> load(const std::string& text) {
  std::vector<Document> documents;
  documents.push_back(parse_list(text, "allow.txt").document);
  return Policy::compile(std::move(documents), {.hash_seed = 0x5eed}).policy;
}

const Policy& policy_of(std::size_t patterns) {
  static std::map<std::size_t, std::shared_ptr<const Policy>> made;
  auto& policy = made[patterns];
  if (!policy) policy = load(list_text(patterns));
  return *policy;
}

// Listed names, or names that nobody listed, in an order that the branch predictor cannot learn.
std::vector<Host> hosts(std::size_t patterns, bool listed) {
  std::vector<Host> made;
  std::mt19937_64 random(7);
  for (std::size_t i = 0; i < kWorkingSet; ++i) {
    const std::string text = name(random() % patterns);
    made.emplace_back(*Hostname::parse(listed ? text : "www." + text.substr(1)));
  }
  return made;
}

void decide_on(benchmark::State& state, bool listed) {
  const auto patterns = static_cast<std::size_t>(state.range(0));
  const Policy& policy = policy_of(patterns);
  const std::vector<Host> asked = hosts(patterns, listed);
  const Subject subject{
      .address = IpAddress::v4(0x0a000001), .user = {}, .certificate = {}, .pod = {}};
  std::size_t i = 0;
  for (auto _ : state) {
    const Request request{.host = asked[i++ % kWorkingSet], .port = kHttpsPort};
    benchmark::DoNotOptimize(decide(policy, subject, request, WallTime()));
  }
}

void BM_DecideListed(benchmark::State& state) {
  decide_on(state, true);
}
void BM_DecideUnlisted(benchmark::State& state) {
  decide_on(state, false);
}
BENCHMARK(BM_DecideListed)->Arg(10)->Arg(100'000)->Arg(1'000'000);
BENCHMARK(BM_DecideUnlisted)->Arg(10)->Arg(100'000)->Arg(1'000'000);

void BM_ExplainUnlisted(benchmark::State& state) {
  const Policy& policy = policy_of(static_cast<std::size_t>(state.range(0)));
  const Host asked(*Hostname::parse("registry.zone1.example.org"));
  for (auto _ : state) {
    benchmark::DoNotOptimize(
        explain(policy, Subject{}, {.host = asked, .port = kHttpsPort}, WallTime()));
  }
}
BENCHMARK(BM_ExplainUnlisted)->Arg(1'000'000)->Unit(benchmark::kMillisecond);

// A pod's request in a cluster of so many documents of 977 namespaces, one of which is closed, and
// one for all that only reports; so many of them name the same host. Whom they are about is asked
// of few of them.
void BM_DecideForPod(benchmark::State& state) {
  std::vector<Document> documents(static_cast<std::size_t>(state.range(0)));
  for (std::size_t i = 0; i < documents.size(); ++i) {
    Entry entry;
    const std::size_t host = i < static_cast<std::size_t>(state.range(1)) ? 5 : i;
    entry.hosts.add(*Pattern::parse("h" + std::to_string(host) + ".example"), {});
    documents[i].allow.push_back(std::move(entry));
    documents[i].subjects = {SubjectRule{.pod_namespace = "team-" + std::to_string(i % 977)}};
    documents[i].mode = Mode::kReport;
  }
  documents[0].subjects.clear();
  documents[1].closes = true;
  const auto policy = Policy::compile(std::move(documents)).policy;
  const Subject subject{
      .address = IpAddress::v4(0x0a000001),
      .pod = std::make_shared<const Pod>(Pod{.name = "p", .pod_namespace = "team-5"})};
  const Host asked(*Hostname::parse("h5.example"));
  for (auto _ : state) {
    benchmark::DoNotOptimize(
        decide(*policy, subject, {.host = asked, .port = kHttpsPort}, WallTime()));
  }
}
BENCHMARK(BM_DecideForPod)->Args({10, 0})->Args({10'000, 0})->Args({10'000, 1'000});

// The same of one pod in a cluster of so many namespaces with a policy of their own; one of them,
// which is not the pod's, denies the name it asks for on 50,000 ports.
void BM_DecideAmongNamespaces(benchmark::State& state) {
  const auto add = [](std::vector<Entry>& entries, const std::string& host) {
    if (entries.empty()) entries.emplace_back();
    entries[0].hosts.add(*Pattern::parse(host));
  };
  std::vector<Document> documents(static_cast<std::size_t>(state.range(0)) + 1);
  add(documents[0].allow, ".example");
  for (std::size_t i = 1; i < documents.size(); ++i) {
    documents[i].resource_namespace = "team-" + std::to_string(i);
    documents[i].subjects = {SubjectRule{.pod_namespace = documents[i].resource_namespace}};
    add(documents[i].allow, "h" + std::to_string(i) + ".example");
  }
  for (std::size_t port = 1; port <= 50'000; ++port) {
    add(documents[1].deny, ".example:" + std::to_string(port));
  }
  const auto policy = Policy::compile(std::move(documents)).policy;
  const Subject subject{
      .address = IpAddress::v4(0x0a000001),
      .pod = std::make_shared<const Pod>(Pod{.name = "p", .pod_namespace = "team-5"})};
  const Host asked(*Hostname::parse("h5.example"));
  for (auto _ : state) {
    benchmark::DoNotOptimize(
        decide(*policy, subject, {.host = asked, .port = kHttpsPort}, WallTime()));
  }
}
BENCHMARK(BM_DecideAmongNamespaces)->Arg(10)->Arg(10'000);

// The high-water mark of the process's resident memory in bytes, reset before.
std::size_t peak_resident() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with("VmHWM:")) return std::stoul(line.substr(6)) * 1024;
  }
  return 0;
}

// Parsing, compiling and all warnings; `kept` and `peak` are bytes over what there was before.
void BM_Load(benchmark::State& state) {
  const std::string text = list_text(static_cast<std::size_t>(state.range(0)));
  for (auto _ : state) {
    ::malloc_trim(0);
    std::ofstream("/proc/self/clear_refs") << 5;  // proc(5): resets the peak
    const std::size_t resident = peak_resident();
    const std::size_t allocated = ::mallinfo2().uordblks + ::mallinfo2().hblkhd;
    const auto policy = load(text);
    state.counters["kept_MiB"] =
        static_cast<double>(::mallinfo2().uordblks + ::mallinfo2().hblkhd - allocated) / 1048576;
    state.counters["peak_MiB"] = static_cast<double>(peak_resident() - resident) / 1048576;
    benchmark::DoNotOptimize(policy);
  }
}
BENCHMARK(BM_Load)->Arg(100'000)->Arg(1'000'000)->Iterations(3)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace ebbgate::policy
