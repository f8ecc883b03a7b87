// One worker: a thread with its loop, and everything that requests on it need, none of it shared
// but for what the constructor takes. Sessions hold a reference; a worker outlives them.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <unordered_set>
#include <vector>

#include "dns/resolver.h"
#include "identity/pod_index.h"
#include "net/linger.h"
#include "net/listener.h"
#include "net/loop.h"
#include "net/owned_fd.h"
#include "net/relay.h"
#include "net/signal.h"
#include "observe/metrics.h"
#include "observe/request_id.h"
#include "observe/worker_log.h"
#include "proxy/client_counts.h"
#include "proxy/options.h"
#include "proxy/origin_pool.h"
#include "proxy/read_buffer.h"
#include "proxy/snapshot.h"
#include "proxy/who.h"

namespace ebbgate::proxy {

// What the workers share. All of it is safe to use from any of them.
struct Shared {
  const Options& options;
  const Clock& clock;
  const PublishedSnapshot& policy;
  observe::Metrics& metrics;
  observe::AccessLog& log;
  observe::Diagnostics say;        // never empty
  const identity::PodIndex* pods;  // null without --kube
  ClientCounts counts;
};

class TunnelRecord;

class Worker {
 public:
  // `random`: 64 bits for request ids.
  Worker(std::size_t index, Shared& shared, std::unique_ptr<net::Loop> loop,
         std::unique_ptr<dns::Resolver> resolver, std::uint64_t random);
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;
  ~Worker();

  // --- Before start() ------------------------------------------------------------------------
  // Serves the listening socket `fd`, which events call `name`. `others`: the workers among which
  // connections are balanced.
  void listen(int fd, std::string name);
  void balance_with(const std::vector<std::unique_ptr<Worker>>& others) { others_ = &others; }
  void start();

  // --- From any thread -----------------------------------------------------------------------
  // How many clients this worker has; a hint for balancing.
  [[nodiscard]] std::uint32_t clients() const { return clients_.load(std::memory_order_relaxed); }
  // How many sessions and tunnels are left.
  [[nodiscard]] std::size_t busy() const { return busy_.load(std::memory_order_relaxed); }
  // Judges live tunnels by the policy in force: --on-policy-change says what becomes of those that
  // it refuses.
  void judge_tunnels();
  // The index of pods has published something: wakes requests that wait for it, and judges tunnels
  // as above, by who their clients are now, once each kPodsPause at most.
  static constexpr Duration kPodsPause = std::chrono::seconds(10);
  void pods_changed();
  // What becomes of the listening sockets in the end.
  enum class Listeners : bool { kClose, kLeave };
  // Stops accepting. kClose closes the sockets, and the connections that are between two requests;
  // kLeave leaves the sockets to another process that holds them, too, and connections be.
  void stop_accepting(Listeners how);
  // From now on, answers say `Connection: close`.
  void drain(Listeners how);
  // The hard stop: everything that is still open is ended, then the thread.
  void stop();
  void join();

  // --- From the worker's thread --------------------------------------------------------------
  // The policy in force; null where there was never one.
  [[nodiscard]] const SnapshotPtr& policy() { return subscription_.current(); }
  [[nodiscard]] std::uint64_t policy_generation() const { return subscription_.generation(); }
  [[nodiscard]] bool is_draining() const { return is_draining_; }
  // Whether a connection that waits for its next request is to be closed.
  [[nodiscard]] bool closes_idle() const { return closes_idle_; }
  [[nodiscard]] const Options& options() const { return shared.options; }
  [[nodiscard]] const std::string& listener_name(std::size_t listener) const {
    return listener_names_[listener];
  }
  // Serves a client that was accepted here or handed over by another worker.
  void adopt(net::OwnedFd fd, const Endpoint& from, std::size_t listener);

  // Streams that wait for their next request, so that draining can end the wait.
  void add_idle(net::Stream& stream) { idle_.insert(&stream); }
  void remove_idle(net::Stream& stream) { idle_.erase(&stream); }

  // What a conversation that began then and becomes a tunnel now is to be told: when it ends, if
  // the tunnels were judged meanwhile and this one is refused.
  [[nodiscard]] Deadline notice_for(const TunnelRecord& record, MonotonicTime began);

  // Brings the count of questions put to name servers up to date.
  void note_dns_queries();

  // Counts sessions and tunnels, so that the end of the last one is noticed.
  void entered();
  void left();

  // Queues the event of a refusal, as WorkerLog::try_queue.
  [[nodiscard]] bool try_queue_refusal(const observe::Record& record);

  Shared& shared;

 private:
  std::unique_ptr<net::Loop> loop_owner_;

 public:
  net::Loop& loop;
  BlockPool blocks;
  OriginPool origins;
  net::RelaySet relay;
  net::LingerSet linger;
  observe::WorkerMetrics& metrics;
  observe::WorkerLog& log;
  observe::RequestIdSource ids;
  net::Signal log_has_room;
  const std::unique_ptr<Who> who;  // null without --kube
  [[nodiscard]] dns::Resolver& resolver() { return *resolver_; }

 private:
  void on_accept(int fd, const Endpoint& from, std::size_t listener);
  [[nodiscard]] Worker* less_loaded();
  void on_exhausted(bool is_exhausted, int error);
  static void on_relief(void* self);
  static void on_log_tick(void* self);
  void begin_judging();
  void judge_some();
  static void on_pods_judged(void* self);
  static void on_judging(void* self);
  void finish_if_idle();
  [[nodiscard]] Deadline end_of_refused() const;

  const std::size_t index_;
  std::unique_ptr<dns::Resolver> resolver_;
  Subscription<Snapshot> subscription_;
  const std::vector<std::unique_ptr<Worker>>* others_ = nullptr;
  std::vector<std::unique_ptr<net::Listener>> listeners_;
  std::vector<std::string> listener_names_;
  std::unordered_set<net::Stream*> idle_;
  net::Timer log_tick_{&Worker::on_log_tick, this};
  int paused_listeners_ = 0;
  bool pause_was_told_ = false;
  net::Timer relief_{&Worker::on_relief, this};
  std::atomic<std::uint32_t> clients_{0};
  std::atomic<std::size_t> busy_{0};
  std::optional<MonotonicTime> tunnels_judged_;  // when the last judgement began
  Deadline end_of_judged_ = Deadline::never();   // of those that it refuses
  net::Timer judging_{&Worker::on_judging, this};
  net::Timer pods_judged_{&Worker::on_pods_judged, this};
  std::atomic<bool> pods_are_due_{false};
  std::uint64_t dns_queries_noted_ = 0;
  std::uint32_t next_other_ = 0;
  bool is_draining_ = false;
  bool closes_idle_ = false;
  bool is_stopping_ = false;
  std::thread thread_;
};

}  // namespace ebbgate::proxy
