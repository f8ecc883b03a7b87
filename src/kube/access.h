// The way to one cluster: where its API is, how it proves itself, and as whom we come. Made from a
// kubeconfig, from what a pod is given, or by whoever knows (an EKS cluster's description).
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "base/clock.h"
#include "base/result.h"
#include "config/kubeconfig.h"
#include "dns/resolver.h"
#include "https/transport.h"
#include "kube/authenticator.h"
#include "net/loop.h"

namespace ebbgate::kube {

struct Access {
  std::string server = {};    // https://host[:port][/path]
  std::string tls_name = {};  // whom the certificate has to name; empty: the server's host
  std::string ca_pem = {};    // empty: the system's authorities
  std::string ca_file = {};   // where they are from, if from a file that somebody may renew
  std::string home_namespace = "default";
  std::unique_ptr<Authenticator> authenticator = {};
};

// Reads the files that it names, and prepares who we are; nobody is asked yet. Errors: kInternal,
// with the file.
[[nodiscard]] Result<Access> access_of(const config::Kubeconfig& config, net::Loop& loop,
                                       const Clock& clock);

inline constexpr const char* kServiceAccountFolder =
    "/var/run/secrets/kubernetes.io/serviceaccount";
// Of the pod that this process runs in: KUBERNETES_SERVICE_HOST and _PORT, and the files of its
// service account. Errors: kInternal, where this is no pod or it was given no service account.
[[nodiscard]] Result<Access> access_in_cluster(
    const std::function<std::optional<std::string>(const std::string& name)>& environment,
    const Clock& clock, net::Loop& loop, const std::string& folder = kServiceAccountFolder);

// A transport that says who we are with each request, over TLS that trusts the cluster's authority
// alone. Where the API takes a token no longer (401), a request is sent once more with a new one;
// where the client certificate is renewed, or no connection comes about, the next are made anew.
class ClusterTransport final : public https::StreamTransport {
 public:
  // Makes a transport that shows this credential's certificate.
  using Dial = std::function<Result<std::unique_ptr<https::StreamTransport>>(const Credential&)>;

  // Both outlive it. The usual Dial is network_dial().
  ClusterTransport(Authenticator& authenticator, Dial dial)
      : authenticator_(&authenticator), dial_(std::move(dial)) {}

  // Errors besides those of the transport: kInternal where there is no credential.
  [[nodiscard]] net::Task<Result<https::Response>> send(https::Request request) override;
  [[nodiscard]] net::Task<Result<https::Response>> stream(https::Request request,
                                                          https::BodySink sink) override;

  // Whom it trusts is somebody else from now on; what is under way keeps its connection.
  void set_dial(Dial dial) {
    dial_ = std::move(dial);
    transport_.reset();
  }

 private:
  struct Way {
    std::shared_ptr<https::StreamTransport> transport;
    Credential credential;
  };
  [[nodiscard]] net::Task<Result<Way>> way();
  [[nodiscard]] net::Task<Result<https::Response>> exchange(https::Request request,
                                                            https::BodySink* sink);

  Authenticator* authenticator_;
  Dial dial_;
  std::shared_ptr<https::StreamTransport> transport_;  // of the certificate below
  std::string certificate_pem_;
};

// https::Client over the network. Loop and resolver outlive what it makes. `ca_file`: read each
// time in place of `ca_pem`; empty: there is none.
[[nodiscard]] ClusterTransport::Dial network_dial(net::Loop& loop, dns::Resolver& resolver,
                                                  std::string ca_pem, std::string tls_name,
                                                  std::string ca_file = {});

}  // namespace ebbgate::kube
