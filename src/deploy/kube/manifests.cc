#include "deploy/kube/manifests.h"

#include <algorithm>
#include <array>
#include <cassert>
#include <utility>

#include "deploy/kube/coredns.h"
#include "deploy/kube/detail/fill.h"
#include "deploy/kube/detail/manifest_files.h"
#include "noproxy/aws_names.h"

namespace ebbgate::deploy {
namespace {

constexpr std::string_view kNamespace = "ebbgate-system";  // of the files
constexpr std::string_view kNoProxy =  // of the files, with their example networks
    "localhost,127.0.0.1,::1,[::1],169.254.169.254,fd00:ec2::254,[fd00:ec2::254],"
    "169.254.170.23,fd00:ec2::23,[fd00:ec2::23],172.20.0.0/16,172.20.0.1,"
    "kubernetes.default.svc,.svc,.cluster.local,.internal,10.64.0.0/16";
constexpr std::size_t kMaxConfigMap = 1'000'000;  // octets
constexpr std::string_view kConfigMap = "proxy-environment-variables";

bool is_label(std::string_view text) {  // RFC 1123, as names of namespaces
  return !text.empty() && text.size() <= 63 && text.front() != '-' && text.back() != '-' &&
         std::ranges::all_of(text, [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
         });
}

bool is_of(std::string_view text, std::string_view besides) {
  return !text.empty() && text.size() <= 2048 && std::ranges::all_of(text, [&](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           besides.contains(c);
  });
}

bool is_role(std::string_view text) {
  return text.starts_with("arn:aws") && text.contains(":role/") && is_of(text, ":/-_+=,.@");
}

std::vector<std::string> texts(const std::vector<Cidr>& blocks) {
  std::vector<std::string> out;
  out.reserve(blocks.size());
  for (const Cidr& block : blocks) out.push_back(block.str());
  return out;
}

bool is_v6(const Cidr& block) {
  return block.network().is_v6();
}

// What listeners are on: `[::]` takes both families, and is nothing where a node has no IPv6.
std::string any_address(const KubeAnswers& answers) {
  const bool has_v6 = std::ranges::any_of(answers.network.vpc_cidrs, is_v6) ||
                      std::ranges::any_of(answers.network.service_cidrs, is_v6);
  return has_v6 ? "[::]" : "0.0.0.0";
}

// Where gateways leave to by IPv6: the cluster's own blocks are global, too, as a rule.
std::string internet_v6(const KubeAnswers& answers) {
  static const Cidr kGlobal = *Cidr::parse("2000::/3");
  std::string own;
  for (const Cidr& block : answers.network.vpc_cidrs) {
    if (kGlobal.contains(block)) own += (own.empty() ? "\"" : ", \"") + block.str() + '"';
  }
  return own.empty() ? "{cidr: 2000::/3}" : "{cidr: 2000::/3, except: [" + own + "]}";
}

std::string config_map(std::string_view in_namespace, const ProxyEnvironment& environment) {
  std::string out =
      "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: " + std::string(kConfigMap) +
      "\n  namespace: " + std::string(in_namespace) +
      "\n  labels: {app.kubernetes.io/name: ebbgate}\ndata:\n";
  const auto add = [&](std::string_view name, const std::string& value) {
    out += "  " + std::string(name) + ": \"" + value + "\"\n";
  };
  for (const std::string_view name : kProxyVariables) add(name, environment.proxy);
  for (const std::string_view name : kNoProxyVariables) add(name, environment.no_proxy);
  return out;
}

// For `kubectl patch --patch-file`, and as it is for a server-side apply.
std::string daemon_set(std::string_view name) {
  return "# kubectl apply --server-side --field-manager=ebbgate -f " + std::string(name) +
         ".yaml\n"
         "apiVersion: apps/v1\n"
         "kind: DaemonSet\n"
         "metadata:\n"
         "  name: " +
         std::string(name) +
         "\n"
         "  namespace: kube-system\n"
         "spec:\n"
         "  template:\n"
         "    spec:\n"
         "      containers:\n"
         "        - name: " +
         std::string(name) +
         "\n"
         "          envFrom:\n"
         "            - configMapRef:\n"
         "                name: " +
         std::string(kConfigMap) + "\n";
}

std::string aws_auth(const KubeAnswers& answers) {
  std::string out =
      "# For a cluster whose authentication mode is CONFIG_MAP. It replaces what is there: add "
      "the\n"
      "# roles that the cluster has already. Where access entries are on, commands.sh has them.\n"
      "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: aws-auth\n  namespace: kube-system\n"
      "data:\n  mapRoles: |\n";
  for (const std::string& role : answers.node_roles) {
    out += "    - rolearn: " + role +
           "\n      username: system:node:{{EC2PrivateDNSName}}\n      groups:\n"
           "        - system:bootstrappers\n        - system:nodes\n";
  }
  if (!answers.gateway_role.empty()) {
    out += "    - rolearn: " + answers.gateway_role +
           "\n      username: ebbgate-gateway:{{SessionName}}\n      groups:\n"
           "        - ebbgate-gateways\n";
  }
  return out;
}

std::string indented(std::string_view text, std::string_view blanks) {
  std::string out;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size() - 1) + 1;
    out += blanks;
    out += text.substr(0, end);
    text.remove_prefix(end);
  }
  return out;
}

