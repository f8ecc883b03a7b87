// What the gateway's listeners for people and probes show: the state of its parts, put together
// when it is asked for. On the control loop.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "admin/pages.h"
#include "app/kube_cluster.h"
#include "app/policy_sources.h"
#include "base/clock.h"
#include "base/result.h"
#include "identity/pod_index.h"
#include "net/loop.h"
#include "observe/metrics.h"
#include "proxy/snapshot.h"

namespace ebbgate::app {

class GatewayPages {
 public:
  // All outlive it.
  struct Parts {
    net::Loop& loop;
    const Clock& clock;
    const proxy::PublishedSnapshot& published;
    observe::Metrics& metrics;
    const PolicySources* sources;  // null: there are none
    const KubeCluster* cluster;    // the same
    std::function<std::vector<std::string>()> unready;
    bool health_metrics = false;  // whether whoever may ask for the health may have them, too
  };
  explicit GatewayPages(Parts parts);

  // For whoever may ask for the gateway's health.
  [[nodiscard]] admin::AdminState health();
  // For the operators, who may know what a policy allows, and what is refused.
  [[nodiscard]] admin::AdminState admin();

 private:
  [[nodiscard]] std::string exposition(observe::Exposition exposition) const;
  [[nodiscard]] Result<std::string> explain(const admin::Query& query, admin::Format format);

  Parts parts_;
  std::optional<identity::PodReader> pods_;
};

}  // namespace ebbgate::app
