// Tells people what became of their policies: keeps this gateway's Lease, and while this gateway is
// the first of those that live and have a policy, writes the status of each resource and its
// events, for all of them. Namespaces take turns, so that none holds up another one's status. On
// one loop; what fails is tried again in time.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "kube/client.h"
#include "kube/gateway_lease.h"
#include "kube/policy_status.h"
#include "kube/watch.h"
#include "net/task.h"

namespace ebbgate::kube {

struct ReporterOptions {
  std::string in_namespace;  // where the gateways keep their Leases
  std::string gateway;       // this one's name
  GatewayTimes times = {};
  Duration pause = std::chrono::milliseconds(100);  // between two calls
  // Between two events, and between two about one resource: what holds when that is over is told.
  Duration event_pause = std::chrono::milliseconds(300);
  Duration event_gap = std::chrono::minutes(1);
  // After a load: by then the others have said that they go by it, too.
  Duration gather = std::chrono::milliseconds(500);
  // Where nothing but the number of gateways has changed: first see whether it stays.
  Duration settle = std::chrono::seconds(15);
  Duration backoff = std::chrono::seconds(1);  // after the first failure; doubles
  Duration max_backoff = std::chrono::minutes(1);
  WatchOptions watch = {};  // of the Leases
};

struct ReporterState {
  bool is_reporter = false;
  std::size_t gateways = 0;    // that live, this one among them; 0 while the watch is lost
  std::string reporter = {};   // the Lease of the one that reports; empty where nobody is known
  std::size_t waiting = 0;     // resources whose status may have to be written
  std::uint64_t statuses = 0;  // that were written
  std::uint64_t events = 0;
  std::uint64_t failures = 0;   // of any call, those for the Lease among them
  std::string last_error = {};  // empty while all is well
};

class PolicyReporter {
 public:
  // The JSON text of a resource as the watch of policies has it now; null where it is gone. Called
  // on the loop; the text has to live until the next turn of it only.
  using Present = std::function<const std::string*(const ObjectId& id)>;

  // All outlive it; it is destroyed while the loop does not run.
  PolicyReporter(Client& client, const Clock& clock, ReporterOptions options, Present present,
                 Say say);
  ~PolicyReporter();
  PolicyReporter(const PolicyReporter&) = delete;
  PolicyReporter& operator=(const PolicyReporter&) = delete;

  // Begins; once. Until the first report the gateway counts as one that does not serve.
  void start();
  // After each load: what became of every resource, and the digest of what is in force now
  // (digest_of()): what it was where nothing new came in force, empty where there never was a
  // policy.
  void report(std::vector<ResourceReport> reports, std::string digest);
  // The gateway leaves: no more is written, its Lease is deleted. Ends at the deadline at the
  // latest.
  [[nodiscard]] net::Task<void> farewell(Deadline deadline);

  [[nodiscard]] ReporterState state() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace ebbgate::kube