Result<std::string> core_dns(const KubeAnswers& answers) {
  std::vector<policy::Pattern> names = answers.names;
  const auto add = [&](const std::string& text) {
    if (auto name = policy::Pattern::parse(text)) names.push_back(*std::move(name));
  };
  // Clients resolve themselves what goes around the proxy.
  if (answers.network.cluster_endpoint) add(answers.network.cluster_endpoint->str());
  for (const std::string& service : answers.network.vpc_endpoints) {
    auto of_service = noproxy::private_names(service, answers.network.region);
    if (!of_service) return std::unexpected(std::move(of_service.error()));
    for (const std::string& name : *of_service) add(name);
  }
  const std::string text = indented(corefile(names), "    ");
  if (text.size() > kMaxConfigMap) {
    return fail(Reason::kMalformedRequest, Side::kSelf,
                "these are too many names for CoreDNS's ConfigMap, which holds 1 MiB");
  }
  return "# Replaces the cluster's own. With the EKS add-on it is the value of `corefile` in the\n"
         "# add-on's configuration: see commands.sh.\n"
         "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: coredns\n  namespace: kube-system\n"
         "data:\n  Corefile: |\n" +
         text;
}

std::string commands(const KubeAnswers& answers) {
  std::string out =
      "#!/bin/sh\n"
      "# What is no resource to be applied, in its order. Read it, and run what you need.\n"
      "set -eu\n"
      "cd \"$(dirname \"$0\")\"\n";
  const auto say = [&](std::string_view what, std::string_view command) {
    out += "\n# " + std::string(what) + "\n" + std::string(command) + "\n";
  };
  const std::string cluster =
      answers.cluster_name.empty() ? "\"${CLUSTER:?name the cluster}\"" : answers.cluster_name;
  const std::string region =
      answers.network.region.empty() ? "" : " --region " + answers.network.region;
  const std::string create_entry = "aws eks create-access-entry" + region + " --cluster-name " +
                                   cluster + " \\\n  --principal-arn ";
  for (const std::string& role : answers.node_roles) {
    std::string command = create_entry;
    command.append(role).append(" --type EC2_LINUX");
    say("The nodes of that role may join (managed node groups make their own entries).", command);
  }
  if (!answers.gateway_role.empty()) {
    say("The gateways may ask who pods are, and what the policies say.",
        create_entry + answers.gateway_role + " --kubernetes-groups ebbgate-gateways");
  }
  say("The variables of the proxy, where the DaemonSets look for them.",
      "kubectl apply -f cluster/proxy-environment.yaml");
  const auto& endpoints = answers.network.vpc_endpoints;
  const bool has_ec2 = std::ranges::find(endpoints, "ec2") != endpoints.end();
  const std::string aws_node =
      "kubectl apply --server-side --field-manager=ebbgate -f cluster/aws-node.yaml";
  say(has_ec2 ? "The VPC CNI asks EC2 for addresses, and has an endpoint for it. Otherwise:"
              : "The VPC CNI asks EC2 for addresses, and there is no endpoint for it. An apply "
                "under a field\n# manager of its own survives updates of the add-on, whose "
                "configuration has no place for this.",
      has_ec2 ? "# " + aws_node : aws_node);
  say("kube-proxy needs none where the cluster's endpoint is private; where it is not:",
      "# kubectl apply --server-side --field-manager=ebbgate -f cluster/kube-proxy.yaml");
  const std::string from = " --namespace=kube-system --from=configmap/" + std::string(kConfigMap);
  say("The same for clusters that have no server-side apply; or one by one, three of the six, as "
      "kubectl\n# writes their names in capitals: these two programs need no others.",
      "# kubectl patch -n kube-system daemonset aws-node --patch-file cluster/aws-node.yaml\n"
      "# kubectl set env daemonset/aws-node" +
          from + " --containers='*'\n# kubectl set env daemonset/kube-proxy" + from +
          " --containers='*'");
  say("DNS that answers only the names that are needed. With the add-on:",
      "# aws eks update-addon" + region + " --cluster-name " + cluster +
          " --addon-name coredns \\\n"
          "#   --configuration-values \"$(kubectl create --dry-run=client -o json -f "
          "cluster/coredns.yaml |\n#     jq '{corefile: .data.Corefile}')\"\n"
          "# and without:\n# kubectl apply -f cluster/coredns.yaml");
  return out;
}

