#include "app/kube_command.h"

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <map>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include "app/exit_code.h"
#include "base/escape.h"
#include "config/arguments.h"
#include "config/load_policy.h"
#include "config/settings.h"
#include "deploy/kube/manifests.h"
#include "deploy/kube/node_setup.h"
#include "noproxy/target.h"

namespace ebbgate::app {
namespace {

namespace fs = std::filesystem;
using deploy::KubeAnswers;
using deploy::KubeFile;

constexpr const char* kHelp =
    R"(usage: ebbgate kube manifests --vpc-cidr CIDR --service-cidr CIDR [FLAGS]
       ebbgate kube node-setup --proxy-url URL --vpc-cidr CIDR --service-cidr CIDR [FLAGS]

What a cluster is given, rendered for the answers that the flags give; nothing is asked of a
cluster, and nothing applied. `manifests` prints what `kubectl apply -f -` takes: types, rights,
gateways, the network policies that close the bypass, and the proxy's variables. With --output it
writes all of it into a folder, and what changes the cluster's own parts besides: patches of aws-node
and kube-proxy, aws-auth, CoreDNS, and commands.sh. `node-setup` prints a shell script for nodes that
EKS did not set up (kubeadm, k3s): containerd, kubelet, apt and dnf use the proxy then.

Examples:
  ebbgate kube manifests --vpc-cidr 10.64.0.0/16 --service-cidr 172.20.0.0/16 | kubectl apply -f -
  ebbgate kube manifests --for eks-ec2-fleet --proxy-url http://nlb.example:3128 --output cluster/ \
      --vpc-cidr 10.64.0.0/16 --service-cidr 172.20.0.0/16 --region eu-west-2 --vpc-endpoint s3 \
      --cluster-endpoint https://0A1B.gr7.eu-west-2.eks.amazonaws.com --app-namespace shop
  ebbgate kube manifests --part coredns --policy policy/ --vpc-cidr 10.0.0.0/16 \
      --service-cidr 10.96.0.0/12
  ebbgate kube node-setup --proxy-url http://proxy.example:3128 --vpc-cidr 10.0.0.0/16 \
      --service-cidr 10.96.0.0/12 >node-setup.sh

Where the gateways run, and who goes through them:
  --for PLACE                    in-cluster (default) or eks-ec2-fleet: outside of it.
  --proxy-url URL                The clients' proxy; default in the cluster: the gateways' service.
  --app-namespace NAME *         A namespace of applications, whose bypass is closed.
  --namespace NAME               The gateways' own; default: ebbgate-system.
  --image IMAGE                  Of the gateways.
  --monitoring                   Besides, what Prometheus's operator takes.
  --webhook                      Besides, what gives pods the proxy without their mentioning it.
  --monitoring-namespace NAME    Where Prometheus runs; default: monitoring.

The cluster's network, as in `ebbgate noproxy`:
  --vpc-cidr CIDR *              Blocks of nodes and pods.
  --pod-cidr CIDR *              Those of them where pods have addresses; default: all.
  --service-cidr CIDR            The block of the services.
  --cluster-endpoint URL         The API server's own name.
  --region REGION                Such as eu-west-2.
  --vpc-endpoint SERVICE *       VPC endpoints that exist, such as s3.
  --extra ENTRY *                What else goes around the proxy.

For EKS and CoreDNS:
  --cluster-name NAME            Of the cluster, in commands.
  --node-role ARN *              The role of nodes that are in no managed group.
  --gateway-role ARN             The role of the gateways outside.
  --policy FILE|DIR *            Whose names CoreDNS answers.

Output:
  --part PART *                  Only that: crds, gateway, monitoring, webhook, namespaces,
                                 proxy-environment, daemonsets, aws-auth, coredns, policies or
                                 commands.
  --output DIR                   Write files; DIR has to be new, empty, or written by this before.
  --help                         This text.

Flags marked * may be repeated, or take several values with commas between.
Exit codes: 0 fine, 1 a file cannot be written, 2 usage, 3 an invalid policy.
)";

int refuse(std::string_view message) {
  std::fprintf(stderr, "ebbgate kube: %s; see `ebbgate kube --help`\n",
               escaped_prose(message).c_str());
  return kUsage;
}

struct Options {
  KubeAnswers answers;
  std::vector<std::string> policies;
  std::vector<std::string> parts;
  std::string output;
};

void add_split(std::vector<std::string>& to, std::string_view value) {
  for (;;) {
    const std::size_t comma = value.find(',');
    if (!value.substr(0, comma).empty()) to.emplace_back(value.substr(0, comma));
    if (comma == std::string_view::npos) return;
    value.remove_prefix(comma + 1);
  }
}

// Those whose value is text as it stands.
std::map<std::string_view, std::string*> texts_of(Options& options) {
  KubeAnswers& answers = options.answers;
  return {{"proxy-url", &answers.proxy_url},
          {"namespace", &answers.own_namespace},
          {"image", &answers.image},
          {"monitoring-namespace", &answers.monitoring_namespace},
          {"region", &answers.network.region},
          {"cluster-name", &answers.cluster_name},
          {"gateway-role", &answers.gateway_role},
          {"output", &options.output}};
}

std::map<std::string_view, std::vector<std::string>*> lists_of(Options& options) {
  KubeAnswers& answers = options.answers;
  return {{"app-namespace", &answers.app_namespaces},
          {"vpc-endpoint", &answers.network.vpc_endpoints},
          {"extra", &answers.network.extras},
          {"node-role", &answers.node_roles},
          {"policy", &options.policies},
          {"part", &options.parts}};
}

// What is wrong with the flag, if anything.
std::string take_network(const config::Flag& flag, KubeAnswers& answers) {
  noproxy::ClusterFacts& network = answers.network;
  if (flag.name == "cluster-endpoint") {
    const auto target = noproxy::Target::parse(flag.value);
    auto name = target ? Hostname::parse(target->host) : std::unexpected(target.error());
    if (!name) return "--cluster-endpoint: " + name.error().detail;
    network.cluster_endpoint = *std::move(name);
    return "";
  }
  std::vector<std::string> words;
  add_split(words, flag.value);
  for (const std::string& word : words) {
    const auto block = Cidr::parse(word);
    if (!block) return "--" + flag.name + ": '" + word + "' is no address block";
    if (flag.name == "vpc-cidr") {
      network.vpc_cidrs.push_back(*block);
    } else if (flag.name == "pod-cidr") {
      answers.pod_cidrs.push_back(*block);
    } else {
      network.service_cidr = block;
    }
  }
  return "";
}

std::string take_flags(const config::Arguments& arguments, Options& options) {
  const auto texts = texts_of(options);
  const auto lists = lists_of(options);
  for (const config::Flag& flag : arguments.flags) {
    if (const auto text = texts.find(flag.name); text != texts.end()) {
      *text->second = flag.value;
    } else if (const auto list = lists.find(flag.name); list != lists.end()) {
      add_split(*list->second, flag.value);
    } else if (flag.name == "monitoring") {
      options.answers.has_monitoring = flag.value == "true";
    } else if (flag.name == "webhook") {
      options.answers.has_webhook = flag.value == "true";
    } else if (flag.name == "for") {
      if (flag.value != "in-cluster" && flag.value != "eks-ec2-fleet") {
        return "--for is in-cluster or eks-ec2-fleet";
      }
      const bool is_in_cluster = flag.value == "in-cluster";
      options.answers.place =
          is_in_cluster ? deploy::GatewayPlace::kInCluster : deploy::GatewayPlace::kEksEc2Fleet;
    } else if (std::string wrong = take_network(flag, options.answers); !wrong.empty()) {
      return wrong;
    }
  }
  return deploy::fault_of(options.answers);
}

// The names that the policies allow, or delegate; false where they are invalid, which is told.
bool take_names(Options& options) {
  if (options.policies.empty()) return true;
  config::Settings settings;
  settings.policies = options.policies;
  const config::LoadedPolicy loaded = config::load_policy(settings);
  std::fputs(config::str(loaded.problems).c_str(), stderr);
  if (loaded.policy == nullptr) return false;
  const auto take = [&](const policy::PatternList& hosts) {
    for (std::size_t i = 0; i < hosts.size(); ++i) options.answers.names.push_back(hosts[i]);
  };
  for (const policy::Document& document : loaded.policy->documents()) {
    for (const policy::Entry& entry : document.allow) take(entry.hosts);
    if (document.delegate) take(document.delegate->hosts);
  }
  return true;
}

int write_all(const std::vector<KubeFile>& files, const fs::path& folder) {
  for (const KubeFile& file : files) {
    const fs::path path = folder / file.path;
    std::error_code error;
    fs::create_directories(path.parent_path(), error);
    std::ofstream out(path, std::ios::binary | std::ios::trunc);
    out << file.text;
    out.close();
    if (!out) {
      std::fprintf(stderr, "ebbgate kube: %s cannot be written\n",
                   escaped_prose(path.string()).c_str());
      return kFailed;
    }
    if (file.part == deploy::KubePart::kCommands) {
      fs::permissions(path, fs::perms::owner_exec, fs::perm_options::add, error);
    }
    std::printf("%s\n", path.c_str());
  }
  return kFine;
}

void print(const std::vector<KubeFile>& files) {
  for (const KubeFile& file : files) {
    const bool is_yaml = file.path.ends_with(".yaml");
    std::printf("%s%s", is_yaml ? "---\n" : "", file.text.c_str());
  }
}

int manifests(Options& options) {
  static constexpr deploy::KubePart kLast = deploy::KubePart::kCommands;
  for (const std::string& part : options.parts) {
    bool is_known = false;
    for (int i = 0; i <= static_cast<int>(kLast); ++i) {
      is_known |= deploy::word(static_cast<deploy::KubePart>(i)) == part;
    }
    if (!is_known) return refuse("--part " + part + " is none");
  }
  if (!take_names(options)) return kInvalid;
  auto files = deploy::render_manifests(options.answers);
  if (!files) return refuse(files.error().detail);
  const bool is_whole = options.parts.empty() && !options.output.empty();
  std::erase_if(*files, [&](const KubeFile& file) {
    if (is_whole) return false;
    if (options.parts.empty()) return !file.is_applied;
    const bool is_asked_for =
        std::ranges::find(options.parts, deploy::word(file.part)) != options.parts.end();
    return !is_asked_for || file.path.ends_with("kustomization.yaml");
  });
  if (!options.output.empty()) return write_all(*files, options.output);
  print(*files);
  return kFine;
}

int node_setup(const Options& options) {
  if (options.answers.proxy_url.empty()) {
    return refuse("--proxy-url is missing: nodes know no names of services");
  }
  const auto environment = deploy::proxy_environment(options.answers);
  if (!environment) return refuse(environment.error().detail);
  std::fputs(deploy::node_setup(*environment).c_str(), stdout);
  return kFine;
}

}  // namespace

