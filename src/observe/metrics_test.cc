#include "observe/metrics.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <regex>
#include <set>
#include <sstream>
#include <thread>

#include "observe/detail/exposition_writer.h"
#include "observe/detail/testing.h"

namespace ebbgate::observe {
namespace {

using namespace std::chrono_literals;

// A strict reader of the two text formats: one family after the other, HELP and TYPE before the
// samples, names and labels as the grammar has them, no sample twice, histograms that add up.
class Scrape {
 public:
  Scrape(const std::string& text, Exposition exposition) : exposition_(exposition) {
    EXPECT_TRUE(text.ends_with('\n'));
    std::istringstream lines(text);
    for (std::string line; std::getline(lines, line);) read(line);
    EXPECT_EQ(ended_, exposition == Exposition::kOpenMetrics);
    for (const auto& [family, type] : types_) {
      if (type == "histogram") check_histogram(family);
    }
  }

  [[nodiscard]] double operator[](const std::string& sample) const {
    const auto found = samples_.find(sample);
    EXPECT_NE(found, samples_.end()) << sample;
    return found == samples_.end() ? -1 : found->second;
  }
  [[nodiscard]] bool has(const std::string& sample) const { return samples_.contains(sample); }
  [[nodiscard]] const std::map<std::string, std::string>& types() const { return types_; }

 private:
  void read(const std::string& line) {
    static const std::regex help("# HELP ([a-z_]+) .+\\.");
    static const std::regex type("# TYPE ([a-z_]+) (counter|gauge|histogram)");
    static const std::regex sample(
        R"re(([a-z_]+)(\{([a-z]+="[^"\\]*",?)+\})? (-?[0-9]+(\.[0-9]+)?))re");
    EXPECT_FALSE(ended_) << line;
    std::smatch match;
    if (line == "# EOF") {
      ended_ = true;
    } else if (std::regex_match(line, match, help)) {
      family_ = match[1];
      EXPECT_FALSE(types_.contains(family_)) << line;
    } else if (std::regex_match(line, match, type)) {
      EXPECT_EQ(match[1], family_);
      types_[family_] = match[2];
    } else if (std::regex_match(line, match, sample)) {
      check_name(match[1]);
      EXPECT_TRUE(samples_.emplace(match[1].str() + match[2].str(), std::stod(match[4])).second)
          << line;
    } else {
      ADD_FAILURE() << "not a line of the format: " << line;
    }
  }
  void check_name(const std::string& name) {
    const std::string type = types_[family_];
    std::set<std::string> names = {family_};
    if (type == "histogram") names = {family_ + "_bucket", family_ + "_sum", family_ + "_count"};
    if (type == "counter") {
      names = {exposition_ == Exposition::kOpenMetrics ? family_ + "_total" : family_};
      EXPECT_TRUE(name.ends_with("_total")) << name;
    }
    EXPECT_TRUE(names.contains(name)) << name << " in " << family_;
  }
  void check_histogram(const std::string& family) {
    double last = 0;
    for (const Histogram::Bound& bound : Histogram::kBounds) {
      const double value = (*this)[family + "_bucket{le=\"" + std::string(bound.seconds) + "\"}"];
      EXPECT_GE(value, last);
      last = value;
    }
    EXPECT_EQ((*this)[family + "_bucket{le=\"+Inf\"}"], (*this)[family + "_count"]);
  }

  const Exposition exposition_;
  std::map<std::string, std::string> types_;
  std::map<std::string, double> samples_;
  std::string family_;
  bool ended_ = false;
};

ProcessStats some_process() {
  return {.cpu_seconds = 1.25,
          .start_time = 1785542399.5,
          .resident_bytes = 1,
          .virtual_bytes = 2,
          .open_fds = 3,
          .max_fds = 4};
}

std::string text_of(const Metrics& metrics, Exposition exposition = Exposition::kPrometheus) {
  const std::array sources = {SourceStatus{
      .name = "ssm:///list", .version = "3", .age = 5s, .failures_in_row = 0, .fetches = 2}};
  const ClusterStatus cluster{
      .watches = {{.kind = "pods", .lost = 90s, .failures = 2, .events = 7}},
      .policies = {{.state = "kept", .count = 3}},
      .pods = 40,
      .pods_outside = 6,
      .ambiguous_addresses = 1,
      .gateways = 2,
      .is_reporter = true,
      .statuses_written = 5};
  return metrics.exposition(exposition, some_process(), sources, &cluster);
}

Scrape scrape(const Metrics& metrics, Exposition exposition = Exposition::kPrometheus) {
  return {text_of(metrics, exposition), exposition};
}

