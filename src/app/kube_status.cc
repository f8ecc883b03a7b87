// `ebbgate kube status`: what there is of the gateways in a cluster, for people and for programs.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <iterator>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <utility>

#include "analyse/time_text.h"
#include "app/exit_code.h"
#include "app/kube_answers.h"
#include "app/kube_command.h"
#include "app/kube_session.h"
#include "base/escape.h"
#include "deploy/kube_status.h"
#include "net/run.h"
#include "tls/server_context.h"
#include "webhook/certificate.h"

namespace ebbgate::app {
namespace {

using deploy::KubeStatus;
using Json = nlohmann::ordered_json;

constexpr const char* kHelp = R"(usage: ebbgate kube status [FLAGS]

What there is in a cluster: gateways (those that live renew a Lease) and what they go by, policies
and those with problems, the webhook and its certificate, namespaces that use them. Nothing is
changed.

Flags:
  --kubeconfig FILE     Default: that of KUBECONFIG, then ~/.kube/config.
  --context NAME        Default: the file's current one.
  --namespace NAME      The gateways' own; default: ebbgate-system.
  --format text|json    Default: text.
  --help                This text.

Exit codes: 0 fine, 1 the cluster cannot be asked, 2 usage.
)";

struct Options {
  KubeSessionOptions session;
  std::string own_namespace = "ebbgate-system";
  std::string format = "text";
};

// Of the webhook's own certificate.
struct Certificate {
  std::optional<WallTime> expires;
  std::string why_not;
};

int fail_with(std::string_view message) {
  std::fprintf(stderr, "ebbgate kube status: %s\n", escaped_prose(message, 4096).c_str());
  return kFailed;
}

net::Task<Certificate> learn_certificate(kube::Client& client, std::string own_namespace) {
  Certificate out;
  kube::Resource secrets{.plural = "secrets", .in_namespace = std::move(own_namespace)};
  auto secret = co_await client.get(std::move(secrets), "ebbgate-webhook");
  if (!secret) {
    out.why_not = secret.error().is_not_found() ? "" : secret.error().describe("its Secret");
    co_return out;
  }
  const auto stored = webhook::certificate_in(*secret);
  if (!stored || !stored->certificate) {
    out.why_not = stored ? "the webhook has made none yet" : stored.error().detail;
    co_return out;
  }
  const auto context = tls::ServerContext::make(stored->certificate->certificate_pem,
                                                stored->certificate->key_pem.reveal());
  if (context) out.expires = (*context)->expires();
  if (!context) out.why_not = context.error().detail;
  co_return out;
}

std::string shown(const std::string& text) {
  return escaped_prose(text, 1024);
}

std::string full_name(const KubeStatus::PolicyProblem& of) {
  return of.kind + " " + (of.in_namespace.empty() ? "" : of.in_namespace + "/") + of.name;
}

void print_gateways(const KubeStatus& status) {
  std::printf("gateways\n");
  for (const auto& each : status.workloads) {
    std::printf("  Deployment %s: %lld of %lld ready, image %s\n", shown(each.name).c_str(),
                static_cast<long long>(each.ready), static_cast<long long>(each.wanted),
                shown(each.image).c_str());
  }
  for (const auto& each : status.gateways) {
    const auto age = each.age ? std::chrono::duration_cast<std::chrono::seconds>(*each.age).count()
                              : std::chrono::seconds::rep{-1};
    const std::string renewed =
        each.age ? "renewed " + std::to_string(age) + " s ago" : "never renewed";
    const std::string policy = each.digest.empty() ? "no policy in force" : "policy " + each.digest;
    std::printf("  %s %s: %s, %s\n", each.is_live ? "live" : "gone", shown(each.lease).c_str(),
                renewed.c_str(), shown(policy).c_str());
  }
  if (status.workloads.empty() && status.gateways.empty()) std::printf("  there are none\n");
  if (status.has_different_digests()) {
    std::printf(
        "  note: gateways go by different policies; that is so while a change comes to "
        "them, for seconds\n");
  }
}

void print_policies(const KubeStatus& status) {
  std::printf("policies\n");
  for (const auto& each : status.policies) {
    if (!each.is_served) {
      std::printf("  %s: its type is not there\n", each.kind.c_str());
      continue;
    }
    std::printf("  %s: %zu, %zu accepted, %zu programmed\n", each.kind.c_str(), each.count,
                each.accepted, each.programmed);
  }
  for (const auto& each : status.problems) {
    std::printf("  problem: %s: %s: %s\n", shown(full_name(each)).c_str(),
                shown(each.reason).c_str(), shown(each.message).c_str());
  }
}

void print_text(const KubeStatus& status, const Certificate& certificate, WallTime now) {
  print_gateways(status);
  print_policies(status);
  std::printf("webhook\n");
  for (const auto& each : status.webhooks) {
    std::printf("  %s %s: %s\n", each.kind.c_str(), shown(each.name).c_str(),
                each.has_trust ? "trusts its certificate" : "has no caBundle yet");
  }
  if (certificate.expires) {
    const auto hours =
        std::chrono::duration_cast<std::chrono::hours>(*certificate.expires - now).count();
    std::printf("  certificate: ends in %lld days\n", static_cast<long long>(hours / 24));
  } else if (!certificate.why_not.empty()) {
    std::printf("  certificate: %s\n", shown(certificate.why_not).c_str());
  } else if (status.webhooks.empty()) {
    std::printf("  there is none\n");
  }
  std::printf("namespaces\n");
  for (const auto& each : status.namespaces) {
    std::printf(
        "  %s:%s%s%s\n", shown(each.name).c_str(), each.injects ? " pods are injected" : "",
        each.has_variables ? (each.injects ? ", has the variables" : " has the variables") : "",
        each.is_closed ? (each.injects || each.has_variables ? ", bypass closed" : " bypass closed")
                       : "");
  }
  if (status.namespaces.empty()) std::printf("  none uses it\n");
  for (const std::string& each : status.gaps) std::printf("not known: %s\n", shown(each).c_str());
}

Json to_json(const KubeStatus& status, const Certificate& certificate) {
  Json out = Json::object();
  out["deployments"] = Json::array();
  for (const auto& each : status.workloads) {
    out["deployments"].push_back({{"name", each.name},
                                  {"wanted", each.wanted},
                                  {"ready", each.ready},
                                  {"updated", each.updated},
                                  {"image", each.image}});
  }
  out["gateways"] = Json::array();
  for (const auto& each : status.gateways) {
    Json gateway{{"lease", each.lease},
                 {"holder", each.holder},
                 {"live", each.is_live},
                 {"policy", each.digest}};
    if (each.age) {
      gateway["renewedSecondsAgo"] =
          std::chrono::duration_cast<std::chrono::seconds>(*each.age).count();
    }
    out["gateways"].push_back(std::move(gateway));
  }
  out["policies"] = Json::array();
  for (const auto& each : status.policies) {
    out["policies"].push_back({{"kind", each.kind},
                               {"served", each.is_served},
                               {"count", each.count},
                               {"accepted", each.accepted},
                               {"programmed", each.programmed}});
  }
  out["problems"] = Json::array();
  for (const auto& each : status.problems) {
    out["problems"].push_back({{"kind", each.kind},
                               {"namespace", each.in_namespace},
                               {"name", each.name},
                               {"reason", each.reason},
                               {"message", each.message}});
  }
  out["webhooks"] = Json::array();
  for (const auto& each : status.webhooks) {
    out["webhooks"].push_back(
        {{"kind", each.kind}, {"name", each.name}, {"caBundle", each.has_trust}});
  }
  if (certificate.expires) {
    out["certificateEnds"] = analyse::rfc3339(milliseconds_of(*certificate.expires));
  }
  out["namespaces"] = Json::array();
  for (const auto& each : status.namespaces) {
    out["namespaces"].push_back({{"name", each.name},
                                 {"injected", each.injects},
                                 {"variables", each.has_variables},
                                 {"bypassClosed", each.is_closed}});
  }
  out["notKnown"] = status.gaps;
  return out;
}

net::Task<int> work(KubeSession& session, const Options& options, const Clock& clock) {
  deploy::AgeOf age_of = [&clock](const std::string& time) -> std::optional<Duration> {
    const auto read = analyse::parse_rfc3339(time);
    if (!read) return std::nullopt;
    return std::chrono::milliseconds(
        std::max<std::int64_t>(milliseconds_of(clock.wall()) - *read, 0));
  };
  auto status =
      co_await deploy::learn_status(session.client(), options.own_namespace, std::move(age_of));
  if (!status) co_return fail_with(status.error().describe(session.access().server));
  const auto certificate = co_await learn_certificate(session.client(), options.own_namespace);
  if (options.format == "json") {
    const Json json = to_json(*status, certificate);
    std::printf("%s\n", json.dump(2, ' ', false, Json::error_handler_t::replace).c_str());
  } else {
    print_text(*status, certificate, clock.wall());
  }
  co_return kFine;
}

}  // namespace

int run_kube_status(std::span<const char* const> words) {
  Options options;
  std::vector<OwnFlag> flags = kube_session_flags(options.session);
  flags.push_back(text_flag("namespace", options.own_namespace));
  flags.push_back(format_flag(options.format));
  const KubeWords line = read_kube_words(words, flags);
  if (line.help) {
    std::fputs(kHelp, stdout);
    return kFine;
  }
  if (line.code != kFine) return line.code;
  if (!line.operands.empty()) return refuse_kube("'" + line.operands.front() + "' is no flag");
  auto loop = net::Loop::make();
  if (!loop) return fail_with(loop.error().detail);
  const SystemClock clock;
  options.session.client.timeout = std::chrono::seconds(20);
  auto session = KubeSession::make(**loop, clock, options.session);
  if (!session) return fail_with(session.error().detail);
  const net::Interrupt interrupt(**loop);
  return net::run_to_end(**loop, work(**session, options, clock));
}

}  // namespace ebbgate::app
