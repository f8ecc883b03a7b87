#include "deploy/verify.h"

#include <algorithm>
#include <utility>

#include "aws/autoscaling.h"
#include "aws/cloudwatch.h"
#include "aws/ec2.h"
#include "aws/eks.h"
#include "kube/gateways.h"
#include "net/loop.h"
#include "policy/address_class.h"

namespace ebbgate::deploy {
namespace {

using Outputs = aws::cloudformation::Pairs;

std::string output(const Facts& facts, const std::string& step, std::string_view name) {
  const auto found = facts.outputs.find(step);
  if (found == facts.outputs.end()) return {};
  const auto each = std::ranges::find(found->second, name, &Outputs::value_type::first);
  return each == found->second.end() ? std::string() : each->second;
}

std::vector<std::string> split(std::string_view text, char separator) {
  std::vector<std::string> parts;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find(separator), text.size());
    if (end > 0) parts.emplace_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return parts;
}

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && static_cast<unsigned char>(text.back()) <= ' ') text.remove_suffix(1);
  while (!text.empty() && static_cast<unsigned char>(text.front()) <= ' ') text.remove_prefix(1);
  return text;
}

constexpr std::string_view kApplyFirst = "run `ebbgate eks apply` first";

class Verifier {
 public:
  Verifier(aws::Client& client, Probe& probe, const config::EksSettings& settings, const Plan& plan,
           Facts facts, VerifyOptions options)
      : client_(client),
        probe_(probe),
        settings_(settings),
        plan_(plan),
        facts_(std::move(facts)),
        options_(std::move(options)) {}

  net::Task<std::vector<Check>> run() {
    co_await stacks();
    co_await private_endpoint();
    co_await endpoint_answers();
    nodes();
    system_pods();
    co_await gateways();
    if (settings_.gateway.kube.value) gateways_in_cluster();
    co_await allowed();
    co_await refused();
    co_await egress();
    co_await alert();
    co_return std::move(checks_);
  }

 private:
  // Whether the check is wanted; where not, it is noted as skipped.
  bool begin(std::string name, std::string proof) {
    check_ = {};
    check_.name = std::move(name);
    check_.proof = std::move(proof);
    if (std::ranges::find(options_.skip, check_.name) == options_.skip.end()) return true;
    end(Finding::kSkipped, "--skip says so");
    return false;
  }
  void end(Finding finding, std::string detail, std::string next = {}) {
    check_.finding = finding;
    check_.detail = std::move(detail);
    check_.next = std::move(next);
    if (options_.tell) options_.tell(check_);
    checks_.push_back(std::move(check_));
  }
  void end(const aws::Failure& failure, std::string_view what) {
    end(Finding::kCannotBeTold, failure.describe(what), next_step(failure));
  }
  [[nodiscard]] Deadline soon() const { return client_.context().loop.after(options_.call_time); }

  net::Task<void> stacks() {
    if (!begin("stacks", "every stack stands as it was made")) co_return;
    std::string missing;
    for (const Step& step : plan_.steps) {
      if (!facts_.outputs.contains(step.id)) missing += (missing.empty() ? "" : ", ") + step.stack;
    }
    if (missing.empty()) {
      end(Finding::kOk, std::to_string(plan_.steps.size()) + " stacks");
    } else {
      end(Finding::kFailed, "not there, or not at rest: " + missing, std::string(kApplyFirst));
    }
  }

  net::Task<void> private_endpoint() {
    if (!begin("private-endpoint", "the cluster's API has a private endpoint and no public one")) {
      co_return;
    }
    auto cluster = co_await aws::eks::describe_cluster(client_, plan_.cluster, soon());
    if (!cluster) {
      end(cluster.error(), "eks DescribeCluster");
    } else if (!*cluster) {
      end(Finding::kFailed, "there is no cluster " + plan_.cluster, std::string(kApplyFirst));
    } else {
      const auto& it = **cluster;
      endpoint_ = it.endpoint;
      const bool is_good = it.has_private_endpoint && !it.has_public_endpoint;
      end(is_good ? Finding::kOk : Finding::kFailed,
          std::string("private ") + (it.has_private_endpoint ? "on" : "off") + ", public " +
              (it.has_public_endpoint ? "on" : "off") + ", " + it.status,
          is_good ? ""
                  : "somebody changed it by hand: run `aws eks update-cluster-config --name " +
                        plan_.cluster + " --region " + plan_.region +
                        " --resources-vpc-config "
                        "endpointPrivateAccess=true,endpointPublicAccess=false`");
    }
  }

