#include "config/detail/setting_table.h"

#include <algorithm>
#include <array>
#include <utility>

#include "config/detail/aws_values.h"
#include "config/detail/values.h"

namespace ebbgate::config::detail {
namespace {

void report(const Given& given, const Given::Text& text, Fault fault,
            std::vector<Problem>& problems) {
  problems.push_back({.file = given.source,
                      .position = text.position,
                      .message = std::move(fault.message),
                      .fix = std::move(fault.fix)});
}

// How a setting's texts become the member: its only one, or each of a list.
template <auto kMember, auto kParse>
void one(const Given& given, Settings& settings, std::vector<Problem>& problems) {
  auto value = kParse(given.values.front().text);
  if (value) {
    settings.*kMember = std::move(*value);
  } else {
    report(given, given.values.front(), std::move(value.error()), problems);
  }
}

template <auto kMember, auto kParse>
void list(const Given& given, Settings& settings, std::vector<Problem>& problems) {
  auto& member = settings.*kMember;
  member.clear();
  for (const Given::Text& text : given.values) {
    auto value = kParse(text.text);
    if (value) {
      member.push_back(std::move(*value));
    } else {
      report(given, text, std::move(value.error()), problems);
    }
  }
}

template <std::size_t kLeast, std::size_t kMost>
Parsed<std::size_t> count(std::string_view text) {
  return parse_count(text, kLeast, kMost);
}

// One word of a few. `words` is for the message: `keep, drain or cut`.
template <typename T, std::size_t kSize>
Parsed<T> choice(std::string_view text, const std::array<std::pair<std::string_view, T>, kSize>& of,
                 std::string_view words) {
  for (const auto& [word, value] : of) {
    if (text == word) return value;
  }
  return std::unexpected(
      Fault{quoted(text) + " is none of its values", "write " + std::string(words)});
}

Parsed<ProxyProtocol> proxy_protocol(std::string_view text) {
  static constexpr std::array<std::pair<std::string_view, ProxyProtocol>, 3> kWords{
      {{"off", ProxyProtocol::kOff},
       {"optional", ProxyProtocol::kOptional},
       {"required", ProxyProtocol::kRequired}}};
  return choice(text, kWords, "required, optional or off");
}

Parsed<OnPolicyChange> on_policy_change(std::string_view text) {
  static constexpr std::array<std::pair<std::string_view, OnPolicyChange>, 3> kWords{
      {{"keep", OnPolicyChange::kKeep},
       {"drain", OnPolicyChange::kDrain},
       {"cut", OnPolicyChange::kCut}}};
  return choice(text, kWords, "keep, drain or cut");
}

Parsed<policy::SniRule> sni_rule(std::string_view text) {
  static constexpr std::array<std::pair<std::string_view, policy::SniRule>, 3> kWords{
      {{"require", policy::SniRule::kRequire},
       {"optional", policy::SniRule::kOptional},
       {"off", policy::SniRule::kOff}}};
  return choice(text, kWords, "require, optional or off");
}

Parsed<LogFormat> log_format(std::string_view text) {
  static constexpr std::array<std::pair<std::string_view, LogFormat>, 4> kWords{
      {{"squid", LogFormat::kSquid},
       {"json", LogFormat::kJson},
       {"ecs", LogFormat::kEcs},
       {"emf", LogFormat::kEmf}}};
  return choice(text, kWords, "squid, json, ecs or emf");
}

Parsed<std::size_t> head_size(std::string_view text) {
  Parsed<std::size_t> size = parse_size(text);
  if (size && (*size < 1024 || *size > std::size_t{1024} * 1024)) {
    return std::unexpected(
        Fault{quoted(text) + " is no good size for a head", "write one from 1KiB to 1MiB"});
  }
  return size;
}

Parsed<SourceUrl> parse_source(std::string_view text) {
  auto url = parse_source_url(text);
  if (url) return std::move(*url);
  return std::unexpected(Fault{std::move(url.error().message), std::move(url.error().fix)});
}

// A listener that may be off.
Parsed<std::optional<Endpoint>> listener_or_off(std::string_view text) {
  if (text == "off") return std::optional<Endpoint>();
  Parsed<Endpoint> endpoint = parse_endpoint(text);
  if (!endpoint) return std::unexpected(std::move(endpoint.error()));
  return std::optional(*endpoint);
}

// `--allow` makes a document that allows its patterns to everyone.
void allow(const Given& given, Settings& settings, std::vector<Problem>& problems) {
  policy::Document document;
  document.name = given.source;
  document.file = given.source;
  policy::Entry entry;
  for (const Given::Text& text : given.values) {
    auto pattern = policy::Pattern::parse(text.text);
    if (pattern) {
      entry.hosts.add(*pattern, text.position);
    } else {
      report(given, text, {std::move(pattern.error().message), std::move(pattern.error().fix)},
             problems);
    }
  }
  entry.position = given.values.front().position;
  document.allow.push_back(std::move(entry));
  settings.allow = std::move(document);
}

// A setting of Settings::aws.
template <auto kMember, auto kParse>
void aws(const Given& given, Settings& settings, std::vector<Problem>& problems) {
  auto value = kParse(given.values.front().text);
  if (value) {
    settings.aws.*kMember = std::move(*value);
  } else {
    report(given, given.values.front(), std::move(value.error()), problems);
  }
}

Parsed<std::optional<Settings::Aws::Tag>> address_tag(std::string_view text) {
  const std::size_t equals = text.find('=');
  if (equals == 0 || equals == std::string_view::npos || equals + 1 == text.size()) {
    return std::unexpected(Fault{quoted(text) + " is no tag with a value",
                                 "write it as in ebbgate:addresses=fleet-a"});
  }
  return Settings::Aws::Tag{std::string(text.substr(0, equals)),
                            std::string(text.substr(equals + 1))};
}

Parsed<std::size_t> spool_size(std::string_view text) {
  Parsed<std::size_t> size = parse_size(text);
  if (size && *size < std::size_t{4} * 1024 * 1024) {
    return std::unexpected(Fault{quoted(text) + " is too small for a spool", "write 4MiB or more"});
  }
  return size;
}

// Names that AWS has: visible ASCII, as its services take them in one form or another.
template <std::size_t kMost>
Parsed<std::string> aws_name(std::string_view text) {
  const bool fits = !text.empty() && text.size() <= kMost &&
                    std::ranges::all_of(text, [](char c) { return c > ' ' && c < 0x7f; });
  if (fits) return std::string(text);
  return std::unexpected(
      Fault{quoted(text) + " is no name that AWS would take",
            "write up to " + std::to_string(kMost) + " visible ASCII characters, without blanks"});
}

// A setting of Settings::kube.
template <auto kMember, auto kParse>
void kube(const Given& given, Settings& settings, std::vector<Problem>& problems) {
  auto value = kParse(given.values.front().text);
  if (value) {
    settings.kube.*kMember = std::move(*value);
  } else {
    report(given, given.values.front(), std::move(value.error()), problems);
  }
}

void kube_way(const Given& given, Settings& settings, std::vector<Problem>& problems) {
  const std::string_view text = given.values.front().text;
  Settings::Kube& kube = settings.kube;
  kube.is_on = text != "off";
  if (text == "off" || text == "in-cluster") return;
  const std::size_t colon = text.find(':');
  kube.which = colon == std::string_view::npos ? "" : text.substr(colon + 1);
  const std::string_view kind = text.substr(0, colon);
  kube.way = kind == "eks" ? Settings::Kube::Way::kEks : Settings::Kube::Way::kKubeconfig;
  if ((kind == "eks" || kind == "kubeconfig") && !kube.which.empty()) return;
  report(given, given.values.front(),
         {quoted(text) + " is no way to a cluster",
          "write in-cluster, eks:NAME, kubeconfig:FILE or off"},
         problems);
}

void pod_cidrs(const Given& given, Settings& settings, std::vector<Problem>& problems) {
  for (const Given::Text& text : given.values) {
    if (auto block = parse_cidr(text.text)) {
      settings.kube.pod_cidrs.push_back(*block);
    } else {
      report(given, text, std::move(block.error()), problems);
    }
  }
}

// RFC 1123, section 2.1: what Kubernetes takes for most names, and hosts have for theirs.
template <std::size_t kMost>
Parsed<std::string> dns_name(std::string_view text) {
  const auto is_edge = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); };
  const bool fits =
      !text.empty() && text.size() <= kMost && is_edge(text.front()) && is_edge(text.back()) &&
      std::ranges::all_of(text, [&](char c) { return is_edge(c) || c == '-' || c == '.'; });
  if (fits) return std::string(text);
  return std::unexpected(
      Fault{quoted(text) + " is no name that Kubernetes would take",
            "write small letters, digits and -, at most " + std::to_string(kMost)});
}