int run_kube(std::span<const char* const> words) {
  const std::string_view command = words.empty() ? "" : words.front();
  if (command == "verify") return run_kube_verify(words.subspan(1));
  if (command == "probe") return run_kube_probe(words.subspan(1));
  Options options;
  std::vector<config::FlagSyntax> flags = {{"for"},
                                           {"vpc-cidr"},
                                           {"pod-cidr"},
                                           {"service-cidr"},
                                           {"cluster-endpoint"},
                                           {"monitoring", config::FlagValue::kNone},
                                           {"webhook", config::FlagValue::kNone}};
  for (const auto& [name, text] : texts_of(options)) flags.push_back({name});
  for (const auto& [name, list] : lists_of(options)) flags.push_back({name});
  const config::Arguments arguments = config::split_arguments(words, flags);
  if (arguments.help) {
    std::fputs(kHelp, stdout);
    return kFine;
  }
  if (!arguments.problems.empty()) {
    std::fputs(config::str(arguments.problems).c_str(), stderr);
    return kUsage;
  }
  const std::string what = arguments.operands.size() == 1 ? arguments.operands.front() : "";
  if (what != "manifests" && what != "node-setup") return refuse("say manifests or node-setup");
  if (const std::string wrong = take_flags(arguments, options); !wrong.empty()) {
    return refuse(wrong);
  }
  return what == "manifests" ? manifests(options) : node_setup(options);
}

}  // namespace ebbgate::app
