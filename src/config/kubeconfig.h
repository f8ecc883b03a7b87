// kubectl's configuration file: text in, one context of it out, whole and resolved, with every
// problem at once. What would weaken the connection, or is not done here, is refused by name.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/secret.h"
#include "config/problem.h"

namespace ebbgate::config {

// A program that prints credentials (client.authentication.k8s.io).
struct KubeExec {
  std::string api_version = {};  // of the ExecCredential, v1 or v1beta1, with its group
  std::string command = {};      // a name for PATH, or a path; relative ones are made absolute
  std::vector<std::string> arguments = {};
  std::vector<std::pair<std::string, std::string>> environment = {};
  std::string install_hint = {};
  bool is_told_the_cluster = false;  // provideClusterInfo
  bool operator==(const KubeExec&) const = default;
};

struct Kubeconfig {
  std::string context = {};
  std::string server = {};    // https://host[:port][/path], without a slash at its end
  std::string tls_name = {};  // whom the certificate has to name; empty: the server's host
  std::string home_namespace = "default";
  // Of each pair one at most is set; paths are absolute, or relative to the process where `file`
  // is. Neither authority: the system's.
  std::string ca_pem = {};
  std::string ca_file = {};
  std::string certificate_pem = {};
  std::string certificate_file = {};
  Secret key_pem = {};
  std::string key_file = {};
  Secret token = {};
  std::string token_file = {};
  std::optional<KubeExec> exec = {};
};

struct LoadedKubeconfig {
  Kubeconfig config;  // not to be used where has_errors(problems)
  std::vector<Problem> problems;
};

// In: the text, the name of its file (relative paths are relative to its folder), and the context
// to take; empty: the file's current one. Refused: insecure-skip-tls-verify, proxy-url, auth
// providers, passwords, impersonation, a server without TLS, exec plugins that have to ask a
// person. Keys that kubectl does not know either are passed over, as kubectl does.
[[nodiscard]] LoadedKubeconfig parse_kubeconfig(std::string_view text, const std::string& file,
                                                const std::string& context = {});

}  // namespace ebbgate::config