class Renderer {
 public:
  Renderer(const KubeAnswers& answers, const ProxyEnvironment& environment)
      : answers_(answers), environment_(environment) {
    const auto& network = answers.network;
    marks_["image"] = {"ebbgate:0.1.0", {answers.image.empty() ? "ebbgate:0.1.0" : answers.image}};
    marks_["vpc-cidr"] = {"10.64.0.0/16", texts(network.vpc_cidrs)};
    marks_["service-cidr"] = {"172.20.0.0/16", texts(network.service_cidrs)};
    marks_["kubernetes-service"] = {
        "172.20.0.1/32", {Cidr::of(noproxy::first_service(network.service_cidrs.front())).str()}};
    marks_["any-address"] = {"0.0.0.0", {any_address(answers)}};
    marks_["internet-v6"] = {"{cidr: 2000::/3}", {internet_v6(answers)}};
    marks_["arguments"] = {
        "config.yaml]",
        {answers.has_monitoring ? "config.yaml, --health-metrics]" : "config.yaml]"}};
    marks_["pod-cidr"] = {"10.64.0.0/16",
                          texts(answers.pod_cidrs.empty() ? network.vpc_cidrs : answers.pod_cidrs)};
    marks_["proxy-url"] = {"http://ebbgate." + std::string(kNamespace) + ".svc.cluster.local:3128",
                           {environment.proxy}};
    marks_["no-proxy"] = {std::string(kNoProxy), {environment.no_proxy}};
    marks_["monitoring-namespace"] = {"monitoring", {answers.monitoring_namespace}};
  }

  void render() {
    const bool is_in_cluster = answers_.place == GatewayPlace::kInCluster;
    take("base/crds/", KubePart::kCrds);
    take("base/", KubePart::kGateway);
    take(is_in_cluster ? "overlays/in-cluster/" : "overlays/eks-ec2-fleet/", KubePart::kGateway);
    if (answers_.has_monitoring) take("overlays/monitoring/", KubePart::kMonitoring);
    if (answers_.has_webhook) take("webhook/", KubePart::kWebhook);
    take("policies/", KubePart::kPolicies);
    for (const std::string& each : answers_.app_namespaces) {
      marks_["app-namespace"] = {"default", {each}};
      const std::string folder = "namespaces/" + each + "/";
      add(KubePart::kNamespaces, folder + "network.yaml", text_of("app-namespace/network.yaml"));
      add(KubePart::kNamespaces, folder + "quota.yaml", text_of("app-namespace/quota.yaml"));
      add(KubePart::kNamespaces, folder + "proxy-environment.yaml", config_map(each, environment_));
    }
    add(KubePart::kProxyEnvironment, "cluster/proxy-environment.yaml",
        config_map("kube-system", environment_));
    for (const std::string_view name : {"aws-node", "kube-proxy"}) {
      add(KubePart::kDaemonSets, "cluster/" + std::string(name) + ".yaml", daemon_set(name), false);
    }
    if (!answers_.node_roles.empty() || !answers_.gateway_role.empty()) {
      add(KubePart::kAwsAuth, "cluster/aws-auth.yaml", aws_auth(answers_), false);
    }
  }

  void add(KubePart part, std::string path, std::string text, bool is_applied = true) {
    files.push_back({part, std::move(path), std::move(text), is_applied});
  }

  std::vector<KubeFile> files;

 private:
  [[nodiscard]] std::string text_of(std::string_view path) const {
    for (const detail::ManifestFile& file : detail::manifest_files()) {
      if (file.path == path) {
        return detail::replaced(detail::filled(file.text, marks_), kNamespace,
                                answers_.own_namespace);
      }
    }
    assert(false);
    return {};
  }

  // The files that stand in that folder itself, its namespace first.
  void take(std::string_view folder, KubePart part) {
    const std::size_t first = files.size();
    for (const detail::ManifestFile& file : detail::manifest_files()) {
      if (!file.path.starts_with(folder)) continue;
      const std::string_view name = file.path.substr(folder.size());
      if (name.contains('/')) continue;
      const bool is_kustomize = name == "kustomization.yaml";
      // With Prometheus there is one autoscaler all the same.
      const bool is_other_hpa =
          name == "hpa.yaml" && answers_.has_monitoring != (part == KubePart::kMonitoring);
      // No server takes a policy in the call that brings its type.
      add(part, std::string(file.path), text_of(file.path),
          !is_kustomize && !is_other_hpa && part != KubePart::kPolicies);
    }
    const auto own =
        std::ranges::find(files.begin() + static_cast<std::ptrdiff_t>(first), files.end(),
                          std::string(folder) + "namespace.yaml", &KubeFile::path);
    if (own != files.end()) {
      std::rotate(files.begin() + static_cast<std::ptrdiff_t>(first), own, own + 1);
    }
  }