  net::Task<void> endpoint_answers() {
    if (!begin("endpoint-answers", "the private endpoint answers from this machine")) co_return;
    const std::string url =
        endpoint_.empty() ? output(facts_, "cluster", "ClusterEndpoint") : endpoint_;
    const std::string host = host_of(url);
    const std::size_t colon = url.rfind(':');
    const auto port = Port::parse(std::string_view(url).substr(std::min(colon + 1, url.size())));
    if (host.empty()) {
      end(Finding::kSkipped, "the cluster has no endpoint yet", std::string(kApplyFirst));
      co_return;
    }
    auto answered = co_await probe_.connect(host, port.value_or(kHttpsPort), soon());
    if (!answered) {
      end(Finding::kFailed, answered.error().detail,
          "run this on the bastion; there, check the peering's routes on both sides and that the "
          "control plane's group lets the bastion in on 443 (elsewhere: --skip endpoint-answers)");
    } else if (!policy::special_block(*answered)) {
      end(Finding::kFailed, host + " is " + answered->str() + ", a public address",
          "see the check private-endpoint");
    } else {
      end(Finding::kOk, host + " is " + answered->str());
    }
  }

  // What kubectl prints, or nothing after the check has ended.
  std::optional<std::string> ask_kubectl(std::vector<std::string> arguments) {
    if (options_.kubeconfig.empty()) {  // kubectl's own may be of another cluster
      end(Finding::kSkipped, "there is no kubeconfig of this cluster here",
          "name the one that `ebbgate eks apply` wrote by --kubeconfig");
      return std::nullopt;
    }
    arguments.insert(arguments.begin(), {"--kubeconfig", options_.kubeconfig});
    const auto printed = probe_.kubectl(arguments);
    if (!printed) {
      end(Finding::kSkipped, "there is no kubectl here",
          "on the bastion, run `kubectl get nodes` and `kubectl get pods -n kube-system`: all have "
          "to be Ready and Running");
      return std::nullopt;
    }
    if (!*printed) {
      end(Finding::kFailed, printed->error().detail,
          "run this on the bastion, with the kubeconfig that `ebbgate eks apply` wrote");
      return std::nullopt;
    }
    return **printed;
  }

  // Each line is a name and a word. In: what kubectl printed, and the word that is good.
  void judge(const std::string& text, std::string_view good, std::string_view what,
             std::string next) {
    std::size_t count = 0;
    std::string bad;
    for (const std::string& line : split(text, '\n')) {
      const auto words = split(trimmed(line), ' ');
      if (words.empty()) continue;
      ++count;
      const std::string state = words.size() > 1 ? words.back() : "unknown";
      if (state != good) bad += (bad.empty() ? "" : ", ") + words.front() + " (" + state + ")";
    }
    if (count == 0) {
      end(Finding::kFailed, "there are no " + std::string(what), std::move(next));
    } else if (!bad.empty()) {
      end(Finding::kFailed, "not so: " + bad, std::move(next));
    } else {
      end(Finding::kOk, std::to_string(count) + " " + std::string(what));
    }
  }

  void nodes() {
    if (!begin("nodes-ready", "every node has joined and is Ready")) return;
    const auto text = ask_kubectl(
        {"get", "nodes", "-o",
         R"(jsonpath={range .items[*]}{.metadata.name}{" "}{.status.conditions[?(@.type=="Ready")].status}{"\n"}{end})"});
    if (!text) return;
    judge(*text, "True", "nodes",
          "look at `kubectl describe node` and, by Session Manager, at `journalctl -u kubelet` on "
          "the node: an image that cannot be pulled or a name that is refused shows there");
  }

  void system_pods() {
    if (!begin("system-pods", "aws-node, kube-proxy and coredns run")) return;
    const auto text = ask_kubectl(
        {"get", "pods", "-n", "kube-system", "-o",
         R"(jsonpath={range .items[*]}{.metadata.name}{" "}{.status.phase}{"\n"}{end})"});
    if (!text) return;
    judge(*text, "Running", "pods of kube-system",
          "look at `kubectl describe pod -n kube-system` of those, and in the gateways' log for "
          "what was refused to the nodes");
  }

