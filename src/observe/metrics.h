// The numbers of the gateway. Each worker counts in memory of its own, without a lock or a bus
// transaction; a scrape adds the workers up and writes the Prometheus text (docs/metrics.md).
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/reason.h"
#include "observe/process_stats.h"
#include "observe/record.h"

namespace ebbgate::observe {

// A number that one thread writes and any thread reads; hence no read-modify-write instruction.
class Counter {
 public:
  void add(std::uint64_t amount = 1) {
    value_.store(value_.load(std::memory_order_relaxed) + amount, std::memory_order_relaxed);
  }
  [[nodiscard]] std::uint64_t value() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<std::uint64_t> value_{0};
};

// The same for a number that goes both ways.
class Gauge {
 public:
  void add(std::int64_t amount = 1) { set(value() + amount); }
  void sub(std::int64_t amount = 1) { set(value() - amount); }
  void set(std::int64_t value) { value_.store(value, std::memory_order_relaxed); }
  [[nodiscard]] std::int64_t value() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<std::int64_t> value_{0};
};

// Durations in buckets that suit a connect and a request alike.
class Histogram {
 public:
  struct Bound {
    Duration upper;
    std::string_view seconds;
  };
  static constexpr std::array kBounds = {
      Bound{std::chrono::microseconds(500), "0.0005"},
      Bound{std::chrono::milliseconds(1), "0.001"},
      Bound{std::chrono::microseconds(2500), "0.0025"},
      Bound{std::chrono::milliseconds(5), "0.005"},
      Bound{std::chrono::milliseconds(10), "0.01"},
      Bound{std::chrono::milliseconds(25), "0.025"},
      Bound{std::chrono::milliseconds(50), "0.05"},
      Bound{std::chrono::milliseconds(100), "0.1"},
      Bound{std::chrono::milliseconds(250), "0.25"},
      Bound{std::chrono::milliseconds(500), "0.5"},
      Bound{std::chrono::seconds(1), "1"},
      Bound{std::chrono::milliseconds(2500), "2.5"},
      Bound{std::chrono::seconds(5), "5"},
      Bound{std::chrono::seconds(10), "10"},
      Bound{std::chrono::seconds(30), "30"},
  };
  static constexpr std::size_t kBuckets = kBounds.size() + 1;  // the last one has no bound

  void observe(Duration duration);
  [[nodiscard]] std::uint64_t bucket(std::size_t index) const { return buckets_[index].value(); }
  [[nodiscard]] std::uint64_t nanoseconds() const { return nanoseconds_.value(); }

 private:
  std::array<Counter, kBuckets> buckets_;
  Counter nanoseconds_;
};

// The label `method`: what kind of request it was, a set that clients cannot grow.
enum class MethodKind : std::uint8_t { kConnect, kOther, kNone };
inline constexpr std::array<std::string_view, 3> kMethodKinds = {"CONNECT", "other", "none"};
inline constexpr std::array<std::string_view, 3> kVerdicts = {"ALLOW", "DENY", "REPORT"};

// The label `presence`: what was known of a client's address (identity::Presence, in its order).
inline constexpr std::array<std::string_view, 6> kPresences = {"pod",     "ambiguous", "node",
                                                               "awaited", "unknown",   "stale"};

// One worker's numbers. Written by that worker's thread only.
struct alignas(64) WorkerMetrics {
  // Counts an event: its verdict, reason, octets and durations. A tunnel counts as a request when
  // it opens, and its octets when it closes.
  void count(const Record& record);

  [[nodiscard]] const Counter& requests(Verdict verdict, Reason reason, MethodKind kind) const {
    return requests_[request_index(verdict, reason, kind)];
  }

  Counter connections;     // accepted from clients
  Gauge connections_open;  // of clients
  Gauge tunnels_open;      // between kOpen and kClose; count() keeps it
  Counter bytes_in;        // from clients
  Counter bytes_out;       // to clients
  Counter dns_queries;     // asked of a server
  Counter dns_cache_hits;
  Counter dns_failures;
  Counter origin_connections;  // dialed and connected
  Counter origin_reuses;       // requests that went over a kept origin connection
  Gauge accept_paused;         // 1 while this worker accepts nothing for want of descriptors
  Counter accept_pauses;
  std::array<Counter, kPresences.size()> kube_lookups;
  Counter kube_waits;     // requests that waited for their pod
  Counter out_of_memory;  // allocations that failed and were survived
  Counter log_events;     // queued
  Counter log_queued_bytes;
  Counter log_dropped;  // events of requests that were let pass
  Counter log_folded;   // refusals that stand in another's event
  Counter log_refusals_waited;
  Counter log_refusals_unanswered;
  Counter tap_dropped_refusals;  // that the second reader was too slow for
  Counter tap_dropped_others;
  Histogram connect_duration;
  Histogram request_duration;  // of kRequest events; tunnels last as long as they like

