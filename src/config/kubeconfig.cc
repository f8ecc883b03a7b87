// The keys, read by hand: kubectl's own reader passes over what it does not know, and files have
// entries of other tools.
#include "config/kubeconfig.h"

#include <algorithm>
#include <array>
#include <filesystem>

#include "base/base64.h"
#include "config/detail/values.h"
#include "config/detail/yaml.h"

namespace ebbgate::config {
namespace {

using detail::NodeKind;
using detail::Value;

constexpr std::string_view kExecGroup = "client.authentication.k8s.io/";

[[nodiscard]] std::optional<Value> member(const Value& map, std::string_view name) {
  if (map.kind() != NodeKind::kMap) return std::nullopt;
  for (const auto& [key, value] : map.members()) {
    if (key.text() == name && value.kind() != NodeKind::kNull) return value;
  }
  return std::nullopt;
}

class KubeconfigReader {
 public:
  explicit KubeconfigReader(const std::string& file) : file_(file) {}

  LoadedKubeconfig read(std::string_view text, const std::string& wanted_context) {
    const auto yaml = detail::Yaml::parse(text, file_);
    if (!yaml) return {{}, yaml.error()};
    const std::vector<Value> roots = yaml->documents();
    if (roots.size() != 1 || roots.front().kind() != NodeKind::kMap) {
      error({}, "this is no kubeconfig", "name a file that `kubectl config view` reads");
      return take();
    }
    const Value& root = roots.front();
    if (const auto kind = member(root, "kind"); kind && kind->text() != "Config") {
      error(kind->position(), "this is a " + detail::quoted(kind->text()) + ", no kubeconfig",
            "name a file of the kind Config");
    }
    std::string name = wanted_context;
    if (name.empty()) name = text_of(root, "current-context");
    if (name.empty()) {
      error({}, "the file has no current-context", "name a context");
      return take();
    }
    out_.context = name;
    const auto context = entry(root, "contexts", name, "context");
    if (!context) return take();
    if (std::string home = text_of(*context, "namespace"); !home.empty()) {
      out_.home_namespace = std::move(home);
    }
    const auto cluster = entry(root, "clusters", text_of(*context, "cluster"), "cluster");
    if (cluster) read_cluster(*cluster);
    // Who is nobody may still be let in.
    if (const auto user = text_of(*context, "user"); !user.empty()) {
      const auto found = entry(root, "users", user, "user");
      if (found) read_user(*found);
    }
    return take();
  }

 private:
  LoadedKubeconfig take() { return {std::move(out_), std::move(problems_)}; }

  void error(policy::Position position, std::string message, std::string fix) {
    problems_.push_back({.file = file_,
                         .position = position,
                         .message = std::move(message),
                         .fix = std::move(fix)});
  }

  std::string text_of(const Value& map, std::string_view name) {
    const auto found = member(map, name);
    if (!found) return {};
    if (!found->is_text()) {
      error(found->position(), "`" + std::string(name) + "` is no text", "write one value");
      return {};
    }
    return std::string(found->text());
  }

  bool is_true(const Value& map, std::string_view name) { return text_of(map, name) == "true"; }

  // The element of a list with that name, as the part of it that is called after what it is.
  std::optional<Value> entry(const Value& root, std::string_view list, const std::string& name,
                             const std::string& what) {
    const auto found = member(root, list);
    if (found && found->kind() == NodeKind::kList) {
      for (const Value& each : found->children()) {
        const auto its_name = member(each, "name");
        if (!its_name || its_name->text() != name) continue;
        auto body = member(each, what);
        if (body && body->kind() == NodeKind::kMap) return body;
        error(each.position(), "the " + what + " " + detail::quoted(name) + " is empty",
              "write it");
        return std::nullopt;
      }
    }
    error(found ? found->position() : policy::Position{},
          "there is no " + what + " " + detail::quoted(name), "name one that the file has");
    return std::nullopt;
  }

  void refuse(const Value& map, std::string_view key, std::string message, std::string fix) {
    if (const auto found = member(map, key)) {
      if (found->is_text() && (found->text().empty() || found->text() == "false")) return;
      error(found->position(), "`" + std::string(key) + "` " + std::move(message), std::move(fix));
    }
  }

  // Paths are relative to the file.
  std::string path_of(const Value& map, std::string_view key) {
    std::string path = text_of(map, key);
    if (path.empty()) return path;
    return (std::filesystem::path(file_).parent_path() / path).string();
  }

  // What is given in base64.
  std::string data_of(const Value& map, std::string_view key) {
    const auto found = member(map, key);
    if (!found) return {};
    auto octets = base64_decoded(text_of(map, key));
    if (!octets) {
      error(found->position(), "`" + std::string(key) + "` is no base64",
            "write the file's octets in base64, on one line");
      return {};
    }
    return *std::move(octets);
  }

