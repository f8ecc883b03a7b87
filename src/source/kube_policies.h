// The policies of a cluster: EgressPolicies and ClusterEgressPolicies, watched, as resources for
// config::load_policy(). Lives on the control loop; everything is called on its thread.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "config/load_policy.h"
#include "kube/client.h"
#include "kube/watch.h"
#include "net/loop.h"
#include "source/poller.h"

namespace ebbgate::source {

class KubePolicies {
 public:
  // `on_change`: is_synced() has become true, or resources() are others. Called once for all
  // changes of kGather. `say`: one line for the log, of a trouble that begins, and of its end.
  // The client outlives it; it is destroyed while the loop does not run.
  KubePolicies(kube::Client& client, std::function<void()> on_change,
               std::function<void(const std::string& line)> say = {});
  ~KubePolicies();
  KubePolicies(const KubePolicies&) = delete;
  KubePolicies& operator=(const KubePolicies&) = delete;

  static constexpr Duration kGather = std::chrono::milliseconds(50);

  // Begins to list and watch; once.
  void start();

  // Both lists have come whole: before, nobody knows what is denied. It stays true.
  [[nodiscard]] bool is_synced() const;

  // In the order of their names, those of the cluster first.
  [[nodiscard]] std::vector<config::PolicyResource> resources() const;
  [[nodiscard]] std::size_t count() const;

  // Of the two watches: of EgressPolicies, of ClusterEgressPolicies.
  [[nodiscard]] const kube::WatchState& namespaced() const;
  [[nodiscard]] const kube::WatchState& cluster() const;
  // Since when one of them hears nothing; nothing while both do.
  [[nodiscard]] std::optional<MonotonicTime> lost_since() const;
  // The same two for metrics and the dashboard, as those of sources: a fetch is a list or a stream.
  [[nodiscard]] std::vector<SourceState> status() const;

 private:
  class Kind;
  void note_change();
  void note_freshness();
  static void on_gathered(void* self);

  kube::Client* client_;
  std::function<void()> on_change_;
  std::function<void(const std::string& line)> say_;
  std::unique_ptr<Kind> cluster_;
  std::unique_ptr<Kind> namespaced_;
  bool was_synced_ = false;
  net::Timer gather_{&KubePolicies::on_gathered, this};
};

}  // namespace ebbgate::source
