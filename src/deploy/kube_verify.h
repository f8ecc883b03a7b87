// The proofs of a cluster that can be left only through gateways, as a checklist: what `ebbgate
// kube verify` asks the API, and what a pod that it makes can and cannot reach. It changes nothing,
// but that pod comes and goes, and one request is refused on purpose.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "deploy/kube_judgement.h"
#include "deploy/kube_report.h"
#include "deploy/verify.h"
#include "kube/client.h"
#include "kube/object_set.h"
#include "kube/watch.h"
#include "net/signal.h"
#include "net/task.h"

namespace ebbgate::deploy {

struct KubeVerifyOptions {
  std::string in_namespace = "default";  // whose bypass is closed; the pod is made there
  std::string gateway_namespace = "ebbgate-system";
  std::string pod_name;  // that nobody else has
  std::string image;     // of the pod; empty: the gateways' own
  std::string service_account = "default";
  std::vector<std::pair<std::string, std::string>> pod_labels;

  std::string allowed;  // host:port to be let pass; empty: chosen among the policies
  std::string refused = "ebbgate-verify.invalid:443";
  std::string proxy;  // a URL; empty: what the pod's environment says
  // What must not be reached past the gateway.
  std::vector<std::string> outside = {"1.1.1.1:443", "[2606:4700:4700::1111]:443",
                                      "example.com:443"};
  std::vector<std::string> resolvers = {"1.1.1.1", "8.8.8.8", "2001:4860:4860::8888"};
  std::string unlisted = "example.com";  // a name that exists, and that no policy knows
  std::string random_label;              // of a name below it
  std::string cluster_domain = "cluster.local";

  struct Endpoint {  // what EKS says of the cluster
    bool is_private = false;
    bool is_public = false;
  };
  std::optional<Endpoint> endpoint;

  std::vector<std::string> skip;                     // names of checks
  Duration wait = std::chrono::minutes(2);           // for the pod
  Duration attempt_time = std::chrono::seconds(4);   // for each thing that it tries
  Duration lease_time = std::chrono::seconds(12);    // in which a live gateway renews
  std::function<void(std::string_view name)> begin;  // as each begins
  std::function<void(const Check&)> tell;            // as each is done
};

// The names of all checks, in their order.
[[nodiscard]] const std::vector<std::string>& kube_check_names();

class KubeVerifier {
 public:
  // Client and probe outlive it; it is destroyed while the loop does not run.
  KubeVerifier(kube::Client& client, Probe& probe, KubeVerifyOptions options);
  KubeVerifier(const KubeVerifier&) = delete;
  KubeVerifier& operator=(const KubeVerifier&) = delete;

  // Once.
  [[nodiscard]] net::Task<std::vector<Check>> run();

  // The pod, where it was made and is not known to be gone: remove_pod() with another client.
  [[nodiscard]] bool has_left_pod() const { return has_left_pod_; }
  [[nodiscard]] static net::Task<kube::Outcome<void>> remove_pod(kube::Client& client,
                                                                 std::string in_namespace,
                                                                 std::string name);

 private:
  using Texts = std::vector<std::string>;

  // Whether the check is wanted and can be made; where not, it is noted as skipped.
  bool begin(std::string name, std::string proof);
  void end(Verdict verdict);
  void end(const kube::Failure& failure, std::string_view what);
  [[nodiscard]] bool is_wanted(std::string_view name) const;

  net::Task<void> api_endpoint();
  net::Task<void> nodes();
  net::Task<void> daemon_set(std::string name);
  net::Task<void> injection();
  net::Task<void> proxy_variables();
  net::Task<void> types();
  net::Task<void> load_policies();
  net::Task<void> gateways();
  void policies();
  net::Task<void> host_network();
  net::Task<void> test_pod();
  void from_the_pod();

  [[nodiscard]] net::Task<kube::Outcome<Texts>> list(kube::Resource resource, std::string labels);
  // Null where there is none of that name.
  [[nodiscard]] net::Task<kube::Outcome<std::optional<std::string>>> find(kube::Resource resource,
                                                                          std::string name);
  [[nodiscard]] net::Task<kube::Outcome<Renewals>> renewals();
  [[nodiscard]] net::Task<std::string> gateway_image();
  [[nodiscard]] ProbePod pod() const;
  [[nodiscard]] net::Task<Verdict> follow_pod();

  kube::Client* client_;
  Probe* probe_;
  KubeVerifyOptions options_;
  std::vector<Check> checks_;
  Check check_;
  bool has_no_api_ = false;  // nothing can be asked
  std::optional<bool> is_api_private_ = {};
  bool is_injected_ = false;
  bool is_pod_admitted_ = false;  // in a dry run
  Texts policies_;
  std::optional<kube::Failure> policies_failure_;

  std::vector<std::string> direct_;  // the attempts of each check
  std::string allowed_, refused_, cluster_name_;
  std::vector<std::string> unlisted_, resolvers_, metadata_;

  bool has_left_pod_ = false;
  std::optional<Report> report_;
  net::Signal changed_;
  kube::ObjectSet pods_;
  std::unique_ptr<kube::ListWatch> watch_;
};

}  // namespace ebbgate::deploy
