#include "deploy/script.h"

#include <algorithm>
#include <set>

#include "deploy/manifests.h"

namespace ebbgate::deploy {
namespace {

// In place of the API's host name, which is known when the script runs.
constexpr const char* kApiHost = "api-host.invalid";

// The shell variable of an output: `service_role_ServiceRoleArn`.
std::string variable(const FromOutput& from) {
  std::string name = from.step + "_" + from.output;
  std::ranges::replace(name, '-', '_');
  return name;
}

std::string variable(const FromZone& from) {
  std::string name = "zone_" + from.name;
  std::ranges::replace(name, '-', '_');
  return name;
}

std::string no_proxy_template(const config::EksSettings& settings) {
  Facts facts;
  facts.outputs["cluster"] = {{"ClusterEndpoint", std::string("https://") + kApiHost}};
  std::string value = no_proxy(settings, facts).value_or("");
  const std::size_t at = value.find(kApiHost);
  if (at == std::string::npos) return value;
  return value.replace(at, std::string_view(kApiHost).size(), "$api_host");
}

constexpr const char* kHead = R"(set -eu

# The templates that belong to it: `ebbgate eks plan --write-templates FOLDER` writes them.
templates=${1:?name the folder of the templates}

# An output of a stack.
output() {
  aws cloudformation describe-stacks --region "$region" --stack-name "$1" \
    --query "Stacks[0].Outputs[?OutputKey=='$2'].OutputValue" --output text
}
)";

constexpr const char* kZoneFunction = R"(
# The id of a zone, which is the same in every account.
zone_id() {
  aws ec2 describe-availability-zones --region "$region" --zone-names "$1" \
    --query 'AvailabilityZones[0].ZoneId' --output text
}
)";

constexpr const char* kLogFunction = R"(
# Whether the control plane's log group is to be made: an earlier cluster may have left it behind.
control_plane_log() {
  aws cloudformation describe-stacks --region "$region" --stack-name "$cluster-cluster" --query \
    "Stacks[0].Parameters[?ParameterKey=='ControlPlaneLogGroup'].ParameterValue" \
    --output text 2>/dev/null && return
  found=$(aws logs describe-log-groups --region "$region" --query 'length(logGroups)' \
    --output text --log-group-name-prefix "/aws/eks/$cluster/cluster")
  if [ "$found" = 0 ]; then echo create; else echo existing; fi
}
)";

class Script {
 public:
  Script(const Plan& plan, const config::EksSettings& settings)
      : plan_(plan), settings_(settings) {}

  std::string text() {
    out_ = "#!/bin/sh\n# What `ebbgate eks apply` does for " + plan_.cluster + " in " +
           plan_.region +
           ", as commands. Each may be run again: what\n# stands is left as it "
           "is.\n";
    out_ += kHead;
    if (has_zone_names()) out_ += kZoneFunction;
    out_ += kLogFunction;
    out_ += "\nregion=" + shell_quoted(plan_.region) + "\ncluster=" + shell_quoted(plan_.cluster) +
            "\n";
    for (const Step& step : plan_.steps) add(step);
    for (const ByHand& hand : plan_.by_hand) {
      out_ += "\n# By hand: " + hand.what + "\n";
      for (const std::string& command : hand.commands) out_ += "#   " + command + "\n";
    }
    add_kubectl();
    return std::move(out_);
  }

 private:
  [[nodiscard]] bool has_zone_names() const {
    return std::ranges::any_of(plan_.steps, [](const Step& step) {
      return std::ranges::any_of(step.arguments, [](const Argument& each) {
        return std::holds_alternative<FromZone>(each.source);
      });
    });
  }

  void set(const std::string& name, const std::string& command) {
    if (set_.insert(name).second) out_ += name + "=" + command + "\n";
  }

  void add(const Step& step) {
    out_ += "\n# Step " + step.satisfies + " of the text: " + step.title + ", about " +
            step.minutes + " min\n";
    for (const Argument& each : step.arguments) {
      if (const auto* from = std::get_if<FromOutput>(&each.source)) {
        set(variable(*from), "$(output \"$cluster-" + from->step + "\" " + from->output + ")");
      } else if (const auto* zone = std::get_if<FromZone>(&each.source)) {
        set(variable(*zone), "$(zone_id " + shell_quoted(zone->name) + ")");
      } else if (std::holds_alternative<FromControlPlaneLog>(each.source)) {
        set("log_group", "$(control_plane_log)");
      } else if (std::holds_alternative<FromNoProxy>(each.source)) {
        set("api_host", "$(output \"$cluster-cluster\" ClusterEndpointHost)");
        set("no_proxy", "\"" + no_proxy_template(settings_) + "\"");
      }
    }
    out_ += "aws cloudformation deploy --region \"$region\" --stack-name \"$cluster-" + step.id +
            "\" \\\n  --template-file \"$templates/" + step.id +
            ".yaml\" --no-fail-on-empty-changeset \\\n  --capabilities CAPABILITY_NAMED_IAM";
    out_ += " \\\n  --tags";
    for (const auto& [key, value] : plan_.tags) out_ += " " + shell_quoted(key + "=" + value);
    if (!step.arguments.empty()) out_ += " \\\n  --parameter-overrides";
    for (const Argument& each : step.arguments) {
      if (is_given(each)) out_.append(" \\\n    ").append(word(each));
    }
    out_ += "\n";
  }

  // What `aws cloudformation deploy` is not given, it leaves as it is.
  static bool is_given(const Argument& each) {
    return !std::holds_alternative<FromPrepared>(each.source);
  }