  const KubeAnswers& answers_;
  const ProxyEnvironment& environment_;
  detail::Marks marks_;
};

}  // namespace

std::string_view word(KubePart part) {
  static constexpr std::array<std::string_view, 11> kWords = {
      "crds",       "gateway",  "monitoring", "webhook",  "namespaces", "proxy-environment",
      "daemonsets", "aws-auth", "coredns",    "policies", "commands"};
  return kWords.at(static_cast<std::size_t>(part));
}

bool is_proxy_url(std::string_view url) {
  for (const std::string_view scheme : {"http://", "https://"}) {
    if (!url.starts_with(scheme)) continue;
    return Authority::parse(url.substr(scheme.size())).has_value();
  }
  return false;
}

std::string fault_of(const KubeAnswers& answers) {
  if (!is_label(answers.own_namespace)) return "--namespace is no name of a namespace";
  if (!is_label(answers.monitoring_namespace)) {
    return "--monitoring-namespace is no name of a namespace";
  }
  for (const std::string& each : answers.app_namespaces) {
    if (!is_label(each)) return "--app-namespace " + each + " is no name of a namespace";
    if (each == answers.own_namespace || each == "kube-system") {
      return "--app-namespace " + each + " is none of applications: its pods may leave";
    }
  }
  if (!answers.image.empty() && !is_of(answers.image, "./-_:@")) return "--image is no image";
  if (!answers.proxy_url.empty() && !is_proxy_url(answers.proxy_url)) {
    return "--proxy-url is not http:// or https://, a host, and a port";
  }
  if (answers.place == GatewayPlace::kEksEc2Fleet && answers.proxy_url.empty()) {
    return "--proxy-url is missing: the address of the gateways' load balancer";
  }
  if (answers.place == GatewayPlace::kEksEc2Fleet && answers.has_monitoring) {
    return "--monitoring is for gateways in the cluster; for a fleet, deploy/monitoring has the "
           "rules";
  }
  if (answers.network.vpc_cidrs.empty()) {
    return "--vpc-cidr is missing: the blocks of the nodes' and the pods' addresses";
  }
  if (answers.network.service_cidrs.empty()) {
    return "--service-cidr is missing: the block of the services";
  }
  for (const Cidr& services : answers.network.service_cidrs) {
    const auto& pods = answers.pod_cidrs.empty() ? answers.network.vpc_cidrs : answers.pod_cidrs;
    const auto is_alike = [&](const Cidr& block) { return is_v6(block) == is_v6(services); };
    if (!std::ranges::any_of(pods, is_alike)) {
      return "--service-cidr " + services.str() + " is of a family of which there is no " +
             (answers.pod_cidrs.empty() ? "--vpc-cidr" : "--pod-cidr") +
             ": pods would be no clients of the gateways";
    }
  }
  for (const Cidr& pods : answers.pod_cidrs) {
    const auto holds = [&](const Cidr& block) { return block.contains(pods); };
    if (!std::ranges::any_of(answers.network.vpc_cidrs, holds)) {
      return "--pod-cidr " + pods.str() + " lies in no --vpc-cidr";
    }
  }
  if (!answers.network.region.empty() && !is_of(answers.network.region, "-")) {
    return "--region is no region";
  }
  if (!answers.cluster_name.empty() && !is_of(answers.cluster_name, "-_")) {
    return "--cluster-name is no name of a cluster";
  }
  for (const std::string& role : answers.node_roles) {
    if (!is_role(role)) return "--node-role " + role + " is no ARN of a role";
  }
  if (!answers.gateway_role.empty() && !is_role(answers.gateway_role)) {
    return "--gateway-role " + answers.gateway_role + " is no ARN of a role";
  }
  return {};
}

Result<ProxyEnvironment> proxy_environment(const KubeAnswers& answers) {
  auto entries = noproxy::build_entries(answers.network);
  if (!entries) return std::unexpected(std::move(entries.error()));
  ProxyEnvironment environment{answers.proxy_url, noproxy::join(*entries)};
  if (environment.proxy.empty()) {
    environment.proxy = "http://ebbgate." + answers.own_namespace + ".svc.cluster.local:3128";
  }
  return environment;
}

Result<std::vector<KubeFile>> render_manifests(const KubeAnswers& answers) {
  const auto environment = proxy_environment(answers);
  if (!environment) return std::unexpected(environment.error());
  auto dns = core_dns(answers);
  if (!dns) return std::unexpected(std::move(dns.error()));
  Renderer renderer(answers, *environment);
  renderer.render();
  renderer.add(KubePart::kCoreDns, "cluster/coredns.yaml", *std::move(dns), false);
  renderer.add(KubePart::kCommands, "commands.sh", commands(answers), false);
  return std::move(renderer.files);
}

}  // namespace ebbgate::deploy
