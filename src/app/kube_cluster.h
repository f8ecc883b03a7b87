// The cluster that the gateway serves (`--kube`): the way to its API, its pods, its policies, and
// what it is told of them. Lives on the control loop; docs/kubernetes.md tells the story.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "app/kube_session.h"
#include "app/outbound.h"
#include "base/clock.h"
#include "base/result.h"
#include "config/load_policy.h"
#include "config/settings.h"
#include "identity/pod_index.h"
#include "kube/pods.h"
#include "kube/policy_reporter.h"
#include "kube/watch.h"
#include "net/background.h"
#include "net/loop.h"
#include "net/task.h"
#include "observe/metrics.h"
#include "source/kube_policies.h"

namespace ebbgate::app {

class KubeCluster {
 public:
  // All outlive it.
  struct Parts {
    net::Loop& loop;
    const config::Settings& settings;
    const Clock& clock;
    Outbound* outbound;  // of the way by EKS
    // The way to the cluster is known; with EKS, some time after start().
    std::function<void(source::KubePolicies& policies)> on_found;
    // They are others, or all are known for the first time; or is_too_old() is another one.
    std::function<void()> on_policies;
    std::function<void()> on_pods;  // pods() are others
  };
  // Errors: kInternal, where this process can never come to the cluster as it was told to.
  [[nodiscard]] static Result<std::unique_ptr<KubeCluster>> make(Parts parts);
  KubeCluster(const KubeCluster&) = delete;
  KubeCluster& operator=(const KubeCluster&) = delete;

  // Begins to watch.
  void start();
  // From now on clients are served: the others may count this gateway among them.
  void serve();

  [[nodiscard]] const identity::PodIndex& pods() const { return pods_; }
  // A whole list of them has come; it stays true.
  [[nodiscard]] bool knows_pods() const;

  // Since when nothing was heard of the policies; nothing: they are not known yet.
  [[nodiscard]] std::optional<Duration> policy_age() const;
  // Whether that is longer than --policy-max-age allows.
  [[nodiscard]] bool is_too_old() const { return is_too_old_; }
  // What became of the policies in this gateway; `is_in_force`: it goes by some form of them.
  void report(std::span<const config::ResourceOutcome> outcomes, bool is_in_force);

  [[nodiscard]] observe::ClusterStatus status() const;

  // Takes this gateway's Lease back, and calls `then` within a few seconds in any case.
  void say_farewell(const std::function<void()>& then);

 private:
  explicit KubeCluster(Parts parts);

  [[nodiscard]] net::Task<void> live();
  [[nodiscard]] net::Task<void> follow_eks();
  [[nodiscard]] net::Task<Result<kube::Access>> eks_access();
  [[nodiscard]] net::Task<Result<kube::Access>> ask_eks();
  void attach(std::unique_ptr<KubeSession> session);
  void start_reporter();
  void tell_freshness();
  void tell_pods();
  static void on_age_timer(void* self);
  [[nodiscard]] const config::Settings::Kube& kube() const { return parts_.settings.kube; }

  Parts parts_;
  identity::PodIndex pods_;
  kube::PodFeed feed_;
  std::unique_ptr<KubeSession> session_;
  std::unique_ptr<kube::ListWatch> pod_watch_;
  std::unique_ptr<source::KubePolicies> policies_;
  std::unique_ptr<kube::PolicyReporter> reporter_;
  std::vector<observe::ClusterStatus::Policies> states_;  // of the last report
  bool is_serving_ = false;
  bool is_reporting_ = false;
  bool was_lost_ = false;
  bool was_told_of_outside_ = false;
  bool is_too_old_ = false;
  std::string eks_trouble_;  // that was said last
  net::Timer age_timer_{&KubeCluster::on_age_timer, this};
  net::Background seeker_;
  net::Background farewell_;
};

}  // namespace ebbgate::app