  net::Task<void> gateways() {
    if (!begin("gateways-healthy", "every gateway is in service and healthy")) co_return;
    const std::string fleet = output(facts_, "gateway", "FleetName");
    if (fleet.empty()) {
      end(Finding::kSkipped, "there is no fleet yet", std::string(kApplyFirst));
      co_return;
    }
    const std::vector<std::string> names{fleet};
    auto groups = co_await aws::autoscaling::describe_groups(client_, names, soon());
    if (!groups) {
      end(groups.error(), "autoscaling DescribeAutoScalingGroups");
      co_return;
    }
    std::size_t good = 0;
    std::string bad;
    for (const auto& group : *groups) {
      for (const auto& each : group.instances) {
        const bool is_good = each.lifecycle_state == "InService" &&
                             (each.health == "Healthy" || each.health == "HEALTHY");
        good += is_good ? 1 : 0;
        if (is_good || each.lifecycle_state.starts_with("Terminat")) continue;
        bad += (bad.empty() ? "" : ", ") + each.id + " (" + each.lifecycle_state + ", " +
               each.health + ")";
      }
    }
    const bool is_enough = good >= settings_.gateway.min.value;
    const std::string seen = std::to_string(good) + " of at least " +
                             std::to_string(settings_.gateway.min.value) + " in service" +
                             (bad.empty() ? "" : "; not so: " + bad);
    end(is_enough && bad.empty() ? Finding::kOk : Finding::kFailed, seen,
        is_enough && bad.empty()
            ? ""
            : "open a session on one of them (`aws ssm start-session`) and read `journalctl -u "
              "ebbgate`; /readyz says what it waits for");
  }

  // By the Lease that each keeps in the cluster, with the digest of the policies that it goes by.
  void gateways_in_cluster() {
    if (!begin("gateways-in-cluster", "every gateway goes by the policies of the cluster")) return;
    const auto text = ask_kubectl(
        {"get", "leases", "-n", "ebbgate-system", "-l", kube::kGatewayLabels, "-o",
         R"(jsonpath={range .items[*]}{.metadata.name}{" "}{.metadata.annotations.ebbgate\.dev/policy}{"\n"}{end})"});
    if (!text) return;
    std::size_t good = 0;
    for (const std::string& line : split(*text, '\n')) {
      good += split(trimmed(line), ' ').size() > 1 ? 1 : 0;
    }
    const std::size_t wanted = settings_.gateway.min.value;
    end(good >= wanted ? Finding::kOk : Finding::kFailed,
        std::to_string(good) + " of at least " + std::to_string(wanted) + " do",
        good >= wanted ? ""
                       : "run `ebbgate eks apply` here: it says what the cluster lacks, or tells "
                         "the fleet of it; then `journalctl -u ebbgate` on a gateway");
  }

  // Where the gateways are; nothing after the check has ended.
  struct Proxy {
    std::string host;
    Port port = *Port::of(3128);
  };
  std::optional<Proxy> proxy() {
    Proxy out;
    if (options_.proxy) return Proxy{options_.proxy->host.str(), options_.proxy->port};
    out.host = output(facts_, "gateway", "ProxyDomain");
    if (out.host.empty()) {
      end(Finding::kSkipped, "there are no gateways yet", std::string(kApplyFirst));
      return std::nullopt;
    }
    if (const auto port = Port::parse(output(facts_, "gateway", "ProxyPort"))) out.port = *port;
    return out;
  }

  void unreachable(const Error& error) {
    end(Finding::kFailed, error.detail,
        "run this on the bastion or on a node; there, check that the balancer's group lets its "
        "block in on the proxy port");
  }

  [[nodiscard]] std::string an_allowed_target() const {
    if (!options_.allowed.empty()) return options_.allowed;
    for (const auto& domain : settings_.domains) {
      if (domain.value.kind() != policy::PatternKind::kName) continue;
      const auto& ports = domain.value.ports();
      return domain.value.name() + ":" + std::to_string(ports ? ports->first : 443);
    }
    return "sts." + plan_.region + ".amazonaws.com:443";
  }

  net::Task<void> allowed() {
    const std::string target = an_allowed_target();
    if (!begin("allowed-request", "a request to what is on the list passes")) co_return;
    const auto at = proxy();
    if (!at) co_return;
    auto status = co_await probe_.tunnel(at->host, at->port, target, soon());
    if (!status) {
      unreachable(status.error());
    } else if (*status / 100 == 2) {
      end(Finding::kOk, "CONNECT " + target + " was answered " + std::to_string(*status));
    } else {
      end(Finding::kFailed, "CONNECT " + target + " was answered " + std::to_string(*status),
          *status == 403 ? "put it on the list (`ebbgate explain` says why it is not), or name "
                           "another by --allowed HOST:PORT"
                         : "the gateway could not reach it: look into its log, and at the route to "
                           "the internet of its subnet");
    }
  }

  net::Task<void> refused() {
    if (!begin("refused-request", "a request to what is not on the list is refused")) co_return;
    const auto at = proxy();
    if (!at) co_return;
    auto status = co_await probe_.tunnel(at->host, at->port, options_.refused, soon());
    if (!status) {
      unreachable(status.error());
    } else if (*status == 403) {
      was_refused_ = true;
      end(Finding::kOk, "CONNECT " + options_.refused + " was answered 403");
    } else {
      end(Finding::kFailed,
          "CONNECT " + options_.refused + " was answered " + std::to_string(*status),
          "the list is wider than it should be: `ebbgate explain` says which entry lets it pass");
    }
  }

