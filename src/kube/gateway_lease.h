// This gateway's Lease: kept while it runs, so that the others know that it lives and which
// policies it goes by, and deleted when it leaves.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "kube/client.h"
#include "kube/gateways.h"
#include "net/task.h"

namespace ebbgate::kube {

// What the operator should hear of, one line each, without a full stop.
using Say = std::function<void(std::string_view line)>;

struct LeaseOptions {
  std::string in_namespace;
  std::string lease;   // its name
  std::string holder;  // this process, other than any before it
  GatewayTimes times = {};
  Duration backoff = std::chrono::seconds(1);  // after the first failure; doubles up to a renewal
};

class GatewayLease {
 public:
  // All outlive it; it is destroyed while the loop does not run. `gateways` watches the namespace.
  GatewayLease(Client& client, const GatewaySet& gateways, const Clock& clock, LeaseOptions options,
               Say say);
  ~GatewayLease();
  GatewayLease(const GatewayLease&) = delete;
  GatewayLease& operator=(const GatewayLease&) = delete;

  // Begins to renew; once. A Lease of this name is taken over, whoever held it before; later on it
  // is written only as it was seen last: another process that took it over keeps it as long as it
  // renews it.
  void start();
  // Renews it at once where they are others, or where the set shows that it is gone. `digest`,
  // `invalid`: what its annotations say (kube/gateways.h).
  void set_policy(std::string digest, std::string invalid);
  void on_gateways();
  // Deletes it, if it is still ours, and ends: at the latest at the deadline.
  [[nodiscard]] net::Task<void> farewell(Deadline deadline);

  [[nodiscard]] std::uint64_t failures() const;
  [[nodiscard]] const std::string& last_error() const;  // empty while all is well

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace ebbgate::kube
