#include "kube/access.h"

#include <utility>

#include "base/authority.h"
#include "base/base64.h"
#include "https/client.h"
#include "net/small_file.h"
#include "tls/client_context.h"

namespace ebbgate::kube {
namespace {

// A client with the context that it uses.
class NetworkTransport final : public https::StreamTransport {
 public:
  NetworkTransport(net::Loop& loop, dns::Resolver& resolver,
                   std::unique_ptr<tls::ClientContext> tls, https::ClientOptions options)
      : tls_(std::move(tls)), client_(loop, resolver, *tls_, std::move(options)) {}
  [[nodiscard]] net::Task<Result<https::Response>> send(https::Request request) override {
    return client_.send(std::move(request));
  }
  [[nodiscard]] net::Task<Result<https::Response>> stream(https::Request request,
                                                          https::BodySink sink) override {
    return client_.stream(std::move(request), std::move(sink));
  }

 private:
  std::unique_ptr<tls::ClientContext> tls_;
  https::Client client_;
};

[[nodiscard]] std::unexpected<Error> internal(std::string what) {
  return fail(Reason::kInternal, Side::kSelf, std::move(what));
}

}  // namespace

Result<Access> access_of(const config::Kubeconfig& config, net::Loop& loop, const Clock& clock) {
  Access access;
  access.server = config.server;
  access.tls_name = config.tls_name;
  access.home_namespace = config.home_namespace;
  access.ca_pem = config.ca_pem;
  if (!config.ca_file.empty()) {
    auto pem = net::read_small_file(config.ca_file);
    if (!pem) return std::unexpected(std::move(pem.error()));
    access.ca_pem = *std::move(pem);
    access.ca_file = config.ca_file;
  }
  CredentialFiles files{.fixed = {.token = config.token,
                                  .certificate_pem = config.certificate_pem,
                                  .key_pem = config.key_pem},
                        .token = config.token_file,
                        .certificate = config.certificate_file,
                        .key = config.key_file};
  if (config.exec) {
    ExecCluster cluster{.server = config.server,
                        .ca_base64 = base64_encoded(access.ca_pem),
                        .tls_name = config.tls_name};
    access.authenticator = std::make_unique<MintedAuthenticator>(
        loop, clock, exec_credential(loop, *config.exec, std::move(cluster)));
  } else if (files.token.empty() && files.certificate.empty() && files.key.empty()) {
    access.authenticator = std::make_unique<StaticAuthenticator>(std::move(files.fixed));
  } else {
    access.authenticator = std::make_unique<MintedAuthenticator>(
        loop, clock, credential_files(std::move(files), clock));
  }
  return access;
}

Result<Access> access_in_cluster(
    const std::function<std::optional<std::string>(const std::string& name)>& environment,
    const Clock& clock, net::Loop& loop, const std::string& folder) {
  const auto host = environment("KUBERNETES_SERVICE_HOST");
  const auto port = environment("KUBERNETES_SERVICE_PORT");
  if (!host || !port || host->empty() || port->empty()) {
    return internal(
        "KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT are not set: this is no pod of a "
        "cluster; name one");
  }
  Access access;
  const bool is_v6 = host->contains(':') && !host->starts_with('[');
  access.server = "https://" + (is_v6 ? "[" + *host + "]" : *host) + ":" + *port;
  auto authority = net::read_small_file(folder + "/ca.crt");
  if (!authority) return std::unexpected(std::move(authority.error()));
  access.ca_pem = *std::move(authority);
  access.ca_file = folder + "/ca.crt";
  if (access.ca_pem.empty()) return internal(folder + "/ca.crt: there is no certificate in it");
  if (auto home = net::read_small_file(folder + "/namespace"); home && !home->empty()) {
    access.home_namespace = *std::move(home);
  }
  // Where there is none, everybody would be told only when something is asked.
  if (auto token = net::read_small_file(folder + "/token"); !token) {
    return std::unexpected(std::move(token.error()));
  }
  access.authenticator = std::make_unique<MintedAuthenticator>(
      loop, clock, credential_files({.token = folder + "/token"}, clock));
  return access;
}

net::Task<Result<ClusterTransport::Way>> ClusterTransport::way() {
  auto credential = co_await authenticator_->get();
  if (!credential) co_return std::unexpected(std::move(credential.error()));
  if (!transport_ || certificate_pem_ != credential->certificate_pem) {
    auto made = dial_(*credential);
    if (!made) co_return std::unexpected(std::move(made.error()));
    transport_ = *std::move(made);  // what is under way keeps the old one
    certificate_pem_ = credential->certificate_pem;
  }
  co_return Way{transport_, *std::move(credential)};
}

net::Task<Result<https::Response>> ClusterTransport::exchange(https::Request request,
                                                              https::BodySink* sink) {
  auto way = co_await this->way();
  if (!way) co_return std::unexpected(std::move(way.error()));
  for (bool is_first = true;; is_first = false) {
    https::Request asked = request;
    if (!way->credential.token.empty()) {
      asked.headers.push_back({"Authorization", "Bearer " + way->credential.token.reveal()});
    }
    Result<https::Response> response;
    if (sink == nullptr) {
      response = co_await way->transport->send(std::move(asked));
    } else {
      https::BodySink pass = [sink](std::string_view piece) { return (*sink)(piece); };
      response = co_await way->transport->stream(std::move(asked), std::move(pass));
    }
    // Whom we trust may have changed.
    if (!response && response.error().reason == Reason::kConnectFailed) transport_.reset();
    if (!is_first || !response || response->status != 401) co_return response;
    const Credential refused = way->credential;
    authenticator_->reject(refused);
    auto other = co_await this->way();
    if (!other) co_return std::unexpected(std::move(other.error()));
    if (other->credential == refused) co_return response;
    way = std::move(other);
  }
}

net::Task<Result<https::Response>> ClusterTransport::send(https::Request request) {
  co_return co_await exchange(std::move(request), nullptr);
}
net::Task<Result<https::Response>> ClusterTransport::stream(https::Request request,
                                                            https::BodySink sink) {
  co_return co_await exchange(std::move(request), &sink);
}

ClusterTransport::Dial network_dial(net::Loop& loop, dns::Resolver& resolver, std::string ca_pem,
                                    std::string tls_name, std::string ca_file) {
  return [&loop, &resolver, ca_pem = std::move(ca_pem), tls_name = std::move(tls_name),
          ca_file = std::move(ca_file)](
             const Credential& credential) -> Result<std::unique_ptr<https::StreamTransport>> {
    tls::ClientOptions trust;
    trust.ca_pem = ca_pem;
    if (!ca_file.empty()) {
      auto pem = net::read_small_file(ca_file);
      if (!pem) return std::unexpected(std::move(pem.error()));
      trust.ca_pem = *std::move(pem);
    }
    trust.certificate_pem = credential.certificate_pem;
    trust.key_pem = credential.key_pem.reveal();
    auto tls = tls::ClientContext::make(trust);
    if (!tls) return std::unexpected(std::move(tls.error()));
    https::ClientOptions options;
    if (!tls_name.empty()) {
      auto host = Host::parse(tls_name);
      if (!host) return std::unexpected(std::move(host.error()));
      options.tls_name = *std::move(host);
    }
    return std::make_unique<NetworkTransport>(loop, resolver, *std::move(tls), std::move(options));
  };
}

}  // namespace ebbgate::kube
