#include "app/kube_session.h"

#include <cstdlib>
#include <fstream>
#include <iterator>
#include <sstream>

#include "base/escape.h"
#include "config/kubeconfig.h"

namespace ebbgate::app {
namespace {

std::optional<std::string> environment(const std::string& name) {
  const char* value = std::getenv(name.c_str());  // NOLINT: no thread sets it
  return value == nullptr ? std::nullopt : std::optional<std::string>(value);
}

// Where kubectl looks, except that it merges several files, which would need all of its rules.
Result<std::string> file_of(const KubeSessionOptions& options) {
  if (!options.kubeconfig.empty()) return options.kubeconfig;
  std::vector<std::string> files;
  std::istringstream list(environment("KUBECONFIG").value_or(""));
  for (std::string file; std::getline(list, file, ':');) {
    if (!file.empty()) files.push_back(std::move(file));
  }
  if (files.size() == 1) return files.front();
  if (files.size() > 1) {
    return fail(Reason::kInternal, Side::kSelf,
                "KUBECONFIG names several files, which are not merged here; say which one with "
                "--kubeconfig, or write one with `kubectl config view --flatten`");
  }
  const auto home = environment("HOME");
  if (!home || home->empty()) {
    return fail(Reason::kInternal, Side::kSelf,
                "no cluster is named: give --kubeconfig, or set KUBECONFIG");
  }
  return *home + "/.kube/config";
}

struct NamedAccess {
  kube::Access access;
  std::string origin;
};

Result<NamedAccess> access_of(net::Loop& loop, const Clock& clock,
                              const KubeSessionOptions& options) {
  if (options.is_in_cluster) {
    auto access = kube::access_in_cluster(environment, clock, loop);
    if (!access) return std::unexpected(std::move(access.error()));
    return NamedAccess{*std::move(access), "the pod's service account"};
  }
  auto file = file_of(options);
  if (!file) return std::unexpected(std::move(file.error()));
  std::ifstream in(*file, std::ios::binary);
  if (!in) {
    const bool is_default = options.kubeconfig.empty() && !environment("KUBECONFIG");
    return fail(
        Reason::kInternal, Side::kSelf,
        *file + " cannot be read" + (is_default ? "; give --kubeconfig, or set KUBECONFIG" : ""));
  }
  const std::string text{std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
  const auto loaded = config::parse_kubeconfig(text, *file, options.context);
  if (policy::has_errors(loaded.problems)) {
    return fail(Reason::kInternal, Side::kSelf, config::str(loaded.problems));
  }
  auto access = kube::access_of(loaded.config, loop, clock);
  if (!access) return std::unexpected(std::move(access.error()));
  return NamedAccess{*std::move(access), "the context " + loaded.config.context + " of " + *file};
}

}  // namespace

Result<std::unique_ptr<KubeSession>> KubeSession::make(net::Loop& loop, const Clock& clock,
                                                       KubeSessionOptions options) {
  auto named = access_of(loop, clock, options);
  if (!named) return std::unexpected(std::move(named.error()));
  auto made = make(loop, std::move(named->access), std::move(options.client));
  if (made) (*made)->origin_ = std::move(named->origin);
  return made;
}

Result<std::unique_ptr<KubeSession>> KubeSession::make(net::Loop& loop, kube::Access access,
                                                       kube::ClientOptions client) {
  auto resolver = dns::Resolver::make(loop, {});
  if (!resolver) return std::unexpected(std::move(resolver.error()));
  std::unique_ptr<KubeSession> made(new KubeSession);
  made->origin_ = access.server;
  made->access_ = std::move(access);
  made->resolver_ = std::move(*resolver);
  made->transport_.emplace(*made->access_.authenticator, made->dial(loop));
  client.server = made->access_.server;
  made->client_.emplace(loop, *made->transport_, [] { return random_seed(); }, std::move(client));
  return made;
}

kube::ClusterTransport::Dial KubeSession::dial(net::Loop& loop) const {
  return kube::network_dial(loop, *resolver_, access_.ca_pem, access_.tls_name, access_.ca_file);
}

bool KubeSession::follow(const kube::Access& found) {
  if (access_.server == found.server && access_.ca_pem == found.ca_pem) return false;
  access_.server = found.server;
  access_.ca_pem = found.ca_pem;
  transport_->set_dial(dial(client_->loop()));
  client_->set_server(access_.server);
  return true;
}

std::vector<OwnFlag> kube_session_flags(KubeSessionOptions& options) {
  const auto text = [](std::string& to) {
    return [&to](const std::string& value) {
      to = value;
      return std::string(value.empty() ? "it is empty" : "");
    };
  };
  return {{"kubeconfig", config::FlagValue::kRequired, text(options.kubeconfig)},
          {"context", config::FlagValue::kRequired, text(options.context)}};
}

}  // namespace ebbgate::app