// Two workers that have seen something of everything.
void use(Metrics& metrics) {
  Record record = full_record();
  for (std::size_t i = 0; i < 2; ++i) {
    WorkerMetrics& worker = metrics.worker(i);
    for (const Phase phase : {Phase::kOpen, Phase::kClose}) {
      record.phase = phase;
      record.count = 1;
      record.reason = phase == Phase::kOpen ? Reason::kAllowed : Reason::kOriginClosed;
      worker.count(record);
    }
    Record refusal = refusal_of("a.example");
    refusal.duration = 700us;
    refusal.bytes_out = 100;
    worker.count(refusal);
    refusal.method = "GET";
    worker.count(refusal);
    worker.connections.add(3);
    worker.connections_open.add(3);
    worker.connections_open.sub();
    worker.log_queued_bytes.add(50);
  }
  record.phase = Phase::kOpen;
  metrics.worker(1).count(record);
  metrics.log().written_bytes.add(70);
}

TEST(Metrics, TellOfTheClusterWhereThereIsOne) {
  Metrics metrics(2, {});
  metrics.worker(0).kube_lookups[0].add(3);
  metrics.worker(1).kube_lookups[0].add();
  metrics.worker(1).kube_lookups[5].add(2);
  metrics.worker(1).kube_waits.add(6);
  const Scrape seen = scrape(metrics);
  EXPECT_EQ(seen["ebbgate_kube_lookups_total{presence=\"pod\"}"], 4);
  EXPECT_EQ(seen["ebbgate_kube_lookups_total{presence=\"stale\"}"], 2);
  EXPECT_EQ(seen["ebbgate_kube_waits_total"], 6);
  EXPECT_EQ(seen["ebbgate_kube_watch_lost_seconds{kind=\"pods\"}"], 90);
  EXPECT_EQ(seen["ebbgate_kube_watch_failures_total{kind=\"pods\"}"], 2);
  EXPECT_EQ(seen["ebbgate_kube_policies{state=\"kept\"}"], 3);
  EXPECT_EQ(seen["ebbgate_kube_pods"], 40);
  EXPECT_EQ(seen["ebbgate_kube_pods_outside"], 6);
  EXPECT_EQ(seen["ebbgate_kube_ambiguous_addresses"], 1);
  EXPECT_EQ(seen["ebbgate_kube_reporter"], 1);
  EXPECT_EQ(metrics.exposition(Exposition::kPrometheus, {}).find("_kube_watch"), std::string::npos);
}

TEST(Metrics, AddsUpTheWorkers) {
  Metrics metrics(2, {.version = "1.2.3", .revision = "abc"});
  use(metrics);
  for (const Exposition exposition : {Exposition::kPrometheus, Exposition::kOpenMetrics}) {
    const Scrape seen = scrape(metrics, exposition);
    EXPECT_EQ(seen["ebbgate_build_info{version=\"1.2.3\",revision=\"abc\"}"], 1);
    EXPECT_EQ(seen["ebbgate_workers"], 2);
    const auto requests = [&](const std::string& verdict, const std::string& reason,
                              const std::string& method) {
      return seen["ebbgate_requests_total{verdict=\"" + verdict + "\",reason=\"" + reason +
                  "\",method=\"" + method + "\"}"];
    };
    EXPECT_EQ(requests("ALLOW", "allowed", "CONNECT"), 2);
    EXPECT_EQ(requests("ALLOW", "allowed", "other"), 0);
    EXPECT_EQ(requests("DENY", "not-allowed", "CONNECT"), 2);
    EXPECT_EQ(requests("DENY", "not-allowed", "other"), 2);
    EXPECT_EQ(seen["ebbgate_denied_total{reason=\"not-allowed\"}"], 4);
    EXPECT_EQ(seen["ebbgate_denied_total{reason=\"forbidden-address\"}"], 0);
    EXPECT_EQ(seen["ebbgate_connections_total"], 6);
    EXPECT_EQ(seen["ebbgate_connections_open"], 4);
    EXPECT_EQ(seen["ebbgate_tunnels_open"], 1);
    EXPECT_EQ(seen["ebbgate_bytes_total{direction=\"in\"}"], 2 * 517);
    EXPECT_EQ(seen["ebbgate_bytes_total{direction=\"out\"}"], 2 * 20111 + 4 * 100);
    EXPECT_EQ(seen["ebbgate_connect_duration_seconds_count"], 3);
    EXPECT_NEAR(seen["ebbgate_connect_duration_seconds_sum"], 0.036, 1e-9);
    EXPECT_EQ(seen["ebbgate_connect_duration_seconds_bucket{le=\"0.01\"}"], 0);
    EXPECT_EQ(seen["ebbgate_connect_duration_seconds_bucket{le=\"0.025\"}"], 3);
    EXPECT_EQ(seen["ebbgate_request_duration_seconds_count"], 4);
    EXPECT_EQ(seen["ebbgate_request_duration_seconds_bucket{le=\"0.0005\"}"], 0);
    EXPECT_EQ(seen["ebbgate_request_duration_seconds_bucket{le=\"0.001\"}"], 4);
    EXPECT_EQ(seen["ebbgate_log_queue_bytes"], 30);
    EXPECT_EQ(seen["process_cpu_seconds_total"], 1.25);
    EXPECT_EQ(seen["process_start_time_seconds"], 1785542399.5);
  }
}

