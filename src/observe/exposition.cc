// Metrics::exposition: which families there are, and what is added up for each. docs/metrics.md
// lists the same, and a test compares the two.
#include <algorithm>

#include "observe/detail/exposition_writer.h"
#include "observe/metrics.h"

namespace ebbgate::observe {
namespace {

struct CounterFamily {
  std::string_view name;
  std::string_view help;
  Counter WorkerMetrics::* counter;
};

struct GaugeFamily {
  std::string_view name;
  std::string_view help;
  Gauge WorkerMetrics::* gauge;
};

constexpr std::array kWorkerCounters = {
    CounterFamily{"ebbgate_connections", "Connections accepted from clients.",
                  &WorkerMetrics::connections},
    CounterFamily{"ebbgate_origin_connections", "Connections made to origins.",
                  &WorkerMetrics::origin_connections},
    CounterFamily{"ebbgate_origin_reuses", "Requests sent over a kept connection to an origin.",
                  &WorkerMetrics::origin_reuses},
    CounterFamily{"ebbgate_dns_queries", "Names asked of a DNS server.",
                  &WorkerMetrics::dns_queries},
    CounterFamily{"ebbgate_dns_cache_hits", "Names answered from the cache.",
                  &WorkerMetrics::dns_cache_hits},
    CounterFamily{"ebbgate_dns_failures", "Names that did not resolve.",
                  &WorkerMetrics::dns_failures},
    CounterFamily{"ebbgate_accept_pauses", "Times that accepting paused for want of descriptors.",
                  &WorkerMetrics::accept_pauses},
    CounterFamily{"ebbgate_out_of_memory", "Allocations that failed and were survived.",
                  &WorkerMetrics::out_of_memory},
    CounterFamily{"ebbgate_log_events", "Events queued for the access log.",
                  &WorkerMetrics::log_events},
    CounterFamily{"ebbgate_log_dropped_events",
                  "Events of requests that were let pass, dropped because the queue was full.",
                  &WorkerMetrics::log_dropped},
    CounterFamily{"ebbgate_log_folded_refusals",
                  "Refusals that are counted in another refusal's event.",
                  &WorkerMetrics::log_folded},
    CounterFamily{"ebbgate_log_refusals_waited",
                  "Refused clients that waited for room in the queue.",
                  &WorkerMetrics::log_refusals_waited},
    CounterFamily{
        "ebbgate_log_refusals_unanswered",
        "Refused clients that were closed without an answer because the queue stayed full.",
        &WorkerMetrics::log_refusals_unanswered},
};

constexpr std::array kWorkerGauges = {
    GaugeFamily{"ebbgate_connections_open", "Connections of clients that are open.",
                &WorkerMetrics::connections_open},
    GaugeFamily{"ebbgate_tunnels_open", "Tunnels that are open.", &WorkerMetrics::tunnels_open},
    GaugeFamily{"ebbgate_accept_paused_workers",
                "Workers that accept nothing at the moment for want of descriptors.",
                &WorkerMetrics::accept_paused},
};

// A sum over the workers of what `read(worker)` gives.
template <typename Workers, typename Read>
auto sum_of(const Workers& workers, Read read) {
  decltype(read(*workers.front())) sum{};
  for (const auto& worker : workers) sum += read(*worker);
  return sum;
}

template <typename Workers>
std::uint64_t sum_of(const Workers& workers, Counter WorkerMetrics::* counter) {
  return sum_of(workers,
                [counter](const WorkerMetrics& worker) { return (worker.*counter).value(); });
}

template <typename Workers>
void write_requests(ExpositionWriter& out, const Workers& workers) {
  out.counter("ebbgate_requests", "Requests by verdict, reason and kind of method.");
  std::array<std::uint64_t, kReasons.size()> denied{};
  for (const Verdict verdict : {Verdict::kAllow, Verdict::kDeny, Verdict::kReport}) {
    for (const ReasonInfo& reason : kReasons) {
      for (const MethodKind kind : {MethodKind::kConnect, MethodKind::kOther, MethodKind::kNone}) {
        const std::uint64_t sum = sum_of(workers, [&](const WorkerMetrics& worker) {
          return worker.requests(verdict, reason.reason, kind).value();
        });
        if (verdict == Verdict::kDeny) denied[static_cast<std::size_t>(reason.reason)] += sum;
        // The set is large and most of it never happens; what is allowed is shown from the start.
        if (sum == 0 && (verdict != Verdict::kAllow || reason.reason != Reason::kAllowed)) continue;
        out.sample({{"verdict", word(verdict)},
                    {"reason", reason.word},
                    {"method", kMethodKinds[static_cast<std::size_t>(kind)]}},
                   sum);
      }
    }
  }
  out.counter("ebbgate_denied", "Requests that were refused, by reason.");
  for (const ReasonInfo& reason : kReasons) {
    if (reason.reason == Reason::kAllowed) continue;
    out.sample({{"reason", reason.word}}, denied[static_cast<std::size_t>(reason.reason)]);
  }
}

template <typename Workers>
void write_histogram(ExpositionWriter& out, const Workers& workers, std::string_view name,
                     std::string_view help, Histogram WorkerMetrics::* histogram) {
  out.histogram(name, help);
  std::uint64_t up_to_here = 0;
  for (std::size_t i = 0; i < Histogram::kBuckets; ++i) {
    up_to_here +=
        sum_of(workers, [&](const WorkerMetrics& worker) { return (worker.*histogram).bucket(i); });
    const bool is_last = i == Histogram::kBounds.size();
    out.part("_bucket", {{"le", is_last ? "+Inf" : Histogram::kBounds[i].seconds}}, up_to_here);
  }
  out.part_seconds("_sum", sum_of(workers, [&](const WorkerMetrics& worker) {
                     return (worker.*histogram).nanoseconds();
                   }));
  out.part("_count", {}, up_to_here);
}

void write_fleet(ExpositionWriter& out, const FleetMetrics& fleet,
                 std::uint64_t tap_dropped_refusals, std::uint64_t tap_dropped_others) {
  const auto counter = [&out](std::string_view name, std::string_view help, const Counter& value) {
    out.counter(name, help);
    out.sample({}, value.value());
  };
  const auto gauge = [&out](std::string_view name, std::string_view help, const Gauge& value) {
    out.gauge(name, help);
    out.sample({}, value.value());
  };
  gauge("ebbgate_fleet_address_claimed", "Whether the gateway has an Elastic IP of its own.",
        fleet.address_claimed);
  counter("ebbgate_fleet_address_losses", "Elastic IPs that another instance claimed first.",
          fleet.address_losses);
  gauge("ebbgate_fleet_leaving", "Whether the instance was told to end.", fleet.is_leaving);
  counter("ebbgate_ship_events", "Events that CloudWatch has taken.", fleet.shipped_events);
  counter("ebbgate_ship_failures", "Calls to CloudWatch that failed after their retries.",
          fleet.ship_failures);
  counter("ebbgate_ship_rejected_events", "Events that were too old or too new for CloudWatch.",
          fleet.rejected_events);
  gauge("ebbgate_ship_spool_bytes", "Octets that wait on the disk for CloudWatch.",
        fleet.spool_bytes);
  counter("ebbgate_ship_spool_errors", "Failures to read or write the spool.", fleet.spool_errors);
  out.counter("ebbgate_ship_dropped", "Requests whose events were not shipped for want of room.");
  out.sample({{"verdict", "DENY"}}, tap_dropped_refusals + fleet.spool_dropped_refusals.value());
  out.sample({{"verdict", "other"}}, tap_dropped_others + fleet.spool_dropped_others.value());
  counter("ebbgate_alerts_sent", "Alerts that were sent.", fleet.alerts_sent);
  counter("ebbgate_alert_failures", "Attempts to send an alert that failed.", fleet.alert_failures);
  counter("ebbgate_alerts_dropped", "Alerts that were not sent because too many waited.",
          fleet.alerts_dropped);
}

void write_process(ExpositionWriter& out, const ProcessStats& process) {
  const auto gauge = [&out](std::string_view name, std::string_view help, const auto& value) {
    if (!value) return;
    out.gauge(name, help);
    out.sample({}, *value);
  };
  if (process.cpu_seconds) {
    out.counter("process_cpu_seconds", "User and system CPU time spent, in seconds.");
    out.sample({}, *process.cpu_seconds);
  }
  gauge("process_start_time_seconds", "Start of the process, in seconds since the epoch.",
        process.start_time);
  gauge("process_resident_memory_bytes", "Resident memory.", process.resident_bytes);
  gauge("process_virtual_memory_bytes", "Virtual memory.", process.virtual_bytes);
  gauge("process_open_fds", "Open file descriptors.", process.open_fds);
  gauge("process_max_fds", "Open file descriptors that the process may have.", process.max_fds);
}

void write_sources(ExpositionWriter& out, std::span<const SourceStatus> sources) {
  const auto each = [&](auto value) {
    for (const SourceStatus& source : sources) {
      out.sample({{"source", source.name}}, value(source));
    }
  };
  out.gauge("ebbgate_policy_source_info", "1; the labels tell which policy a source gave last.");
  for (const SourceStatus& source : sources) {
    out.sample({{"source", source.name}, {"version", source.version}}, std::uint64_t{1});
  }
  out.gauge("ebbgate_policy_source_age_seconds",
            "Time since the source was known to hold the policy in force.");
  for (const SourceStatus& source : sources) {
    if (!source.age) continue;
    out.sample({{"source", source.name}}, std::chrono::duration<double>(*source.age).count());
  }
  out.gauge("ebbgate_policy_source_failures_in_row", "Attempts that failed since one succeeded.");
  each([](const SourceStatus& source) { return source.failures_in_row; });
  out.counter("ebbgate_policy_source_fetches", "Attempts to ask the source.");
  each([](const SourceStatus& source) { return source.fetches; });
  out.counter("ebbgate_policy_source_errors", "Attempts that failed, refused policies among them.");
  each([](const SourceStatus& source) { return source.errors; });
  out.counter("ebbgate_policy_source_accepted", "Policies of the source that came into force.");
  each([](const SourceStatus& source) { return source.accepted; });
}

template <typename Workers>
void write_lookups(ExpositionWriter& out, const Workers& workers) {
  out.counter("ebbgate_kube_lookups",
              "Requests by what was known of the pod behind their address.");
  for (std::size_t i = 0; i < kPresences.size(); ++i) {
    out.sample({{"presence", kPresences[i]}}, sum_of(workers, [i](const WorkerMetrics& worker) {
                 return worker.kube_lookups[i].value();
               }));
  }
  out.counter("ebbgate_kube_waits", "Requests that waited for the pod behind their address.");
  out.sample({}, sum_of(workers, &WorkerMetrics::kube_waits));
}

void write_cluster(ExpositionWriter& out, const ClusterStatus& cluster) {
  out.gauge("ebbgate_kube_watch_lost_seconds",
            "Time since anything was heard of a kind of object; 0 while its watch is there.");
  for (const ClusterStatus::Watch& watch : cluster.watches) {
    out.sample({{"kind", watch.kind}}, std::chrono::duration<double>(watch.lost).count());
  }
  out.counter("ebbgate_kube_watch_failures", "Lists and watches that failed.");
  for (const auto& watch : cluster.watches) out.sample({{"kind", watch.kind}}, watch.failures);
  out.counter("ebbgate_kube_watch_events", "Changes that watches told of.");
  for (const auto& watch : cluster.watches) out.sample({{"kind", watch.kind}}, watch.events);
  const auto gauge = [&](std::string_view name, std::string_view help, std::uint64_t value) {
    out.gauge(name, help);
    out.sample({}, value);
  };
  gauge("ebbgate_kube_pods", "Pods with an address.", cluster.pods);
  gauge("ebbgate_kube_pods_outside", "Pods with an address outside of --pod-cidr.",
        cluster.pods_outside);
  gauge("ebbgate_kube_ambiguous_addresses", "Addresses that several pods claim.",
        cluster.ambiguous_addresses);
  out.gauge("ebbgate_kube_policies", "Policies of the cluster, by what became of them.");
  for (const auto& each : cluster.policies) {
    out.sample({{"state", each.state}}, std::uint64_t{each.count});
  }
  gauge("ebbgate_kube_gateways", "Gateways of the cluster that live.", cluster.gateways);
  gauge("ebbgate_kube_reporter", "1 where this gateway writes the status of policies.",
        cluster.is_reporter ? 1 : 0);
  out.counter("ebbgate_kube_statuses", "Statuses of policies that were written.");
  out.sample({}, cluster.statuses_written);
  out.counter("ebbgate_kube_status_failures", "Statuses that could not be written.");
  out.sample({}, cluster.status_failures);
}

}  // namespace

std::string_view content_type(Exposition exposition) {
  return exposition == Exposition::kPrometheus
             ? "text/plain; version=0.0.4; charset=utf-8"
             : "application/openmetrics-text; version=1.0.0; charset=utf-8";
}

Metrics::Totals Metrics::totals() const {
  Totals sum;
  for (const auto& worker : workers_) {
    sum.tunnels_open += worker->tunnels_open.value();
    for (const Verdict verdict : {Verdict::kAllow, Verdict::kDeny, Verdict::kReport}) {
      for (const ReasonInfo& reason : kReasons) {
        for (const MethodKind kind :
             {MethodKind::kConnect, MethodKind::kOther, MethodKind::kNone}) {
          const std::uint64_t count = worker->requests(verdict, reason.reason, kind).value();
          sum.requests += count;
          if (verdict == Verdict::kDeny) sum.denied += count;
        }
      }
    }
  }
  return sum;
}

std::string Metrics::exposition(Exposition exposition, const ProcessStats& process,
                                std::span<const SourceStatus> sources,
                                const ClusterStatus* cluster) const {
  ExpositionWriter out(exposition);
  out.gauge("ebbgate_build_info", "1; the labels tell what is running.");
  out.sample({{"version", build_.version}, {"revision", build_.revision}}, std::uint64_t{1});
  out.gauge("ebbgate_workers", "Worker threads.");
  out.sample({}, std::uint64_t{workers_.size()});

  write_requests(out, workers_);
  for (const CounterFamily& family : kWorkerCounters) {
    out.counter(family.name, family.help);
    out.sample({}, sum_of(workers_, family.counter));
  }
  for (const GaugeFamily& family : kWorkerGauges) {
    out.gauge(family.name, family.help);
    out.sample({}, sum_of(workers_, [&](const WorkerMetrics& worker) {
                 return (worker.*family.gauge).value();
               }));
  }
  out.counter("ebbgate_bytes", "Octets exchanged with clients: in, from them; out, to them.");
  out.sample({{"direction", "in"}}, sum_of(workers_, &WorkerMetrics::bytes_in));
  out.sample({{"direction", "out"}}, sum_of(workers_, &WorkerMetrics::bytes_out));
  write_histogram(out, workers_, "ebbgate_connect_duration_seconds",
                  "Time from the first dial to an origin's connection.",
                  &WorkerMetrics::connect_duration);
  write_histogram(out, workers_, "ebbgate_request_duration_seconds",
                  "Time of a request, tunnels that were let pass excepted.",
                  &WorkerMetrics::request_duration);

  out.gauge("ebbgate_policy_generation", "Policies put in force since the start; 0: none yet.");
  out.sample({}, policy_.generation.value());
  out.gauge("ebbgate_policy_entries", "Entries of the policy in force.");
  out.sample({}, policy_.entries.value());
  out.gauge("ebbgate_policy_entries_expiring", "Entries that expire within a week.");
  out.sample({}, policy_.entries_expiring.value());
  out.gauge("ebbgate_policy_entries_expired", "Entries that have expired and match nothing.");
  out.sample({}, policy_.entries_expired.value());
  out.gauge("ebbgate_policy_loaded_timestamp_seconds",
            "When the policy in force was loaded, in seconds since the epoch.");
  out.sample({}, policy_.loaded_at.value());
  out.gauge("ebbgate_policy_last_reload_successful",
            "Whether the last loading of a policy worked.");
  out.sample({}, policy_.last_reload_succeeded.value());
  out.gauge("ebbgate_policy_load_seconds", "How long the last reload of the policy took.");
  out.sample({}, std::chrono::duration<double>(
                     std::chrono::nanoseconds(policy_.last_load_nanoseconds.value()))
                     .count());
  out.counter("ebbgate_policy_reloads", "Loadings of a policy, by result.");
  out.sample({{"result", "success"}}, policy_.reloads_succeeded.value());
  out.sample({{"result", "failure"}}, policy_.reloads_failed.value());

  if (!sources.empty()) write_sources(out, sources);
  if (cluster != nullptr) {
    write_cluster(out, *cluster);
    write_lookups(out, workers_);
  }

  // Read in this order, the queue is never shown to hold less than nothing.
  const std::uint64_t written = log_.written_bytes.value();
  const std::uint64_t queued = sum_of(workers_, &WorkerMetrics::log_queued_bytes);
  out.gauge("ebbgate_log_queue_bytes", "Octets of the access log that are not written yet.");
  out.sample({}, std::max(queued, written) - written);
  out.counter("ebbgate_log_written_bytes", "Octets of the access log that were written.");
  out.sample({}, written);
  out.counter("ebbgate_log_write_errors", "Failures to write or to open the access log.");
  out.sample({}, log_.write_errors.value());
  out.counter("ebbgate_log_syncs", "Times that refusals were brought onto the disk.");
  out.sample({}, log_.syncs.value());
  out.counter("ebbgate_log_sync_errors", "Failures to bring refusals onto the disk.");
  out.sample({}, log_.sync_errors.value());

  write_fleet(out, fleet_, sum_of(workers_, &WorkerMetrics::tap_dropped_refusals),
              sum_of(workers_, &WorkerMetrics::tap_dropped_others));
  write_process(out, process);
  return out.finish();
}

}  // namespace ebbgate::observe
