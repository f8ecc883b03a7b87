#include "deploy/manifests.h"

#include <string_view>

#include "deploy/kube/manifests.h"

namespace ebbgate::deploy {
namespace {

// A scalar in double quotes, as YAML and JSON have it alike.
std::string quoted(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    if (c == '\n') {
      out += "\\n";
    } else {
      out += c;
    }
  }
  return out + '"';
}

}  // namespace

std::string kubeconfig(const ClusterAccess& access) {
  const std::string name = quoted(access.cluster);
  return "apiVersion: v1\n"
         "kind: Config\n"
         "clusters:\n"
         "  - name: " +
         name +
         "\n"
         "    cluster:\n"
         "      server: " +
         quoted(access.endpoint) +
         "\n"
         "      certificate-authority-data: " +
         quoted(access.certificate_authority) +
         "\n"
         "contexts:\n"
         "  - name: " +
         name +
         "\n"
         "    context: {cluster: " +
         name + ", user: " + name +
         "}\n"
         "current-context: " +
         name +
         "\n"
         "users:\n"
         "  - name: " +
         name +
         "\n"
         "    user:\n"
         "      exec:\n"
         "        apiVersion: client.authentication.k8s.io/v1beta1\n"
         "        command: " +
         quoted(access.program) +
         "\n"
         "        args: [eks, token, --cluster, " +
         name + ", --region, " + quoted(access.region) +
         "]\n"
         "        interactiveMode: Never\n";
}

std::string exec_credential(const std::string& token, const std::string& expiration) {
  return R"({"apiVersion":"client.authentication.k8s.io/v1beta1","kind":"ExecCredential",)"
         R"("spec":{},"status":{"expirationTimestamp":)" +
         quoted(expiration) + R"(,"token":)" + quoted(token) + "}}\n";
}

std::string proxy_config_map(const ProxySettings& proxy) {
  std::string text =
      "apiVersion: v1\n"
      "kind: ConfigMap\n"
      "metadata: {name: proxy-environment-variables, namespace: kube-system}\n"
      "data:\n";
  for (const std::string_view name : {"HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy"}) {
    text += "  " + std::string(name) + ": " + quoted(proxy.url) + "\n";
  }
  for (const std::string_view name : {"NO_PROXY", "no_proxy"}) {
    text += "  " + std::string(name) + ": " + quoted(proxy.no_proxy) + "\n";
  }
  return text;
}

std::string proxy_daemon_set(const std::string& daemon_set) {
  return "apiVersion: apps/v1\n"
         "kind: DaemonSet\n"
         "metadata: {name: " +
         daemon_set +
         ", namespace: kube-system}\n"
         "spec:\n"
         "  template:\n"
         "    spec:\n"
         "      containers:\n"
         "        - name: " +
         daemon_set +
         "\n"
         "          envFrom:\n"
         "            - configMapRef: {name: proxy-environment-variables}\n";
}

std::string aws_auth(const std::string& node_role, const std::string& bastion_role) {
  std::string text =
      "apiVersion: v1\n"
      "kind: ConfigMap\n"
      "metadata: {name: aws-auth, namespace: kube-system}\n"
      "data:\n"
      "  mapRoles: |\n"
      "    - rolearn: " +
      node_role +
      "\n"
      "      username: system:node:{{EC2PrivateDNSName}}\n"
      "      groups: [\"system:bootstrappers\", \"system:nodes\"]\n";
  if (!bastion_role.empty()) {
    text += "    - rolearn: " + bastion_role +
            "\n"
            "      username: bastion\n"
            "      groups: [\"system:masters\"]\n";
  }
  return text;
}

std::string gateway_access(const config::EksSettings& settings, const Facts& facts) {
  KubeAnswers answers;
  answers.place = GatewayPlace::kEksEc2Fleet;
  answers.proxy_url = "http://gateways.invalid:3128";  // which no file of these parts has
  answers.network = no_proxy_facts(settings, facts);
  std::string text;
  const auto files = render_manifests(answers);
  for (const KubeFile& file : files.value_or(std::vector<KubeFile>())) {
    const bool is_wanted = file.part == KubePart::kCrds || file.part == KubePart::kGateway;
    if (is_wanted && file.is_applied) text += (text.empty() ? "" : "---\n") + file.text;
  }
  return text;
}

}  // namespace ebbgate::deploy