 private:
  static constexpr std::size_t request_index(Verdict verdict, Reason reason, MethodKind kind) {
    return (static_cast<std::size_t>(verdict) * kReasons.size() +
            static_cast<std::size_t>(reason)) *
               kMethodKinds.size() +
           static_cast<std::size_t>(kind);
  }
  std::array<Counter, kVerdicts.size() * kReasons.size() * kMethodKinds.size()> requests_;
};

// Written by the thread that loads policies.
struct alignas(64) PolicyMetrics {
  Gauge generation;               // of the policy in force; 0: there was never one
  Gauge entries;                  // of the policy in force
  Gauge entries_expiring;         // of those with `expires`: within a week; set at each scrape
  Gauge entries_expired;          // and those that match nothing any more
  Gauge loaded_at;                // of the policy in force, seconds since the epoch
  Gauge last_reload_succeeded{};  // 1 or 0
  Gauge last_load_nanoseconds;    // of a reload
  Counter reloads_succeeded;
  Counter reloads_failed;
};

// Written by the log writer's threads.
struct alignas(64) LogMetrics {
  Counter written_bytes;
  Counter write_errors;  // writes, and openings, that failed
  Counter syncs;         // of the file to its disk
  Counter sync_errors;
};

struct BuildInfo {
  std::string version;
  std::string revision;
};

// What a gateway does as one of a fleet, and to tell people of refusals. Written by the control
// loop's thread, but for what the thread of the spool writes.
struct alignas(64) FleetMetrics {
  Gauge address_claimed;   // 1 once the gateway has an Elastic IP of its own
  Counter address_losses;  // of several that claimed one, another got it
  Gauge is_leaving;        // 1 once the instance was told to end

  Counter shipped_events;   // CloudWatch has them
  Counter ship_failures;    // calls, after their retries
  Counter rejected_events;  // too old or too new for CloudWatch
  Counter alerts_sent;
  Counter alert_failures;  // calls, after their retries
  Counter alerts_dropped;  // because too many waited

  // Written by the spool's thread.
  Gauge spool_bytes;
  Counter spool_errors;  // of the disk
  Counter spool_dropped_refusals;
  Counter spool_dropped_others;
};

// A source of policies at the moment of a scrape.
struct SourceStatus {
  std::string name;                   // its URL
  std::string version;                // of the policy that it gave, as it calls it
  std::optional<Duration> age;        // since it was last confirmed; nothing: it never gave one
  std::uint64_t failures_in_row = 0;  // attempts
  std::uint64_t fetches = 0;          // attempts
  std::uint64_t errors = 0;           // of these
  std::uint64_t accepted = 0;         // policies that came into force
};

// The cluster whose pods and policies these are, at the moment of a scrape.
struct ClusterStatus {
  struct Watch {
    std::string kind;                  // `pods`
    Duration lost = Duration::zero();  // since when nothing is heard of it; zero: all is well
    std::uint64_t failures = 0;        // of lists and streams
    std::uint64_t events = 0;
  };
  struct Policies {
    std::string state;  // `in-force`, `kept`, `closed`, `missing`, `held-up`
    std::size_t count = 0;
  };
  std::vector<Watch> watches;
  std::vector<Policies> policies;
  std::size_t pods = 0;
  std::size_t pods_outside = 0;  // with an address that is not where pods are said to be
  std::size_t ambiguous_addresses = 0;
  std::size_t gateways = 0;  // that live, this one among them
  bool is_reporter = false;
  std::uint64_t statuses_written = 0;
  std::uint64_t status_failures = 0;
};

enum class Exposition : std::uint8_t { kPrometheus, kOpenMetrics };

// The content type of each (Prometheus exposition formats 0.0.4, OpenMetrics 1.0.0).
[[nodiscard]] std::string_view content_type(Exposition exposition);

class Metrics {
 public:
  Metrics(std::size_t workers, BuildInfo build);

  [[nodiscard]] std::size_t workers() const { return workers_.size(); }
  [[nodiscard]] WorkerMetrics& worker(std::size_t index) { return *workers_[index]; }
  [[nodiscard]] PolicyMetrics& policy() { return policy_; }
  [[nodiscard]] LogMetrics& log() { return log_; }
  [[nodiscard]] FleetMetrics& fleet() { return fleet_; }
  [[nodiscard]] const BuildInfo& build() const { return build_; }

  // The sums that CloudWatch gets. Any thread.
  struct Totals {
    std::uint64_t requests = 0;
    std::uint64_t denied = 0;
    std::int64_t tunnels_open = 0;
  };
  [[nodiscard]] Totals totals() const;

  // Everything as text, the workers added up. Any thread.
  [[nodiscard]] std::string exposition(Exposition exposition, const ProcessStats& process,
                                       std::span<const SourceStatus> sources = {},
                                       const ClusterStatus* cluster = nullptr) const;

 private:
  BuildInfo build_;
  std::vector<std::unique_ptr<WorkerMetrics>> workers_;
  PolicyMetrics policy_;
  LogMetrics log_;
  FleetMetrics fleet_;
};

}  // namespace ebbgate::observe
