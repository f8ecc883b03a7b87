// The way to a cluster's API as a process uses it: an access that a kubeconfig, a pod's service
// account or a cloud gave, a resolver, a transport over verified TLS, and the client on top.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "app/own_flags.h"
#include "base/clock.h"
#include "base/result.h"
#include "dns/resolver.h"
#include "kube/access.h"
#include "kube/client.h"
#include "net/loop.h"

namespace ebbgate::app {

struct KubeSessionOptions {
  bool is_in_cluster = false;       // the service account of the pod that this runs in
  std::string kubeconfig = {};      // empty: that of KUBECONFIG, then ~/.kube/config
  std::string context = {};         // empty: the file's current one
  kube::ClientOptions client = {};  // its server comes from the access
};

class KubeSession {
 public:
  // Loop and clock outlive it. Nobody is asked yet. Errors: kInternal, with the file.
  [[nodiscard]] static Result<std::unique_ptr<KubeSession>> make(net::Loop& loop,
                                                                 const Clock& clock,
                                                                 KubeSessionOptions options);
  // With an access that is known already, such as an EKS cluster's.
  [[nodiscard]] static Result<std::unique_ptr<KubeSession>> make(net::Loop& loop,
                                                                 kube::Access access,
                                                                 kube::ClientOptions client = {});
  KubeSession(const KubeSession&) = delete;
  KubeSession& operator=(const KubeSession&) = delete;

  [[nodiscard]] kube::Client& client() { return *client_; }
  [[nodiscard]] const kube::Access& access() const { return access_; }
  [[nodiscard]] dns::Resolver& resolver() { return *resolver_; }
  // Where the access is from, for messages: "the context dev of /home/me/.kube/config".
  [[nodiscard]] const std::string& origin() const { return origin_; }

  // Goes on where `found` says that the API is now, as whom it came before. False: that is where it
  // is already.
  bool follow(const kube::Access& found);

 private:
  KubeSession() = default;

  [[nodiscard]] kube::ClusterTransport::Dial dial(net::Loop& loop) const;

  std::string origin_;
  kube::Access access_;
  std::unique_ptr<dns::Resolver> resolver_;
  std::optional<kube::ClusterTransport> transport_;
  std::optional<kube::Client> client_;
};

// --kubeconfig and --context, as the commands for people have them. `options` outlives them.
[[nodiscard]] std::vector<OwnFlag> kube_session_flags(KubeSessionOptions& options);

}  // namespace ebbgate::app
