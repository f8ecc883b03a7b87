// The policies of a cluster: EgressPolicies and ClusterEgressPolicies, watched, as resources for
// config::load_policy(). Lives on the control loop; everything is called on its thread.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "config/load_policy.h"
#include "kube/client.h"
#include "kube/object_set.h"
#include "kube/watch.h"
#include "net/loop.h"

namespace ebbgate::source {

class KubePolicies {
 public:
  // `on_change`: is_synced() has become true, or resources() say something else. Called once for
  // all changes of kGather; not for changes of a status. `say`: one line for the log, of a trouble
  // that begins, and of its end. The client outlives it; it is destroyed while the loop does not
  // run.
  KubePolicies(kube::Client& client, std::function<void()> on_change,
               std::function<void(std::string_view line)> say = {},
               kube::WatchOptions options = {});
  ~KubePolicies();
  KubePolicies(const KubePolicies&) = delete;
  KubePolicies& operator=(const KubePolicies&) = delete;

  static constexpr Duration kGather = std::chrono::milliseconds(50);

  // Begins to list and watch; once.
  void start();

  // Both lists have come whole: before, nobody knows what is denied. It stays true.
  [[nodiscard]] bool is_synced() const;

  // Those of the cluster first, then those of namespaces, by their names.
  [[nodiscard]] std::vector<config::PolicyResource> resources() const;
  [[nodiscard]] std::size_t count() const;
  // The JSON text of one as the API has it now, with its status; null where it is gone. `id`
  // without a namespace: a ClusterEgressPolicy. Good until the loop's next turn.
  [[nodiscard]] const std::string* text(const kube::ObjectId& id) const;

  // The two watches.
  [[nodiscard]] const kube::WatchState& cluster() const;
  [[nodiscard]] const kube::WatchState& namespaced() const;
  // Since when one of them hears nothing; nothing while both do.
  [[nodiscard]] std::optional<MonotonicTime> lost_since() const;

 private:
  class Kind;
  void note_change();
  static void on_gathered(void* self);

  kube::Client* client_;
  std::function<void()> on_change_;
  std::function<void(std::string_view line)> say_;
  std::unique_ptr<Kind> cluster_;
  std::unique_ptr<Kind> namespaced_;
  net::Timer gather_{&KubePolicies::on_gathered, this};
};

}  // namespace ebbgate::source