  static std::string word(const Argument& each) {
    if (const auto* text = std::get_if<std::string>(&each.source)) {
      return shell_quoted(each.name + "=" + *text);
    }
    std::string name = "no_proxy";
    if (const auto* from = std::get_if<FromOutput>(&each.source)) name = variable(*from);
    if (const auto* zone = std::get_if<FromZone>(&each.source)) name = variable(*zone);
    if (std::holds_alternative<FromControlPlaneLog>(each.source)) name = "log_group";
    return "\"" + each.name + "=$" + name + "\"";
  }

  void add_kubectl() {
    out_ +=
        "\n# Step 6 of the text, on the bastion: kubeconfig\n"
        "aws eks update-kubeconfig --region \"$region\" --name \"$cluster\"\n";
    if (settings_.access.value == config::AccessMode::kConfigMap) {
      const std::string role = settings_.bastion ? settings_.bastion->role.value : std::string();
      out_ +=
          "\n# Step 11 of the text: the nodes' role may join\n"
          "node_role=$(output \"$cluster-nodegroup\" NodeRoleArn)\n"
          "kubectl apply -f - <<EOF\n" +
          aws_auth("$node_role", role) + "EOF\n";
    }
    out_ += "\n# Step 11 of the text: the proxy's settings, for whatever takes them from there\n";
    out_ += "proxy_url=$(output \"$cluster-gateway\" ProxyUrl)\n";
    out_ +=
        "kubectl create configmap proxy-environment-variables --namespace kube-system \\\n"
        "  --from-literal=HTTP_PROXY=\"$proxy_url\" --from-literal=http_proxy=\"$proxy_url\" \\\n"
        "  --from-literal=HTTPS_PROXY=\"$proxy_url\" --from-literal=https_proxy=\"$proxy_url\" \\\n"
        "  --from-literal=NO_PROXY=\"$no_proxy\" --from-literal=no_proxy=\"$no_proxy\" \\\n"
        "  --dry-run=client -o yaml | kubectl apply -f -\n";
    if (needs_proxy_in_cni(settings_)) {
      out_ +=
          "kubectl apply --server-side --field-manager=ebbgate --force-conflicts -f - <<'EOF'\n" +
          proxy_daemon_set("aws-node") + "EOF\n";
    }
    if (settings_.gateway.kube.value) add_gateway_access();
    out_ +=
        "\n# The proofs\n"
        "kubectl get svc\n"
        "kubectl get nodes\n"
        "kubectl get pods --all-namespaces\n"
        "curl --silent --output /dev/null --write-out 'allowed: %{http_connect}\\n' \\\n"
        "  --proxy \"$proxy_url\" \"https://sts.$region.amazonaws.com/\" || true\n"
        "curl --silent --output /dev/null --write-out 'refused: %{http_connect}\\n' \\\n"
        "  --proxy \"$proxy_url\" https://ebbgate-verify.invalid/ || true\n";
  }

  // First what gateways need in the cluster, then that they are told of it: the other way round
  // they would not get ready.
  void add_gateway_access() {
    out_ +=
        "\n# Gateways ask the cluster for its policies and pods: first what that needs there\n"
        "kubectl apply --server-side --field-manager=ebbgate -f "
        "\"$templates/gateway-access.yaml\"\n"
        "aws cloudformation deploy --region \"$region\" --stack-name \"$cluster-gateway\" \\\n"
        "  --template-file \"$templates/gateway.yaml\" --no-fail-on-empty-changeset \\\n"
        "  --capabilities CAPABILITY_NAMED_IAM --parameter-overrides \"KubeCluster=$cluster\"\n";
  }

  const Plan& plan_;
  const config::EksSettings& settings_;
  std::set<std::string> set_;
  std::string out_;
};

}  // namespace

std::string shell_quoted(std::string_view text) {
  const auto is_plain = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           std::string_view("-_./:=,@%+").contains(c);
  };
  if (!text.empty() && std::ranges::all_of(text, is_plain)) return std::string(text);
  std::string out = "'";
  for (const char c : text) {
    if (c == '\'') {
      out += "'\\''";
    } else {
      out += c;
    }
  }
  return out + "'";
}

bool needs_proxy_in_cni(const config::EksSettings& settings) {
  const auto has = [&](std::string_view service) {
    return std::ranges::any_of(settings.network.endpoints,
                               [&](const auto& each) { return each.value == service; });
  };
  return !has("ec2") || !has("eks-auth");
}

std::string bastion_script(const Plan& plan, const config::EksSettings& settings) {
  return Script(plan, settings).text();
}

std::string kubectl_commands(const config::EksSettings& settings, const std::string& folder) {
  const std::string kubectl = "kubectl --kubeconfig " + shell_quoted(folder + "/kubeconfig") + " ";
  const auto file = [&](const char* name) { return shell_quoted(folder + "/" + name) + "\n"; };
  std::string out;
  if (settings.access.value == config::AccessMode::kConfigMap) {
    out += kubectl + "apply -f " + file("aws-auth.yaml");
  }
  out += kubectl + "apply -f " + file("proxy-environment-variables.yaml");
  if (needs_proxy_in_cni(settings)) {
    out += kubectl + "apply --server-side --field-manager=ebbgate --force-conflicts -f " +
           file("aws-node.yaml");
  }
  if (settings.gateway.kube.value) {
    out +=
        kubectl + "apply --server-side --field-manager=ebbgate -f " + file("gateway-access.yaml");
  }
  return out;
}

}  // namespace ebbgate::deploy