  net::Task<void> egress() {
    if (!begin("egress-address", "destinations see one of the fleet's fixed addresses")) co_return;
    const auto at = proxy();
    if (!at) co_return;
    const std::string listed = output(facts_, "gateway", "EgressAddresses");
    auto fetched = co_await probe_.fetch(at->host, at->port, options_.echo, soon());
    if (!fetched) {
      unreachable(fetched.error());
      co_return;
    }
    if (fetched->status != 200) {
      end(Finding::kSkipped, options_.echo + " was answered " + std::to_string(fetched->status),
          "allow checkip.amazonaws.com:80, or look at a destination of yours which address it "
          "sees: it has to be one of " +
              listed);
      co_return;
    }
    const std::string seen(trimmed(fetched->body));
    const auto all = split(listed, ',');
    if (!IpAddress::parse(seen)) {
      end(Finding::kCannotBeTold, options_.echo + " did not answer with an address",
          "name a service that does by --echo URL");
    } else if (std::ranges::find(all, seen) != all.end()) {
      end(Finding::kOk, seen + " is one of " + listed);
    } else {
      end(Finding::kFailed, seen + " is none of " + listed,
          "a gateway serves without having claimed its address: read its journal");
    }
  }

  net::Task<void> alert() {
    if (!begin("alert-raised", "a refused request raises the alarm")) co_return;
    const Step* step = plan_.step("gateway");
    if (step == nullptr || !was_refused_) {
      end(Finding::kSkipped, "no request was refused", "see the check refused-request");
      co_return;
    }
    net::Loop& loop = client_.context().loop;
    const Deadline until = loop.after(options_.wait);
    const std::string prefix = step->stack + "-DeniedAlarm";
    while (true) {
      auto alarms = co_await aws::cloudwatch::describe_alarms(client_, prefix, soon());
      if (!alarms) {
        end(alarms.error(), "monitoring DescribeAlarms");
        co_return;
      }
      if (alarms->empty()) {
        end(Finding::kFailed, "there is no alarm " + prefix, std::string(kApplyFirst));
        co_return;
      }
      const auto& alarm = alarms->front();
      if (alarm.state == "ALARM") {
        if (alarm.actions.empty() || !alarm.actions_enabled) {
          end(Finding::kFailed, alarm.name + " is raised, and tells nobody",
              "enable its actions, and give `alerts` in eks.yaml");
        } else {
          end(Finding::kOk, alarm.name + " is raised" +
                                (settings_.alerts.email.value.empty()
                                     ? ""
                                     : "; " + settings_.alerts.email.value +
                                           " gets it, once the subscription is confirmed"));
        }
        co_return;
      }
      if (loop.is_giving_up() || loop.now() >= until.when()) {
        end(Finding::kFailed, alarm.name + " is " + alarm.state,
            "look whether the log group has the refused request; if it has, the metric filter, if "
            "not, the gateways' right to write there");
        co_return;
      }
      const Deadline next = loop.after(options_.poll);
      co_await net::sleep_until(loop, next);
    }
  }

  aws::Client& client_;
  Probe& probe_;
  const config::EksSettings& settings_;
  const Plan& plan_;
  Facts facts_;
  VerifyOptions options_;
  std::vector<Check> checks_;
  Check check_;
  std::string endpoint_;
  bool was_refused_ = false;
};

}  // namespace

std::string_view word(Finding finding) {
  switch (finding) {
    case Finding::kOk:
      return "ok";
    case Finding::kFailed:
      return "failed";
    case Finding::kSkipped:
      return "skipped";
    case Finding::kCannotBeTold:
      return "cannot-be-told";
  }
  return "";
}

const std::vector<std::string>& check_names() {
  static const std::vector<std::string> kNames{
      "stacks",          "private-endpoint", "endpoint-answers",    "nodes-ready",
      "system-pods",     "gateways-healthy", "gateways-in-cluster", "allowed-request",
      "refused-request", "egress-address",   "alert-raised"};
  return kNames;
}

net::Task<std::vector<Check>> verify(aws::Client& client, Probe& probe,
                                     const config::EksSettings& settings, const Plan& plan,
                                     Facts facts, VerifyOptions options) {
  Verifier verifier(client, probe, settings, plan, std::move(facts), std::move(options));
  co_return co_await verifier.run();
}

bool has_failed(const std::vector<Check>& checks) {
  return std::ranges::any_of(checks,
                             [](const Check& each) { return each.finding == Finding::kFailed; });
}

}  // namespace ebbgate::deploy