  void read_cluster(const Value& cluster) {
    refuse(cluster, "insecure-skip-tls-verify",
           "turns off the check of who is answering, which nothing here does",
           "write the cluster's authority as certificate-authority-data");
    refuse(cluster, "proxy-url", "is not supported", "reach the API without a proxy");
    out_.server = text_of(cluster, "server");
    while (out_.server.ends_with('/')) out_.server.pop_back();
    if (!out_.server.starts_with("https://")) {
      const auto server = member(cluster, "server");
      error(server ? server->position() : cluster.position(),
            "the API's `server` has to be an https URL", "write https://HOST:PORT");
    }
    out_.tls_name = text_of(cluster, "tls-server-name");
    out_.ca_pem = data_of(cluster, "certificate-authority-data");
    if (out_.ca_pem.empty()) out_.ca_file = path_of(cluster, "certificate-authority");
  }

  void read_user(const Value& user) {
    refuse(user, "auth-provider", "was taken out of Kubernetes in 1.26", "use `exec`");
    for (const std::string_view key : {"username", "password"}) {
      refuse(user, key, "was taken out of Kubernetes in 1.19",
             "use a token, a certificate or exec");
    }
    for (const std::string_view key : {"as", "as-uid", "as-groups", "as-user-extra"}) {
      refuse(user, key, "is not supported", "use a user who has the rights themselves");
    }
    out_.certificate_pem = data_of(user, "client-certificate-data");
    if (out_.certificate_pem.empty()) out_.certificate_file = path_of(user, "client-certificate");
    out_.key_pem = Secret(data_of(user, "client-key-data"));
    if (out_.key_pem.empty()) out_.key_file = path_of(user, "client-key");
    out_.token_file = path_of(user, "tokenFile");
    // kubectl, too, takes the file where there are both.
    if (out_.token_file.empty()) out_.token = Secret(text_of(user, "token"));
    const bool has_certificate = !out_.certificate_pem.empty() || !out_.certificate_file.empty();
    const bool has_key = !out_.key_pem.empty() || !out_.key_file.empty();
    if (has_certificate != has_key) {
      error(user.position(), "the user has a client certificate or a key, not both",
            "write client-certificate and client-key");
    }
    const auto exec = member(user, "exec");
    if (!exec) return;
    if (has_certificate || !out_.token.empty() || !out_.token_file.empty()) {
      error(exec->position(), "the user has `exec` and another way to say who is there",
            "leave one of them");
    }
    read_exec(*exec);
  }

  void read_exec(const Value& exec) {
    KubeExec& plugin = out_.exec.emplace();
    plugin.api_version = text_of(exec, "apiVersion");
    constexpr std::array<std::string_view, 2> kVersions = {"v1", "v1beta1"};
    const bool is_known = std::ranges::any_of(kVersions, [&](std::string_view version) {
      return plugin.api_version == std::string(kExecGroup) + std::string(version);
    });
    if (!is_known) {
      error(exec.position(),
            "exec's apiVersion " + detail::quoted(plugin.api_version) + " is not known",
            "write client.authentication.k8s.io/v1 or v1beta1");
    }
    if (text_of(exec, "interactiveMode") == "Always") {
      error(exec.position(), "the program for credentials has to ask a person",
            "use one with `interactiveMode: Never` or `IfAvailable`");
    }
    plugin.command = text_of(exec, "command");
    if (plugin.command.empty()) {
      error(exec.position(), "exec has no command", "write the program's name or path");
    } else if (plugin.command.contains('/')) {
      plugin.command = path_of(exec, "command");
    }
    plugin.install_hint = text_of(exec, "installHint");
    plugin.is_told_the_cluster = is_true(exec, "provideClusterInfo");
    if (const auto arguments = member(exec, "args")) {
      for (const Value& each : arguments->children()) {
        plugin.arguments.emplace_back(each.text());
      }
    }
    if (const auto environment = member(exec, "env")) {
      for (const Value& each : environment->children()) {
        std::string name = text_of(each, "name");
        if (name.empty() || name.contains('=')) {
          error(each.position(), "a variable of exec's `env` has no name", "write name and value");
          continue;
        }
        plugin.environment.emplace_back(std::move(name), text_of(each, "value"));
      }
    }
  }

  const std::string& file_;
  Kubeconfig out_;
  std::vector<Problem> problems_;
};

}  // namespace

LoadedKubeconfig parse_kubeconfig(std::string_view text, const std::string& file,
                                  const std::string& context) {
  return KubeconfigReader(file).read(text, context);
}

}  // namespace ebbgate::config
