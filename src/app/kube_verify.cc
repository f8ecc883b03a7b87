// `ebbgate kube verify`: the proofs of a cluster that can be left only through gateways, on the
// command line.
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <functional>
#include <iterator>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "app/aws_session.h"
#include "app/checklist.h"
#include "app/exit_code.h"
#include "app/kube_answers.h"
#include "app/kube_command.h"
#include "app/kube_session.h"
#include "aws/eks.h"
#include "base/escape.h"
#include "config/duration.h"
#include "deploy/kube_verify.h"
#include "deploy/probe.h"
#include "net/run.h"
#include "noproxy/target.h"

namespace ebbgate::app {
namespace {

constexpr const char* kHelp = R"(usage: ebbgate kube verify [FLAGS]

Proves that a cluster can be left only through the gateways, as a checklist with what was seen and
the next step. It changes nothing; a pod that tries what pods may not do comes and goes, and one
request is refused on purpose. Each check is ok, failed, skipped or cannot-be-told.

Examples:
  ebbgate kube verify --namespace shop
  ebbgate kube verify --namespace shop --allowed api.partner.example:443 --format json
  ebbgate kube verify --eks dev --region eu-west-2 --skip policies

Flags:
  --kubeconfig FILE        Default: that of KUBECONFIG, then ~/.kube/config.
  --context NAME           Default: the file's current one.
  --namespace NAME         Of applications, where the pod is made; default: the context's.
  --gateway-namespace NAME Default: ebbgate-system.
  --allowed HOST:PORT      What has to be let pass; default: a name that a policy for all allows.
  --refused HOST:PORT      What has to be refused; default: ebbgate-verify.invalid:443.
  --outside HOST:PORT *    What is not to be reached past the gateway; default: 1.1.1.1:443,
                           [2606:4700:4700::1111]:443 and example.com:443.
  --resolver ADDRESS *     Name servers that are not to be reached; default: 1.1.1.1, 8.8.8.8 and
                           2001:4860:4860::8888.
  --unlisted NAME          A name that exists and that no policy knows; default: example.com.
  --cluster-domain NAME    Default: cluster.local.
  --proxy URL              Of the pod; default: what its environment says.
  --image IMAGE            Of the pod; default: the gateways' own. It has to be this program's.
  --service-account NAME   Of the pod; default: default.
  --pod-label KEY=VALUE *  Of the pod, where network policies select pods by labels.
  --eks NAME               Asks EKS whether this cluster's endpoint is public, with the credentials
                           that the AWS command line has.
  --region REGION, --profile NAME, --ca-file FILE    For that.
  --skip CHECK *           Leaves a check out.
  --wait TIME              How long the pod may take; default: 2m.
  --attempt-timeout TIME   How long each thing may take that the pod tries; default: 4s.
  --lease-time TIME        In which a gateway that lives renews its Lease; default: 12s.
  --format text|json       Default: text.
  --help                   This text.

Flags marked * may be repeated.
Exit codes: 0 nothing failed, 1 something did (or nothing could be asked), 2 usage.
)";

void say(const std::string& message) {
  std::fprintf(stderr, "ebbgate kube verify: %s\n", escaped_prose(message).c_str());
}

int refuse(const std::string& message) {
  say(message + "; see `ebbgate kube verify --help`");
  return kUsage;
}

struct Options {
  KubeSessionOptions session;
  deploy::KubeVerifyOptions verify;
  AwsSessionOptions aws;
  std::string eks;
  bool is_json = false;
};

using Take = std::function<std::string(const std::string&)>;

Take text(std::string& to) {
  return [&to](const std::string& value) {
    to = value;
    return std::string(value.empty() ? "needs a value" : "");
  };
}

// Replaces the list that stands there by default.
Take list(std::vector<std::string>& to, const Take& check = {}) {
  return [&to, check, is_first = true](const std::string& value) mutable {
    if (std::exchange(is_first, false)) to.clear();
    to.push_back(value);
    return check ? check(value) : std::string();
  };
}

Take time(Duration& to) {
  return [&to](const std::string& value) {
    const auto read = config::read_duration(value);
    if (!read) return read.error();
    to = *read;
    return std::string(read->count() > 0 ? "" : "is to be more than nothing");
  };
}

std::string fault_of_target(const std::string& value) {
  return Authority::parse(value) ? "" : "write HOST:PORT";
}

Take target(std::string& to) {
  return [&to](const std::string& value) {
    to = value;
    return fault_of_target(value);
  };
}

Take name(std::string& to) {
  return [&to](const std::string& value) {
    to = value;
    return Hostname::parse(value) ? std::string() : std::string("is no name");
  };
}

std::vector<OwnFlag> flags_of(Options& options) {
  using enum config::FlagValue;
  deploy::KubeVerifyOptions& it = options.verify;
  std::vector<OwnFlag> out = {
      {"namespace", kRequired, text(it.in_namespace)},
      {"gateway-namespace", kRequired, text(it.gateway_namespace)},
      {"allowed", kRequired, target(it.allowed)},
      {"refused", kRequired, target(it.refused)},
      {"outside", kRequired, list(it.outside, fault_of_target)},
      {"resolver", kRequired,
       list(it.resolvers,
            [](const std::string& value) {
              return IpAddress::parse(value) ? std::string() : std::string("is no address");
            })},
      {"unlisted", kRequired, name(it.unlisted)},
      {"cluster-domain", kRequired, name(it.cluster_domain)},
      {"proxy", kRequired,
       [&](const std::string& value) {
         it.proxy = value;
         return noproxy::Target::parse(value) ? std::string() : std::string("is no URL");
       }},
      {"image", kRequired, text(it.image)},
      {"service-account", kRequired, text(it.service_account)},
      {"pod-label", kRequired,
       [&](const std::string& value) {
         const std::size_t equals = value.find('=');
         if (equals == 0 || equals == std::string::npos) return std::string("write KEY=VALUE");
         it.pod_labels.emplace_back(value.substr(0, equals), value.substr(equals + 1));
         return std::string();
       }},
      {"eks", kRequired, text(options.eks)},
      {"region", kRequired, text(options.aws.region)},
      {"profile", kRequired, text(options.aws.profile)},
      {"ca-file", kRequired, text(options.aws.ca_file)},
      {"skip", kRequired, list(it.skip)},
      {"wait", kRequired, time(it.wait)},
      {"attempt-timeout", kRequired, time(it.attempt_time)},
      {"lease-time", kRequired, time(it.lease_time)},
      {"format", kRequired,
       [&](const std::string& value) {
         options.is_json = value == "json";
         return std::string(options.is_json || value == "text" ? "" : "is text or json");
       }},
  };
  std::ranges::move(kube_session_flags(options.session), std::back_inserter(out));
  return out;
}

// What EKS says of the cluster's endpoint.
Result<deploy::KubeVerifyOptions::Endpoint> ask_eks(const Options& options) {
  auto session = AwsSession::make(options.aws);
  if (!session) return std::unexpected(std::move(session.error()));
  const Deadline soon = (*session)->loop().after(std::chrono::minutes(1));
  auto cluster =
      (*session)->run(aws::eks::describe_cluster((*session)->client(), options.eks, soon));
  const auto failed = [](std::string why) {
    return fail(Reason::kInternal, Side::kSelf, std::move(why));
  };
  if (!cluster) return failed(cluster.error().describe("eks DescribeCluster"));
  if (!*cluster) return failed("EKS has no cluster " + options.eks);
  return deploy::KubeVerifyOptions::Endpoint{(*cluster)->has_private_endpoint,
                                             (*cluster)->has_public_endpoint};
}

// A name that is shown while its check runs, where somebody watches.
class ProgressLine {
 public:
  void show(std::string_view name) {
    if (!is_terminal_) return;
    std::fprintf(stderr, "\r\x1b[K%.*s ...", static_cast<int>(name.size()), name.data());
  }
  void clear() {
    if (is_terminal_) std::fputs("\r\x1b[K", stderr);
  }