TEST(Metrics, CountsFoldedRefusalsByTheirCount) {
  Metrics metrics(1, {});
  Record refusal = refusal_of("a.example");
  refusal.count = 41;
  metrics.worker(0).count(refusal);
  metrics.worker(0).count(refusal_of("a.example"));
  EXPECT_EQ(scrape(metrics)["ebbgate_denied_total{reason=\"not-allowed\"}"], 42);
}

TEST(Metrics, PutsADurationOnABoundIntoItsBucket) {
  Histogram histogram;
  for (std::size_t i = 0; i < Histogram::kBounds.size(); ++i) {
    histogram.observe(Histogram::kBounds[i].upper);
    EXPECT_EQ(histogram.bucket(i), 1U);
    EXPECT_EQ(std::stod(std::string(Histogram::kBounds[i].seconds)) * 1e9,
              static_cast<double>(Histogram::kBounds[i].upper.count()));
  }
  histogram.observe(1h);
  EXPECT_EQ(histogram.bucket(Histogram::kBounds.size()), 1U);
  histogram.observe(-1s);
  EXPECT_EQ(histogram.bucket(0), 2U);
}

TEST(Metrics, LeavesOutWhatProcDoesNotSay) {
  const Metrics metrics(1, {});
  const Scrape seen(metrics.exposition(Exposition::kPrometheus, {}), Exposition::kPrometheus);
  EXPECT_FALSE(seen.has("process_open_fds"));
  EXPECT_TRUE(seen.has("ebbgate_workers"));
}

TEST(Metrics, EscapesLabelValues) {
  ExpositionWriter out(Exposition::kOpenMetrics);
  out.gauge("x", "X.");
  out.sample({{"l", "a\"b\\c\nd"}}, std::int64_t{-7});
  EXPECT_EQ(out.finish(), "# HELP x X.\n# TYPE x gauge\nx{l=\"a\\\"b\\\\c\\nd\"} -7\n# EOF\n");
}

TEST(Metrics, MayBeReadWhileWorkersCount) {
  Metrics metrics(1, {});
  std::thread worker([&] {
    for (int i = 0; i < 20000; ++i) metrics.worker(0).count(refusal_of("a.example"));
  });
  for (int i = 0; i < 20; ++i) (void)text_of(metrics);
  worker.join();
  EXPECT_EQ(scrape(metrics)["ebbgate_denied_total{reason=\"not-allowed\"}"], 20000);
}

TEST(ProcessStats, AreThoseOfThisProcess) {
  const ProcessStats stats = read_process_stats();
  ASSERT_TRUE(stats.cpu_seconds && stats.start_time && stats.resident_bytes && stats.open_fds);
  const double now = static_cast<double>(std::chrono::duration_cast<std::chrono::seconds>(
                                             std::chrono::system_clock::now().time_since_epoch())
                                             .count());
  EXPECT_LT(now - *stats.start_time, 600);
  EXPECT_GT(now - *stats.start_time, -2);
  EXPECT_GT(*stats.resident_bytes, 1U << 20);
  const int fd = ::dup(0);
  EXPECT_EQ(*read_process_stats().open_fds, *stats.open_fds + 1);
  ::close(fd);
}

// docs/metrics.md has one row `| `name` | type | …` for each metric.
TEST(Metrics, AreWhatTheDocumentationLists) {
  Metrics metrics(1, {});
  std::set<std::string> exported;
  for (const auto& [family, type] : scrape(metrics).types()) exported.insert(family);
  EXPECT_EQ(first_column_of(document("metrics.md")), exported);
}

TEST(Metrics, SatisfyPromtool) {
  if (std::system("command -v promtool >/dev/null 2>&1") != 0) {
    GTEST_SKIP() << "promtool is not installed (Debian package prometheus)";
  }
  Metrics metrics(2, {.version = "1", .revision = "abc"});
  use(metrics);
  FILE* promtool = ::popen("promtool check metrics", "w");
  ASSERT_NE(promtool, nullptr);
  const std::string text = text_of(metrics);
  EXPECT_EQ(std::fwrite(text.data(), 1, text.size(), promtool), text.size());
  EXPECT_EQ(::pclose(promtool), 0);
}

}  // namespace
}  // namespace ebbgate::observe
