#include "app/webhook_command.h"

#include <algorithm>
#include <cstdio>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "app/diagnostics.h"
#include "app/exit_code.h"
#include "app/webhook_service.h"
#include "base/escape.h"
#include "config/arguments.h"
#include "config/duration.h"
#include "config/settings.h"
#include "noproxy/lint.h"

namespace ebbgate::app {
namespace {

constexpr const char* kHelp = R"help(usage: ebbgate webhook [FLAGS]

Serves Kubernetes admission over TLS: /inject gives pods the proxy's settings (the six variables,
Java's and Node's), /validate refuses an EgressPolicy or ClusterEgressPolicy that `ebbgate check`
would refuse, with the same words. deploy/kubernetes/webhook has all that belongs to it, and
docs/webhook.md says what is injected, and how a pod gets nothing.

Examples:
  ebbgate webhook --proxy-url http://ebbgate.ebbgate-system.svc.cluster.local:3128 \
      --no-proxy "$(ebbgate noproxy --vpc-cidr 10.64.0.0/16 --service-cidr 172.20.0.0/16)"
  ebbgate webhook --config-map proxy-environment-variables --cert-dir /etc/webhook/tls

What is injected:
  --proxy-url URL               The proxy, http://HOST:PORT.
  --no-proxy VALUE              What goes around it; `ebbgate noproxy` makes the value.
  --config-map NAME             Refer to a ConfigMap of the pod's namespace that has the six
                                variables, rather than write them into the pod.
  --java=false                  No JAVA_TOOL_OPTIONS. Without --proxy-url there are none either.
  --node=false                  No NODE_USE_ENV_PROXY.
  --ca-config-map NAME          A ConfigMap of the pod's namespace whose `ca-bundle.crt` has all
                                authorities to trust; it is mounted, and named to programs.
  --exclude-namespace NAME *    Inject nothing there, as in kube-system and the webhook's own.

Where it is:
  --listen ADDR:PORT            Default: 0.0.0.0:8443.
  --health ADDR:PORT            Serve /healthz, /readyz and /metrics there; default: off.
  --service NAME.NAMESPACE      What the API server calls it; default:
                                ebbgate-webhook.ebbgate-system.

Its certificate:
  --cert-dir DIR                tls.crt and tls.key, read again when they change (cert-manager).
                                Without, it makes its own and renews it:
  --secret NAME                 the Secret by which replicas share it; default: ebbgate-webhook,
  --mutating-configuration NAME *
  --validating-configuration NAME *
                                the configurations that are told whom to trust; default of both:
                                ebbgate-webhook; `none` for none,
  --certificate-lifetime TIME   how long one holds; with a third of it left the next is made;
                                default: 2160h,
  --kubeconfig FILE             how the API is reached; default: the pod's service account.

Process:
  --drain-delay TIME            From SIGTERM until it no longer accepts; default: 5s.
  --help                        This text.

Flags marked * may be repeated, or take several values with commas between.
Exit codes: 0 ended by a signal, 1 failed, 2 usage.
)help";

int refuse(std::string_view message) {
  std::fprintf(stderr, "ebbgate webhook: %s; see `ebbgate webhook --help`\n",
               escaped_prose(message).c_str());
  return kUsage;
}

void add_split(std::vector<std::string>& to, std::string_view value) {
  for (;;) {
    const std::size_t comma = value.find(',');
    if (!value.substr(0, comma).empty()) to.emplace_back(value.substr(0, comma));
    if (comma == std::string_view::npos) return;
    value.remove_prefix(comma + 1);
  }
}

// What a flag does with its value: what is wrong with that, or empty.
using Take = std::function<std::string(const std::string& value)>;

Take text(std::string& to) {
  return [&to](const std::string& value) {
    to = value;
    return value.empty() ? "it is empty" : "";
  };
}
Take list(std::vector<std::string>& to) {
  return [&to](const std::string& value) {
    add_split(to, value);
    return "";
  };
}
Take toggle(bool& to) {
  return [&to](const std::string& value) {
    to = value == "true";
    return "";
  };
}
Take duration(Duration& to) {
  return [&to](const std::string& value) -> std::string {
    const auto read = config::read_duration(value);
    if (!read) return read.error();
    to = *read;
    return "";
  };
}
template <typename T>
Take endpoint(T& to) {
  return [&to](const std::string& value) {
    const auto at = Endpoint::parse(value);
    if (at) to = *at;
    return at ? "" : "it is no ADDRESS:PORT";
  };
}
Take service(webhook::ServiceName& to) {
  return [&to](const std::string& value) {
    const std::size_t dot = value.find('.');
    const bool is_fine =
        dot != 0 && dot != std::string::npos && dot + 1 < value.size() &&
        value.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789-.") == std::string::npos &&
        value.find('.', dot + 1) == std::string::npos;
    if (!is_fine) return "it is no NAME.NAMESPACE";
    to = {.name = value.substr(0, dot), .in_namespace = value.substr(dot + 1)};
    return "";
  };
}

