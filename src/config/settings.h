// Everything that `ebbgate run` can be told, as typed values with their defaults. Flags and the
// YAML file of `--config` (the same names; flags win) in, settings or all errors at once out.
// docs/configuration.md says what each means.
#pragma once

#include <cstddef>
#include <cstdint>
#include <expected>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/authority.h"
#include "base/clock.h"
#include "base/ip.h"
#include "config/arguments.h"
#include "config/problem.h"
#include "config/source_url.h"
#include "policy/document.h"

namespace ebbgate::config {

enum class ProxyProtocol : std::uint8_t { kOff, kOptional, kRequired };
enum class OnPolicyChange : std::uint8_t { kKeep, kDrain, kCut };
enum class LogFormat : std::uint8_t { kSquid, kJson, kEcs, kEmf };

// Loopback, RFC 1918, RFC 6598 (100.64.0.0/10) and unique local addresses (RFC 4193).
[[nodiscard]] std::vector<Cidr> default_clients();

struct Settings {
  // Listeners.
  std::vector<Endpoint> listen = {{IpAddress::v4(0x7f000001), 3128}};  // never empty
  ProxyProtocol proxy_protocol = ProxyProtocol::kOff;
  std::vector<Cidr> trusted;                      // load balancers that send PROXY headers
  std::vector<Cidr> clients = default_clients();  // overlaps none of `trusted`

  // Policy. load_policy() reads what is named here.
  std::optional<policy::Document> allow;  // the patterns of `--allow`
  std::vector<std::string> allow_files;
  std::vector<policy::PortRange> allow_ports = {{80, 80}, {443, 443}};
  std::vector<std::string> policies;  // files and directories
  std::vector<SourceUrl> policy_sources;
  std::optional<Duration> policy_interval;  // nothing: what suits the kind of the source
  std::string policy_cache = "/var/lib/ebbgate/policy";
  Duration policy_max_age = Duration::zero();  // 0: none
  std::string policy_key;                      // a file; empty: signatures are not looked at
  bool allow_rollback = false;
  OnPolicyChange on_policy_change = OnPolicyChange::kKeep;
  bool report_only = false;
  policy::SniRule sni = policy::SniRule::kRequire;
  std::vector<Cidr> allow_private;
  std::vector<Cidr> inside;
  std::vector<Cidr> nat64;  // prefixes of RFC 6052 lengths

  // Names.
  std::vector<Endpoint> dns;  // empty: those of resolv.conf
  std::string ca_file;        // empty: the system's

  // Limits.
  std::size_t max_connections = 0;             // 0: as many as the descriptor limit has room for
  std::size_t max_connections_per_client = 0;  // 0: no limit
  std::size_t max_head_size = std::size_t{64} * 1024;  // octets
  Duration head_timeout = std::chrono::seconds(10);
  Duration handshake_timeout = std::chrono::seconds(10);
  Duration connect_timeout = std::chrono::seconds(10);
  Duration idle_timeout = std::chrono::hours(1);      // 0: none
  Duration tunnel_timeout = Duration::zero();         // 0: none
  Duration tcp_keepalive = std::chrono::seconds(60);  // 0: off

  // Records.
  std::string access_log = "-";  // a file, or `-` for standard output
  LogFormat log_format = LogFormat::kSquid;
  std::optional<Endpoint> admin = Endpoint{IpAddress::v4(0x7f000001), 9901};
  std::optional<Endpoint> health;
  bool health_metrics = false;

  // AWS. Without `aws`, the others are not used.
  struct Aws {
    struct Tag {
      std::string key;
      std::string value;
      bool operator==(const Tag&) const = default;
    };
    bool is_on = false;
    std::string region;  // empty: the environment's, or the instance's
    std::string group;   // of Auto Scaling; empty: the one that the instance is in
    std::string lifecycle_hook = "drain";
    Duration deregistration_delay = std::chrono::minutes(5);
    std::optional<Tag> address_tag;  // of the Elastic IPs to claim one from; nothing: none
    std::string stack;               // of CloudFormation; empty: the tags of the instance say
    std::string stack_resource;      // its logical id there; empty: the same
    Duration ready_timeout = std::chrono::minutes(10);
    std::string log_group;  // empty: the log is not shipped
    std::string log_spool = "/var/lib/ebbgate/spool";
    std::size_t log_spool_size = std::size_t{256} * 1024 * 1024;  // octets
    std::string metric_namespace = "Ebbgate";
    std::string alert_topic;  // an ARN; empty: no alerts
    bool operator==(const Aws&) const = default;
  };
  Aws aws;

  // Kubernetes. Without `kube`, the others are not used.
  struct Kube {
    enum class Way : std::uint8_t { kInCluster, kEks, kKubeconfig };
    bool is_on = false;
    Way way = Way::kInCluster;
    std::string which;            // the cluster's name in EKS, or the kubeconfig file
    std::vector<Cidr> pod_cidrs;  // where pods have addresses; empty: what `clients` is
    std::string own_namespace;    // of the gateways; empty: the pod's, else ebbgate-system
    std::string name;             // of this gateway; empty: the host's
    bool operator==(const Kube&) const = default;
  };
  Kube kube;

  // Process.
  std::size_t workers = 0;  // 0: one per core
  Duration drain_delay = std::chrono::seconds(5);
  Duration drain_timeout = std::chrono::seconds(30);
  std::string pid_file;     // empty: none
  std::string config_file;  // where the rest came from; empty: none

  bool operator==(const Settings&) const = default;
};

enum class Validity : std::uint8_t {
  kValid,
  kUsage,    // the command line cannot be read: exit code 2
  kInvalid,  // what it or the file asks for cannot be: exit code 3
};

struct LoadedSettings {
  Settings settings;  // not to be used unless kValid
  Validity validity = Validity::kValid;
  bool help = false;              // asked for instead
  std::vector<Problem> problems;  // errors, all at once, and warnings
};

// The text of the file at `path`, or why it cannot be had.
using ReadFile = std::function<std::expected<std::string, std::string>(const std::string& path)>;

inline constexpr std::size_t kMaxFileSize = std::size_t{256} * 1024 * 1024;  // octets

// From the file system: a file or a pipe, of at most kMaxFileSize.
[[nodiscard]] std::expected<std::string, std::string> read_file(const std::string& path);

// The flags of `ebbgate run`, those of later releases too (they are refused by name).
[[nodiscard]] std::span<const FlagSyntax> run_flags();

// In: the flags, of which each is one of run_flags(). A list that is given by flags replaces the
// one of the file whole. Operands are not looked at.
[[nodiscard]] LoadedSettings load_settings(const Arguments& arguments,
                                           const ReadFile& read = read_file);

// In: the words after `ebbgate run`, which takes no operands.
[[nodiscard]] LoadedSettings load_settings(std::span<const char* const> words,
                                           const ReadFile& read = read_file);

// What `ebbgate run --help` prints.
[[nodiscard]] std::string run_help();

// What is wrong, a line each, for standard error.
[[nodiscard]] std::string str(std::span<const Problem> problems);

}  // namespace ebbgate::config
