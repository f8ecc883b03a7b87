// The data plane as the control plane sees it: workers on their listening sockets, one published
// policy, and the phases from start to the last tunnel's end.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "base/authority.h"
#include "base/result.h"
#include "dns/resolver.h"
#include "identity/pod_index.h"
#include "observe/access_log.h"
#include "observe/metrics.h"
#include "proxy/options.h"
#include "proxy/snapshot.h"
#include "proxy/worker.h"

namespace ebbgate::proxy {

// Listening sockets of one address: none yet, or those that are passed on from process to process.
struct ListeningSockets {
  Endpoint at;
  std::vector<int> fds;
};

// What the gateway is made of; all of it outlives the gateway.
struct GatewayParts {
  const Options& options;
  const Clock& clock;
  const PublishedSnapshot& policy;
  observe::Metrics& metrics;  // its number of workers is the gateway's
  observe::AccessLog& log;
  observe::Diagnostics say;
  dns::ResolverOptions dns;
  const identity::PodIndex* pods = nullptr;  // who asks, with --kube
};

class Gateway {
 public:
  // Listens on each address (port 0: any free one), with the sockets that are open for it already
  // and as many more as there are workers. Nothing is accepted before start().
  [[nodiscard]] static Result<std::unique_ptr<Gateway>> make(GatewayParts parts,
                                                             std::vector<ListeningSockets> listen);
  ~Gateway();
  Gateway(const Gateway&) = delete;
  Gateway& operator=(const Gateway&) = delete;

  void start();

  // What it listens on, and with which sockets: the first is what clients know.
  [[nodiscard]] const std::vector<ListeningSockets>& listening() const { return listening_; }

  // Call after each load of a valid policy, also of the one that is in force: see Worker.
  void judge_tunnels();

  // Call after the index of pods has published something: see Worker. Any thread.
  void pods_changed();

  // The phases of an end. drain(): answers say that the connection closes; stop_accepting(): no new
  // connections; stop(): whatever is still open is ended, and the threads.
  void drain(Worker::Listeners how);
  void stop_accepting(Worker::Listeners how);
  void stop();

  // Sessions and tunnels that are left.
  [[nodiscard]] std::size_t busy() const;

 private:
  explicit Gateway(GatewayParts parts);

  Shared shared_;
  std::vector<std::unique_ptr<Worker>> workers_;
  std::vector<ListeningSockets> listening_;
  bool is_started_ = false;
};

}  // namespace ebbgate::proxy