struct FlagOf {
  std::string_view name;
  Take take;
  config::FlagValue value = config::FlagValue::kRequired;
};

std::vector<FlagOf> flags_of(WebhookOptions& options) {
  webhook::Injection& injection = options.injection;
  webhook::UpkeepOptions& upkeep = options.upkeep;
  return {{"proxy-url", text(injection.proxy_url)},
          {"no-proxy", text(injection.no_proxy)},
          {"config-map", text(injection.config_map)},
          {"java", toggle(injection.for_java), config::FlagValue::kNone},
          {"node", toggle(injection.for_node), config::FlagValue::kNone},
          {"ca-config-map", text(injection.ca_config_map)},
          {"exclude-namespace", list(injection.excluded_namespaces)},
          {"listen", endpoint(options.listen)},
          {"health", endpoint(options.health)},
          {"service", service(upkeep.service)},
          {"cert-dir", text(options.cert_dir)},
          {"secret", text(upkeep.secret)},
          {"mutating-configuration", list(upkeep.mutating)},
          {"validating-configuration", list(upkeep.validating)},
          {"certificate-lifetime", duration(upkeep.lifetime)},
          {"kubeconfig", text(options.kubeconfig)},
          {"drain-delay", duration(options.drain_delay)}};
}

// `none` stands for none, and what is not said for `fallback`.
void settle(std::vector<std::string>& names, const std::string& fallback) {
  if (names.empty()) names = {fallback};
  std::erase(names, "none");
}

void complete(WebhookOptions& options) {
  settle(options.upkeep.mutating, "ebbgate-webhook");
  settle(options.upkeep.validating, "ebbgate-webhook");
  std::vector<std::string>& excluded = options.injection.excluded_namespaces;
  for (const std::string& name :
       {std::string("kube-system"), options.upkeep.service.in_namespace}) {
    if (std::ranges::find(excluded, name) == excluded.end()) excluded.push_back(name);
  }
}

void warn_of_exceptions(const std::string& no_proxy) {
  if (no_proxy.empty()) return;
  for (const noproxy::Finding& finding : noproxy::lint(no_proxy, {})) {
    // Whether an AWS name has an endpoint is not known here.
    if (finding.pitfall == noproxy::Pitfall::kBlackHole) continue;
    say("--no-proxy: " + escaped_prose(finding.entry) + ": " + escaped_prose(finding.text));
  }
}

}  // namespace

int run_webhook(std::span<const char* const> words) {
  WebhookOptions options;
  options.listen = *Endpoint::parse("0.0.0.0:8443");
  options.upkeep.service = {.name = "ebbgate-webhook", .in_namespace = "ebbgate-system"};
  options.upkeep.secret = "ebbgate-webhook";
  const std::vector<FlagOf> flags = flags_of(options);
  std::vector<config::FlagSyntax> known;
  known.reserve(flags.size());
  for (const FlagOf& flag : flags) known.push_back({flag.name, flag.value});
  const config::Arguments arguments = config::split_arguments(words, known);
  if (arguments.help) {
    std::fputs(kHelp, stdout);
    return kFine;
  }
  if (!arguments.problems.empty()) {
    std::fputs(config::str(arguments.problems).c_str(), stderr);
    return kUsage;
  }
  if (!arguments.operands.empty()) return refuse("it takes flags only");
  for (const config::Flag& flag : arguments.flags) {
    const auto found = std::ranges::find(flags, flag.name, &FlagOf::name);
    if (const std::string wrong = found->take(flag.value); !wrong.empty()) {
      return refuse("--" + flag.name + ": " + wrong);
    }
  }
  complete(options);
  if (const std::string fault = webhook::fault_of(options.injection); !fault.empty()) {
    return refuse(fault + ": say --proxy-url, or --config-map");
  }
  if (options.upkeep.lifetime < std::chrono::minutes(1)) {
    return refuse("--certificate-lifetime is shorter than a minute");
  }
  warn_of_exceptions(options.injection.no_proxy);
  if (const auto served = serve_webhook(options); !served) {
    say(served.error().detail);
    return kFailed;
  }
  return kFine;
}

}  // namespace ebbgate::app