using S = Settings;
using A = Settings::Aws;
using K = Settings::Kube;
constexpr auto kList = Repeat::kList;
constexpr auto kOnce = Repeat::kOnce;

// A fallback that begins with a small letter or a digit and has no blank is a value that could be
// written; "none" and what has blanks is for people.
constexpr std::array kSettings = std::to_array<Setting>({
    {"Listeners", "listen", "ADDR:PORT", kList, "127.0.0.1:3128",
     "Where clients connect; port 0 takes a free one.", list<&S::listen, parse_endpoint>},
    {"Listeners", "proxy-protocol", "required|optional|off", kOnce, "off",
     "Whether load balancers (--trusted) send a PROXY header, version 1 or 2, that names the "
     "client.",
     one<&S::proxy_protocol, proxy_protocol>},
    {"Listeners", "trusted", "CIDR", kList, "none",
     "Load balancers whose PROXY header is believed.", list<&S::trusted, parse_cidr>},
    {"Listeners", "clients", "CIDR", kList,
     "loopback, RFC 1918, 100.64.0.0/10 and fc00::/7, without what is trusted",
     "Who may use the gateway; the connections of others are closed before a byte is read.",
     list<&S::clients, parse_cidr>},

    {"Policy", "allow", "PATTERN", kList, "none",
     "A name, .name (with all below), *.name (all below), address or block to allow; perhaps with "
     ":PORT or :PORT-PORT.",
     allow},
    {"Policy", "allow-file", "FILE", kList, "none",
     "A plain list of such patterns: one a line or with commas between, # for comments.",
     list<&S::allow_files, parse_text>},
    {"Policy", "allow-port", "PORT[-PORT]", kList, "80 and 443",
     "Ports of the entries that name none.", list<&S::allow_ports, parse_ports>},
    {"Policy", "policy", "FILE|DIR", kList, "none",
     "EgressPolicy documents in YAML; of a directory, its files *.yaml, *.yml and *.list.",
     list<&S::policies, parse_text>},
    {"Policy", "policy-source", "URL", kList, "none",
     "A policy kept elsewhere, asked for again and again: https://host/path, ssm:///parameter, "
     "s3://bucket/key or secretsmanager://name.",
     list<&S::policy_sources, parse_source>},
    {"Policy", "policy-interval", "DURATION", kOnce,
     "5s for ssm, 10s for https and s3, 30s for secretsmanager",
     "How often sources are asked; after errors, up to a minute.",
     one<&S::policy_interval, parse_some_duration>},
    {"Policy", "policy-cache", "DIR", kOnce, "/var/lib/ebbgate/policy",
     "Where the last good policy of each source is kept, for the next start.",
     one<&S::policy_cache, parse_text>},
    {"Policy", "policy-max-age", "DURATION", kOnce, "0",
     "How long a source may go unconfirmed before everything is refused; 0 for ever.",
     one<&S::policy_max_age, parse_duration>},
    {"Policy", "policy-key", "FILE", kOnce, "none",
     "An Ed25519 public key in PEM: a source's policy counts only with its signature.",
     one<&S::policy_key, parse_text>},
    {"Policy", "allow-rollback", "", kOnce, "false",
     "Take a source's policy that is older than the one in force.",
     one<&S::allow_rollback, parse_switch>},
    {"Policy", "on-policy-change", "keep|drain|cut", kOnce, "keep",
     "What becomes of open tunnels that a new policy would refuse; drain gives them 30 s.",
     one<&S::on_policy_change, on_policy_change>},
    {"Policy", "report-only", "", kOnce, "false",
     "Record what the policy would refuse, and let it pass.", one<&S::report_only, parse_switch>},
    {"Policy", "sni", "require|optional|off", kOnce, "require",
     "Whether the TLS server name has to be the name of the CONNECT, where an entry does not say.",
     one<&S::sni, sni_rule>},
    {"Policy", "allow-private", "CIDR", kList, "none",
     "Special addresses that every entry may lead to; better named in the entry's addresses.",
     list<&S::allow_private, parse_cidr>},
    {"Policy", "inside", "CIDR", kList, "none",
     "Further networks that no name may lead to, such as the VPC's own IPv6 blocks.",
     list<&S::inside, parse_cidr>},
    {"Policy", "nat64", "CIDR", kList, "none",
     "NAT64 prefixes of this network: what is inside is judged by its IPv4 address.",
     list<&S::nat64, parse_nat64>},

    {"Names", "dns", "ADDR[:PORT]", kList, "the servers of /etc/resolv.conf", "DNS servers to ask.",
     list<&S::dns, parse_dns_server>},
    {"Names", "ca-file", "FILE", kOnce, "the system's",
     "Certificate authorities for the HTTPS requests of the gateway itself.",
     one<&S::ca_file, parse_text>},

    {"Limits", "max-connections", "N", kOnce, "as many as the descriptor limit has room for",
     "Connections of clients in all; further ones get a 503.",
     one<&S::max_connections, count<1, 10'000'000>>},
    {"Limits", "max-connections-per-client", "N", kOnce, "none",
     "Connections of one client address; further ones get a 429.",
     one<&S::max_connections_per_client, count<1, 10'000'000>>},
    {"Limits", "max-head-size", "SIZE", kOnce, "64KiB",
     "The largest request head; larger ones get a 431.", one<&S::max_head_size, head_size>},
    {"Limits", "head-timeout", "DURATION", kOnce, "10s", "For a request head to arrive whole.",
     one<&S::head_timeout, parse_some_duration>},
    {"Limits", "handshake-timeout", "DURATION", kOnce, "10s",
     "For a TLS ClientHello to arrive whole.", one<&S::handshake_timeout, parse_some_duration>},
    {"Limits", "connect-timeout", "DURATION", kOnce, "10s",
     "For resolving a name and connecting to it.", one<&S::connect_timeout, parse_some_duration>},
    {"Limits", "idle-timeout", "DURATION", kOnce, "1h",
     "For which nothing may move before a tunnel or exchange is closed; 0 for ever.",
     one<&S::idle_timeout, parse_duration>},
    {"Limits", "tunnel-timeout", "DURATION", kOnce, "0",
     "The longest that a tunnel may live; 0 for ever.", one<&S::tunnel_timeout, parse_duration>},
    {"Limits", "tcp-keepalive", "DURATION", kOnce, "60s",
     "Between TCP keep-alive probes, both ways; 0 for none. Load balancers forget a connection "
     "that is idle for 350 s.",
     one<&S::tcp_keepalive, parse_duration>},

    {"Records", "access-log", "FILE|-", kOnce, "-",
     "Where requests are recorded; - is standard "
     "output.",
     one<&S::access_log, parse_text>},
    {"Records", "log-format", "squid|json|ecs|emf", kOnce, "squid", "The format of the records.",
     one<&S::log_format, log_format>},
    {"Records", "admin", "ADDR:PORT|off", kOnce, "127.0.0.1:9901",
     "Health, readiness, metrics and version over HTTP, for people and Prometheus.",
     one<&S::admin, listener_or_off>},
    {"Records", "health", "ADDR:PORT|off", kOnce, "off",
     "/healthz and /readyz alone, for load balancers.", one<&S::health, listener_or_off>},
    {"Records", "health-metrics", "", kOnce, "false",
     "/metrics there, too, for a Prometheus that is not to see the rest.",
     one<&S::health_metrics, parse_switch>},

    {"AWS", "aws", "", kOnce, "false",
     "Be a member of a fleet on EC2: drain when the Auto Scaling group ends the instance, and what "
     "the settings below say.",
     [](const Given& given, Settings& settings, std::vector<Problem>& problems) {
       aws<&A::is_on, parse_switch>(given, settings, problems);
     }},
    {"AWS", "aws-region", "REGION", kOnce, "AWS_REGION, or the instance's",
     "Where the services below are.", aws<&A::region, parse_region>},
    {"AWS", "aws-group", "NAME", kOnce, "the one that the instance is in",
     "The Auto Scaling group.", aws<&A::group, aws_name<255>>},
    {"AWS", "aws-lifecycle-hook", "NAME", kOnce, "drain",
     "The group's hook for instances that end, which is completed when the gateway is drained.",
     aws<&A::lifecycle_hook, aws_name<255>>},
    {"AWS", "aws-deregistration-delay", "DURATION", kOnce, "5m",
     "How long open tunnels may live on, at least, when the instance is to end.",
     aws<&A::deregistration_delay, parse_duration>},
    {"AWS", "aws-address-tag", "KEY=VALUE", kOnce, "none",
     "The Elastic IPs with this tag: the gateway claims a free one, and is not ready before.",
     aws<&A::address_tag, address_tag>},
    {"AWS", "aws-stack", "NAME", kOnce, "what the instance's tags say",
     "The CloudFormation stack to signal when the gateway is ready.",
     aws<&A::stack, aws_name<1024>>},
    {"AWS", "aws-stack-resource", "NAME", kOnce, "what the instance's tags say",
     "The logical id of the Auto Scaling group in that stack.",
     aws<&A::stack_resource, aws_name<255>>},
    {"AWS", "aws-ready-timeout", "DURATION", kOnce, "10m",
     "When the stack is told of a failure, where the gateway is not ready by then; 0 for never.",
     aws<&A::ready_timeout, parse_duration>},
    {"AWS", "aws-log-group", "NAME", kOnce, "none",
     "The CloudWatch log group that gets every event as JSON, and the metrics.",
     aws<&A::log_group, aws_name<512>>},
    {"AWS", "aws-log-spool", "DIR", kOnce, "/var/lib/ebbgate/spool",
     "Where events wait until CloudWatch has them.", aws<&A::log_spool, parse_text>},
    {"AWS", "aws-log-spool-size", "SIZE", kOnce, "256MiB",
     "How much may wait; then the oldest events of requests that were let pass go, refusals last.",
     aws<&A::log_spool_size, spool_size>},
    {"AWS", "aws-metric-namespace", "NAME", kOnce, "Ebbgate",
     "The CloudWatch namespace of the metrics.", aws<&A::metric_namespace, aws_name<255>>},
    {"AWS", "aws-alert-topic", "ARN", kOnce, "none",
     "The SNS topic that is told of refused attempts.", aws<&A::alert_topic, parse_topic_arn>},

    {"Kubernetes", "kube", "WAY", kOnce, "off",
     "Policies are resources of a cluster, and clients its pods. WAY: in-cluster, as which it "
     "counts "
     "where it is left out; eks:NAME; or kubeconfig:FILE.",
     kube_way, "in-cluster"},
    {"Kubernetes", "pod-cidr", "CIDR", kList, "what --clients is",
     "Where pods have addresses: a client there that is no known pod yet is waited for.",
     pod_cidrs},
    {"Kubernetes", "kube-namespace", "NAME", kOnce, "the pod's own, else ebbgate-system",
     "Where the gateways tell each other of themselves.", kube<&K::own_namespace, dns_name<63>>},
    {"Kubernetes", "kube-name", "NAME", kOnce, "the host's name",
     "This gateway's, among those of the cluster.", kube<&K::name, dns_name<200>>},

    {"Process", "workers", "N", kOnce, "one per core", "Threads that carry traffic.",
     one<&S::workers, count<1, 1024>>},
    {"Process", "drain-delay", "DURATION", kOnce, "5s",
     "After SIGTERM, how long new connections are still taken while /readyz fails.",
     one<&S::drain_delay, parse_duration>},
    {"Process", "drain-timeout", "DURATION", kOnce, "30s",
     "After that, how long open tunnels may live on.", one<&S::drain_timeout, parse_duration>},
    {"Process", "pid-file", "FILE", kOnce, "none", "Where to write the process id.",
     one<&S::pid_file, parse_text>},
});

constexpr std::array kLater = std::to_array<LaterSetting>({
    {"listen-transparent", FlagValue::kRequired, "transparent mode"},
    {"listen-tls", FlagValue::kRequired, "TLS between client and gateway"},
    {"tls-cert", FlagValue::kRequired, "TLS between client and gateway"},
    {"tls-key", FlagValue::kRequired, "TLS between client and gateway"},
    {"client-ca", FlagValue::kRequired, "TLS between client and gateway"},
    {"crl", FlagValue::kRequired, "TLS between client and gateway"},
    {"listen-socks", FlagValue::kRequired, "SOCKS"},
    {"users", FlagValue::kRequired, "users with passwords"},
});

}  // namespace

std::span<const Setting> setting_table() {
  return kSettings;
}

std::span<const LaterSetting> later_settings() {
  return kLater;
}

const Setting* find_setting(std::string_view name) {
  const auto* row = std::ranges::find(kSettings, name, &Setting::name);
  return row == kSettings.end() ? nullptr : row;
}

const LaterSetting* find_later_setting(std::string_view name) {
  const auto* row = std::ranges::find(kLater, name, &LaterSetting::name);
  return row == kLater.end() ? nullptr : row;
}

}  // namespace ebbgate::config::detail