 private:
  bool is_terminal_ = ::isatty(STDERR_FILENO) == 1;
};

std::string random_hex() {
  static constexpr std::string_view kDigits = "0123456789abcdef";
  std::uint64_t bits = random_seed();
  std::string out;
  for (int i = 0; i < 10; ++i, bits >>= 4U) out += kDigits[bits & 0xfU];
  return out;
}

// After an interruption the loop waits for nothing any more: with another one.
void remove_left_pod(const Options& options, const Clock& clock) {
  auto loop = net::Loop::make();
  auto session = loop ? KubeSession::make(**loop, clock, options.session)
                      : Result<std::unique_ptr<KubeSession>>(std::unexpected(loop.error()));
  const auto& verify = options.verify;
  if (session) {
    const auto removed =
        net::run_to_end(**loop, deploy::KubeVerifier::remove_pod(
                                    (*session)->client(), verify.in_namespace, verify.pod_name));
    if (removed) return;
  }
  say("the pod is left behind: `kubectl -n " + verify.in_namespace + " delete pod " +
      verify.pod_name + "`");
}

int verify_cluster(Options options) {
  const SystemClock clock;
  if (!options.eks.empty()) {
    auto endpoint = ask_eks(options);
    if (!endpoint) {
      say(endpoint.error().detail);
      return kFailed;
    }
    options.verify.endpoint = *endpoint;
  }
  auto loop = net::Loop::make();
  if (!loop) {
    say(loop.error().detail);
    return kFailed;
  }
  options.session.client.timeout = std::chrono::seconds(10);
  options.session.client.max_wait = std::chrono::seconds(10);
  auto session = KubeSession::make(**loop, clock, options.session);
  if (!session) {
    say(session.error().detail);
    return kFailed;
  }
  if (options.verify.in_namespace.empty()) {
    options.verify.in_namespace = (*session)->access().home_namespace;
  }
  options.verify.pod_name = "ebbgate-verify-" + random_hex();
  options.verify.random_label = random_hex() + random_hex();
  ProgressLine progress;
  if (!options.is_json) {
    options.verify.begin = [&](std::string_view check) { progress.show(check); };
    options.verify.tell = [&](const deploy::Check& check) {
      progress.clear();
      print_check(check);
    };
  }
  deploy::NetworkProbe probe(**loop, (*session)->resolver());
  deploy::KubeVerifier verifier((*session)->client(), probe, options.verify);
  bool is_interrupted = false;
  std::vector<deploy::Check> checks;
  {
    const net::Interrupt interrupt(**loop);
    checks = net::run_to_end(**loop, verifier.run());
    is_interrupted = interrupt.signal() != 0;
  }
  if (verifier.has_left_pod()) remove_left_pod(options, clock);
  if (options.is_json) {
    std::puts(checklist_json({{"cluster", (*session)->access().server},
                              {"namespace", options.verify.in_namespace}},
                             checks)
                  .c_str());
  }
  return is_interrupted || deploy::has_failed(checks) ? kFailed : kFine;
}

}  // namespace

int run_kube_verify(std::span<const char* const> words) {
  Options options;
  options.verify.in_namespace.clear();
  const std::vector<OwnFlag> flags = flags_of(options);
  const KubeWords line = read_kube_words(words, flags);
  if (line.help) {
    std::fputs(kHelp, stdout);
    return kFine;
  }
  if (line.code != kFine) return line.code;
  if (!line.operands.empty()) {
    return refuse("\"" + line.operands.front() + "\": no word is expected");
  }
  const std::string fault = fault_of_skip(options.verify.skip, deploy::kube_check_names());
  if (!fault.empty()) return refuse(fault);
  return verify_cluster(std::move(options));
}

}  // namespace ebbgate::app
