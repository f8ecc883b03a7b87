#include "app/kube_command.h"

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include "app/exit_code.h"
#include "app/kube_answers.h"
#include "base/escape.h"
#include "deploy/kube/manifests.h"
#include "deploy/kube/node_setup.h"

namespace ebbgate::app {
namespace {

namespace fs = std::filesystem;
using deploy::KubeFile;

constexpr const char* kHelp =
    R"(usage: ebbgate kube manifests --vpc-cidr CIDR --service-cidr CIDR [FLAGS]
       ebbgate kube node-setup --proxy-url URL --vpc-cidr CIDR --service-cidr CIDR [FLAGS]
       ebbgate kube plan|apply|status|verify [FLAGS]

The last four talk to a cluster, and have --help each: what it would be given and how that differs
from what is there, giving it, what there is, and the proofs. The first two only render what a
cluster is given, for the answers that the flags give; nothing is asked, and nothing applied.
`manifests` prints what `kubectl apply -f -` takes: types, rights, gateways, the network policies
that close the bypass, and the proxy's variables. With --output it writes all of it into a folder,
and what changes the cluster's own parts besides: patches of aws-node and kube-proxy, aws-auth,
CoreDNS, and commands.sh. `node-setup` prints a shell script for nodes that
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
  --service-cidr CIDR *          The block of the services; of two, the API's own first.
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

int manifests(KubeOrder& options, const std::string& output) {
  if (const std::string part = unknown_part(options); !part.empty()) {
    return refuse_kube("--part " + part + " is none");
  }
  if (!take_policy_names(options)) return kInvalid;
  auto files = deploy::render_manifests(options.answers);
  if (!files) return refuse_kube(files.error().detail);
  const bool is_whole = options.parts.empty() && !output.empty();
  std::erase_if(*files, [&](const KubeFile& file) {
    if (is_whole) return false;
    if (options.parts.empty()) return !file.is_applied;
    const bool is_asked_for =
        std::ranges::find(options.parts, deploy::word(file.part)) != options.parts.end();
    return !is_asked_for || file.path.ends_with("kustomization.yaml");
  });
  if (!output.empty()) return write_all(*files, output);
  print(*files);
  return kFine;
}

int node_setup(const KubeOrder& options) {
  if (options.answers.proxy_url.empty()) {
    return refuse_kube("--proxy-url is missing: nodes know no names of services");
  }
  const auto environment = deploy::proxy_environment(options.answers);
  if (!environment) return refuse_kube(environment.error().detail);
  std::fputs(deploy::node_setup(*environment).c_str(), stdout);
  return kFine;
}

}  // namespace

int run_kube(std::span<const char* const> words) {
  const std::string_view command = words.empty() ? "" : words.front();
  if (command == "plan" || command == "apply") return run_kube_plan(words);
  if (command == "status") return run_kube_status(words.subspan(1));
  if (command == "verify") return run_kube_verify(words.subspan(1));
  if (command == "probe") return run_kube_probe(words.subspan(1));
  KubeOrder order;
  std::string output;
  std::vector<OwnFlag> flags = kube_answer_flags(order);
  flags.push_back(text_flag("output", output));
  const KubeWords line = read_kube_words(words, flags);
  if (line.help) {
    std::fputs(kHelp, stdout);
    return kFine;
  }
  if (line.code != kFine) return line.code;
  const std::string what = line.operands.size() == 1 ? line.operands.front() : "";
  if (what != "manifests" && what != "node-setup") {
    return refuse_kube("say manifests, node-setup, plan, apply, status or verify");
  }
  if (const std::string wrong = deploy::fault_of(order.answers); !wrong.empty()) {
    return refuse_kube(wrong);
  }
  return what == "manifests" ? manifests(order, output) : node_setup(order);
}

}  // namespace ebbgate::app
