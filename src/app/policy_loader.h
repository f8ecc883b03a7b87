// Loading a policy without holding up anybody: it is read and compiled on a thread of its own, and
// handed back whole on the control loop.
#pragma once

#include <exception>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "base/authority.h"
#include "config/load_policy.h"
#include "config/settings.h"
#include "net/loop.h"
#include "observe/metrics.h"
#include "proxy/snapshot.h"
#include "source/kube_policies.h"

namespace ebbgate::app {

// Whether the settings name any policy: without one the gateway denies everything and is not ready.
[[nodiscard]] bool names_a_policy(const config::Settings& settings);

class PolicySources;

class PolicyLoader {
 public:
  // `listeners`: what the process listens on, which no policy can allow. `seed`: for the matcher's
  // hash. `on_loaded` is called on the loop after each attempt, with whether what came of it is in
  // force: without the parts that are invalid, which stay as they were.
  PolicyLoader(net::Loop& loop, const config::Settings& settings, const Clock& clock,
               proxy::PublishedSnapshot& published, observe::PolicyMetrics& metrics,
               std::uint64_t seed, std::function<void(bool is_valid)> on_loaded);
  ~PolicyLoader();
  PolicyLoader(const PolicyLoader&) = delete;
  PolicyLoader& operator=(const PolicyLoader&) = delete;

  void set_listeners(std::vector<Endpoint> listeners) { listeners_ = std::move(listeners); }
  // What they give is part of the policy; they outlive the loader.
  void set_sources(PolicySources& sources) { sources_ = &sources; }
  // The same for the resources of Kubernetes. `on_resources` is called on the loop after each
  // loading that they were part of, with what became of each, in the order of their names, and the
  // digest of those in force (empty: none are); the views are good during the call.
  using OnResources = std::function<void(std::span<const config::ResourceOutcome> outcomes,
                                         const std::string& digest_in_force)>;
  void set_kube(source::KubePolicies& policies, OnResources on_resources) {
    kube_ = &policies;
    on_resources_ = std::move(on_resources);
  }

  // Whether what the policy is made of is too old to let anything pass by it.
  void set_age(std::function<bool()> is_too_old) { asks_age_ = std::move(is_too_old); }

  // Loads now, on this thread. False: it is invalid; its problems were said, nothing was published.
  // Nothing is published either, and that is no error, while a source never gave its part: it may
  // deny what the others allow.
  bool load();
  // Loads soon. Each file that is invalid stays as it was when it was last valid; where one never
  // was, all stays. Asked again meanwhile, it loads once more afterwards.
  void reload();
  // The same, but not before the last loading is over for a while, and for the longer the longer it
  // took: whoever may write some policy of a cluster could keep it busy otherwise.
  void reload_when_due();
  // As reload(), and asks the sources now.
  void refresh();
  // Refuses everything, or no longer, as set_age() says.
  void follow_age();

 private:
  enum class Haste : std::uint8_t { kNone, kWhenDue, kNow };

  void start_loading();
  static void on_due(void* self);
  void end_loading();
  // For a loading that begins; missing_ then says which sources it has to do without.
  [[nodiscard]] std::vector<config::PolicyText> take_texts();
  [[nodiscard]] std::vector<config::PolicyResource> take_kube();
  bool publish(config::LoadedPolicy loaded);
  bool take_over(config::LoadedPolicy loaded);
  // What it came to for resources; `is_in_force`: those of the loading are.
  void take_resources(const config::LoadedPolicy& loaded, bool is_in_force);
  void put_in_force(config::LoadedPolicy loaded);
  void publish_snapshot();

  net::Loop* loop_;
  const config::Settings* settings_;
  const Clock* clock_;
  proxy::PublishedSnapshot* published_;
  observe::PolicyMetrics* metrics_;
  std::uint64_t seed_;
  std::function<void(bool is_valid)> on_loaded_;
  PolicySources* sources_ = nullptr;
  source::KubePolicies* kube_ = nullptr;
  OnResources on_resources_;
  std::vector<Endpoint> listeners_;
  // The one before: kept until the next, so that no worker has to take it apart.
  std::vector<proxy::SnapshotPtr> retired_;
  std::vector<std::string> missing_;
  bool has_resources_ = false;                 // the loading has the resources of Kubernetes
  std::vector<config::ResourceOutcome> told_;  // what became of them in the one before
  std::function<bool()> asks_age_ = [] { return false; };
  bool is_too_old_ = false;
  config::LoadedPolicy in_force_;  // what the next loading keeps of it where a file is invalid
  std::thread thread_;
  // What the thread came to; its own until it has posted.
  config::LoadedPolicy loaded_;
  std::exception_ptr failure_;
  bool is_loading_ = false;
  Haste wanted_again_ = Haste::kNone;
  MonotonicTime began_{};  // of the last loading
  MonotonicTime due_{};    // of the next one that is in no hurry
  net::Timer due_timer_{&PolicyLoader::on_due, this};
};

}  // namespace ebbgate::app
