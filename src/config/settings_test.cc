// What `ebbgate run` understands and what it says of the rest. Messages are compared to the octet:
// they are the part of this folder that people see.
#include "config/settings.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

#include "config/detail/setting_table.h"

namespace ebbgate::config {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;
using ::testing::ElementsAre;
using Files = std::map<std::string, std::string>;

LoadedSettings load(const std::vector<const char*>& words, const Files& files = {}) {
  return load_settings(words,
                       [&](const std::string& path) -> std::expected<std::string, std::string> {
                         const auto file = files.find(path);
                         if (file == files.end()) {
                           return std::unexpected("it cannot be read: No such file or directory");
                         }
                         return file->second;
                       });
}

LoadedSettings load_yaml(const std::string& text) {
  return load({"--config", "e.yaml"}, {{"e.yaml", text}});
}

Cidr cidr(std::string_view text) {
  return *Cidr::parse(text);
}

TEST(Settings, HaveTheDefaultsThatTheTableNames) {
  const LoadedSettings loaded = load({});
  EXPECT_EQ(loaded.settings, Settings{});
  EXPECT_TRUE(loaded.problems.empty());
  std::size_t compared = 0;
  for (const detail::Setting& setting : detail::setting_table()) {
    // What is for people, and not a value to write, has blanks or is one of these.
    if (setting.fallback.contains(' ') || setting.fallback == "none" || setting.name == "ca-file") {
      continue;
    }
    Settings settings;
    std::vector<Problem> problems;
    setting.apply({"--x", {{std::string(setting.fallback), {}}}}, settings, problems);
    EXPECT_EQ(settings, Settings{}) << setting.name;
    EXPECT_EQ(str(problems), "") << setting.name;
    ++compared;
  }
  EXPECT_GT(compared, 15U);
}

TEST(Settings, TakeEveryFlag) {
  const LoadedSettings loaded = load({"--listen",
                                      "0.0.0.0:3128",
                                      "--listen=[::]:0",
                                      "--proxy-protocol",
                                      "required",
                                      "--trusted",
                                      "10.0.1.0/24",
                                      "--clients",
                                      "192.168.0.0/16",
                                      "--clients",
                                      "fd00::/8",
                                      "--allow",
                                      ".amazonaws.com",
                                      "--allow",
                                      "github.com:443",
                                      "--allow-file",
                                      "a.list",
                                      "--allow-port",
                                      "443",
                                      "--allow-port",
                                      "8000-8010",
                                      "--policy",
                                      "p.yaml",
                                      "--policy",
                                      "/etc/policies",
                                      "--on-policy-change",
                                      "drain",
                                      "--report-only",
                                      "--sni",
                                      "optional",
                                      "--allow-private",
                                      "10.9.0.0/24",
                                      "--inside",
                                      "2001:db8::/32",
                                      "--nat64",
                                      "64:ff9b:1::/48",
                                      "--dns",
                                      "10.0.0.2",
                                      "--dns",
                                      "[2001:db8::2]:5353",
                                      "--dns",
                                      "2001:db8::3",
                                      "--ca-file",
                                      "ca.pem",
                                      "--max-connections",
                                      "5000",
                                      "--max-connections-per-client",
                                      "100",
                                      "--max-head-size",
                                      "16KiB",
                                      "--head-timeout",
                                      "5s",
                                      "--handshake-timeout",
                                      "250ms",
                                      "--connect-timeout",
                                      "3s",
                                      "--idle-timeout",
                                      "0",
                                      "--tunnel-timeout",
                                      "8h",
                                      "--tcp-keepalive",
                                      "5m",
                                      "--access-log",
                                      "/var/log/ebbgate",
                                      "--log-format",
                                      "json",
                                      "--admin",
                                      "off",
                                      "--health",
                                      "0.0.0.0:8080",
                                      "--health-metrics",
                                      "--workers",
                                      "3",
                                      "--drain-delay",
                                      "0s",
                                      "--drain-timeout",
                                      "1m",
                                      "--pid-file",
                                      "/run/ebbgate.pid"},
                                     {{"ca.pem", ""}});
  const Settings& s = loaded.settings;
  EXPECT_EQ(loaded.validity, Validity::kValid) << str(loaded.problems);
  EXPECT_THAT(s.listen, ElementsAre(*Endpoint::parse("0.0.0.0:3128"), *Endpoint::parse("[::]:0")));
  EXPECT_EQ(s.proxy_protocol, ProxyProtocol::kRequired);
  EXPECT_THAT(s.trusted, ElementsAre(cidr("10.0.1.0/24")));
  EXPECT_THAT(s.clients, ElementsAre(cidr("192.168.0.0/16"), cidr("fd00::/8")));
  ASSERT_TRUE(s.allow && s.allow->allow.size() == 1 && s.allow->allow[0].hosts.size() == 2);
  EXPECT_EQ(s.allow->name, "--allow");
  EXPECT_EQ(s.allow->allow[0].hosts[0].str(), ".amazonaws.com");
  EXPECT_EQ(s.allow->allow[0].hosts[1].str(), "github.com:443");
  EXPECT_THAT(s.allow_files, ElementsAre("a.list"));
  EXPECT_THAT(s.allow_ports,
              ElementsAre(policy::PortRange{443, 443}, policy::PortRange{8000, 8010}));
  EXPECT_THAT(s.policies, ElementsAre("p.yaml", "/etc/policies"));
  EXPECT_EQ(s.on_policy_change, OnPolicyChange::kDrain);
  EXPECT_TRUE(s.report_only);
  EXPECT_EQ(s.sni, policy::SniRule::kOptional);
  EXPECT_THAT(s.allow_private, ElementsAre(cidr("10.9.0.0/24")));
  EXPECT_THAT(s.inside, ElementsAre(cidr("2001:db8::/32")));
  EXPECT_THAT(s.nat64, ElementsAre(cidr("64:ff9b:1::/48")));
  EXPECT_THAT(s.dns,
              ElementsAre(*Endpoint::parse("10.0.0.2:53"), *Endpoint::parse("[2001:db8::2]:5353"),
                          *Endpoint::parse("[2001:db8::3]:53")));
  EXPECT_EQ(s.ca_file, "ca.pem");
  EXPECT_EQ(s.max_connections, 5000U);
  EXPECT_EQ(s.max_connections_per_client, 100U);
  EXPECT_EQ(s.max_head_size, 16384U);
  EXPECT_EQ(s.head_timeout, seconds(5));
  EXPECT_EQ(s.handshake_timeout, milliseconds(250));
  EXPECT_EQ(s.connect_timeout, seconds(3));
  EXPECT_EQ(s.idle_timeout, Duration::zero());
  EXPECT_EQ(s.tunnel_timeout, hours(8));
  EXPECT_EQ(s.tcp_keepalive, minutes(5));
  EXPECT_EQ(s.access_log, "/var/log/ebbgate");
  EXPECT_EQ(s.log_format, LogFormat::kJson);
  EXPECT_EQ(s.admin, std::nullopt);
  EXPECT_EQ(s.health, *Endpoint::parse("0.0.0.0:8080"));
  EXPECT_TRUE(s.health_metrics);
  EXPECT_EQ(s.workers, 3U);
  EXPECT_EQ(s.drain_delay, Duration::zero());
  EXPECT_EQ(s.drain_timeout, minutes(1));
  EXPECT_EQ(s.pid_file, "/run/ebbgate.pid");
}

TEST(Settings, ComeFromAFileUnderTheSameNames) {
  const LoadedSettings loaded = load_yaml(R"(# settings
listen: ["127.0.0.1:8080", '[::1]:8080']
allow: [.example.com, "a.example:443"]
report-only: true
admin: off
workers: 2
idle-timeout: 30m
)");
  const Settings& s = loaded.settings;
  ASSERT_EQ(loaded.validity, Validity::kValid) << str(loaded.problems);
  EXPECT_EQ(s.listen.size(), 2U);
  ASSERT_TRUE(s.allow);
  EXPECT_EQ(s.allow->file, "e.yaml");
  EXPECT_EQ(s.allow->allow[0].hosts.position(1), (policy::Position{3, 23}));
  EXPECT_TRUE(s.report_only);
  EXPECT_EQ(s.admin, std::nullopt);
  EXPECT_EQ(s.workers, 2U);
  EXPECT_EQ(s.idle_timeout, minutes(30));
}

TEST(Settings, OfFlagsReplaceThoseOfTheFileWhole) {
  const LoadedSettings loaded = load(
      {"--config", "e.yaml", "--allow", "c.example", "--workers", "4", "--report-only=false"},
      {{"e.yaml", "allow: [a.example, b.example]\nworkers: 2\nreport-only: true\nsni: off\n"}});
  ASSERT_EQ(loaded.validity, Validity::kValid) << str(loaded.problems);
  ASSERT_EQ(loaded.settings.allow->allow[0].hosts.size(), 1U);
  EXPECT_EQ(loaded.settings.allow->allow[0].hosts[0].str(), "c.example");
  EXPECT_EQ(loaded.settings.workers, 4U);
  EXPECT_FALSE(loaded.settings.report_only);
  EXPECT_EQ(loaded.settings.sni, policy::SniRule::kOff);
}

TEST(Settings, OfAFileThatIsAllCommentsAreTheDefaults) {
  Settings expected;
  expected.config_file = "e.yaml";
  EXPECT_EQ(load_yaml("# listen: 127.0.0.1:1\n").settings, expected);
  EXPECT_EQ(load_yaml("").settings, expected);
}

TEST(Settings, HelpIsAskedForByEitherName) {
  EXPECT_TRUE(load({"--help"}).help);
  EXPECT_TRUE(load({"--listen", "127.0.0.1:1", "-h"}).help);
  EXPECT_FALSE(load({}).help);
}

struct Refusal {
  std::vector<const char*> words;
  std::string says;
};

TEST(Settings, OfACommandLineThatCannotBeReadAreUsageErrors) {
  const Refusal refusals[] = {
      {{"--lisen", "127.0.0.1:1"},
       "--lisen: error: there is no such flag; write --listen\n"
       "127.0.0.1:1: error: `ebbgate run` takes flags only; write --policy FILE for a policy, "
       "--allow PATTERN for a name\n"},
      {{"--report_only"}, "--report_only: error: there is no such flag; write --report-only\n"},
      {{"-allow=x"}, "-allow: error: there is no such flag; write --allow\n"},
      {{"--frobnicate"}, "--frobnicate: error: there is no such flag; see --help\n"},
      {{"--listen"}, "--listen: error: its value is missing; write --listen VALUE; see --help\n"},
      {{"--allow", "--report-only"},
       "--allow: error: its value is missing; write --allow VALUE; see --help\n"},
      {{"--workers", "2", "--workers", "3"}, "--workers: error: it is given twice; give it once\n"},
      {{"--config", "a", "--config", "b"},
       "--config: error: it is given twice; name one file\n"
       "b: error: it cannot be read: No such file or directory; name a file that the gateway may "
       "read\n"},
      {{"--config="}, "--config: error: it is empty; name a file\n"},
      {{"--listen-tls", "0.0.0.0:3129"},
       "--listen-tls: error: listen-tls is not in this release, as it has no support for TLS "
       "between client and gateway; leave it out\n"},
      {{"policy.yaml"},
       "policy.yaml: error: `ebbgate run` takes flags only; write --policy FILE for a policy, "
       "--allow PATTERN for a name\n"},
  };
  for (const Refusal& refusal : refusals) {
    const LoadedSettings loaded = load(refusal.words);
    EXPECT_EQ(str(loaded.problems), refusal.says);
    EXPECT_EQ(loaded.validity, Validity::kUsage) << refusal.says;
  }
}

TEST(Settings, OfKubernetesSayWhichClusterAndWhereItsPodsAre) {
  using Way = Settings::Kube::Way;
  const struct {
    std::vector<const char*> words;
    Way way;
    std::string which;
  } ways[] = {
      {{"--kube"}, Way::kInCluster, ""},
      {{"--kube", "--report-only"}, Way::kInCluster, ""},
      {{"--kube", "in-cluster"}, Way::kInCluster, ""},
      {{"--kube=eks:shop"}, Way::kEks, "shop"},
      {{"--kube", "kubeconfig:k"}, Way::kKubeconfig, "k"},
  };
  for (const auto& each : ways) {
    const LoadedSettings loaded = load(each.words, {{"k", ""}});
    EXPECT_EQ(str(loaded.problems), "");
    EXPECT_TRUE(loaded.settings.kube.is_on) << each.which;
    EXPECT_EQ(loaded.settings.kube.way, each.way);
    EXPECT_EQ(loaded.settings.kube.which, each.which);
  }
  EXPECT_FALSE(load({"--kube", "off"}).settings.kube.is_on);
  const LoadedSettings loaded =
      load_yaml("kube: eks:shop\npod-cidr: [10.64.0.0/16, 2600:1f13::/56]\nkube-name: gw-1\n");
  EXPECT_EQ(str(loaded.problems), "");
  EXPECT_EQ(loaded.settings.kube.pod_cidrs.size(), 2);
  EXPECT_EQ(loaded.settings.kube.name, "gw-1");
}

TEST(Settings, OfLaterReleasesAreRefusedByName) {
  for (const detail::LaterSetting& later : detail::later_settings()) {
    const std::string flag = "--" + std::string(later.name) + "=x";
    EXPECT_THAT(str(load({flag.c_str()}).problems),
                ::testing::HasSubstr(std::string(later.name) + " is not in this release"));
    EXPECT_THAT(str(load_yaml(std::string(later.name) + ": x").problems),
                ::testing::StartsWith("e.yaml:1:1: error: " + std::string(later.name) +
                                      " is not in this release"));
  }
}

TEST(Settings, WithWrongValuesAreInvalid) {
  const Refusal refusals[] = {
      {{"--kube", "eks:"},
       "--kube: error: \"eks:\" is no way to a cluster; write in-cluster, eks:NAME, "
       "kubeconfig:FILE or off\n"},
      {{"--kube", "--kube-name", "Gateway_1"},
       "--kube-name: error: \"Gateway_1\" is no name that Kubernetes would take; write small "
       "letters, digits and -, at most 200\n"},
      {{"--listen", "3128"},
       "--listen: error: \"3128\" has no address; write 0.0.0.0:3128 to listen on every IPv4 "
       "address\n"},
      {{"--listen", "localhost:3128"},
       "--listen: error: \"localhost:3128\" is not an address with a port; write it as in "
       "127.0.0.1:3128 or [::1]:3128\n"},
      {{"--clients", "10.1.2.3/8"},
       "--clients: error: \"10.1.2.3/8\" has bits set beyond its prefix; write 10.0.0.0/8 or "
       "10.1.2.3\n"},
      {{"--inside", "vpc"},
       "--inside: error: \"vpc\" is not a block of addresses; write it as in 10.0.0.0/8 or "
       "2001:db8::/32\n"},
      {{"--nat64", "64:ff9b::/95"},
       "--nat64: error: \"64:ff9b::/95\" is not a NAT64 prefix; write an IPv6 prefix of 32, 40, "
       "48, "
       "56, 64 or 96 bits (RFC 6052)\n"},
      {{"--dns", "resolver.example"},
       "--dns: error: \"resolver.example\" is not the address of a DNS server; write it as in "
       "10.0.0.2, 10.0.0.2:53 or [2001:db8::2]:53\n"},
      {{"--allow", "https://github.com/"},
       "--allow: error: \"https://github.com/\" has a scheme; write github.com\n"},
      {{"--allow-port", "0"},
       "--allow-port: error: \"0\" is not a port or a range of ports; write numbers from 1 to "
       "65535, as in 443 or 8000-8010\n"},
      {{"--allow-port", "9-8"},
       "--allow-port: error: \"9-8\" is not a port or a range of ports; write numbers from 1 to "
       "65535, as in 443 or 8000-8010\n"},
      {{"--sni", "no"},
       "--sni: error: \"no\" is none of its values; write require, optional or off\n"},
      {{"--on-policy-change", "kill"},
       "--on-policy-change: error: \"kill\" is none of its values; write keep, drain or cut\n"},
      {{"--log-format", "xml"},
       "--log-format: error: \"xml\" is none of its values; write squid, json, ecs or "
       "emf\n"},
      {{"--report-only=yes"},
       "--report-only: error: \"yes\" is neither true nor false; write true or false\n"},
      {{"--idle-timeout", "30"},
       "--idle-timeout: error: \"30\" is not a duration; write the unit too, as in 30s\n"},
      {{"--idle-timeout", "1h30m"},
       "--idle-timeout: error: \"1h30m\" is not a duration; write a number and ms, s, m or h, as "
       "in 30s\n"},
      {{"--idle-timeout", "99999999999h"},
       "--idle-timeout: error: \"99999999999h\" is more than ten years; write a shorter "
       "duration\n"},
      {{"--head-timeout", "0"},
       "--head-timeout: error: it has to end some time; write a duration above zero, as in 10s\n"},
      {{"--max-head-size", "64KB"},
       "--max-head-size: error: \"64KB\" is not a size; write a number of octets, or one with KiB, "
       "MiB or GiB, as in 64KiB\n"},
      {{"--max-head-size", "16"},
       "--max-head-size: error: \"16\" is no good size for a head; write one from 1KiB to 1MiB\n"},
      {{"--max-head-size", "99999999999999999999"},
       "--max-head-size: error: \"99999999999999999999\" is not a size; write a number of octets, "
       "or one with KiB, MiB or GiB, as in 64KiB\n"},
      {{"--max-head-size", "18446744073709551615GiB"},
       "--max-head-size: error: \"18446744073709551615GiB\" is more than 1024GiB; write a smaller "
       "size\n"},
      {{"--workers", "0"}, "--workers: error: \"0\" is not a number from 1 to 1024; write one\n"},
      {{"--workers", "-1"}, "--workers: error: \"-1\" is not a number from 1 to 1024; write one\n"},
      {{"--pid-file", ""}, "--pid-file: error: it is empty; write a value, or leave it out\n"},
      {{"--listen", "\x1b[31m\xff"},
       "--listen: error: \"%1B[31m%FF\" is not an address with a port; write it as in "
       "127.0.0.1:3128 or [::1]:3128\n"},
      {{"--ca-file", "ca.pem"},
       "--ca-file: error: \"ca.pem\": it cannot be read: No such file or directory; name a file of "
       "PEM certificates\n"},
      {{"--config", "none.yaml"},
       "none.yaml: error: it cannot be read: No such file or directory; name a file that the "
       "gateway may read\n"},
      // What no single setting can know.
      {{"--proxy-protocol", "required"},
       "--proxy-protocol: error: nobody is trusted to send a PROXY header; name the load balancers "
       "with --trusted CIDR\n"},
      {{"--proxy-protocol", "optional", "--trusted", "10.0.0.0/16", "--clients", "10.0.0.0/8"},
       "--clients: error: 10.0.0.0/8 overlaps 10.0.0.0/16 of trusted; let no address be both: load "
       "balancers in one, clients in the other\n"},
      {{"--listen", "127.0.0.1:9901"},
       "--admin: error: 127.0.0.1:9901 is taken by --listen; choose another port, or 0 for any "
       "free one\n"},
      {{"--health", "127.0.0.1:3128"},
       "--health: error: 127.0.0.1:3128 is taken by --listen; choose another port, or 0 for any "
       "free one\n"},
      // All at once, in the order of the names.
      {{"--workers", "x", "--sni", "y"},
       "--sni: error: \"y\" is none of its values; write require, optional or off\n"
       "--workers: error: \"x\" is not a number from 1 to 1024; write one\n"},
  };
  for (const Refusal& refusal : refusals) {
    const LoadedSettings loaded = load(refusal.words);
    EXPECT_EQ(str(loaded.problems), refusal.says);
    EXPECT_EQ(loaded.validity, Validity::kInvalid) << refusal.says;
  }
}

TEST(Settings, OfAFileAreRefusedByLineAndColumn) {
  const std::pair<const char*, const char*> refusals[] = {
      {"listen: 127.0.0.1:1\nworkres: 2\n",
       "e.yaml:2:1: error: unknown key \"workres\"; write `workers`\n"},
      {"reportOnly: true\n",
       "e.yaml:1:1: error: unknown key \"reportOnly\"; write `report-only`\n"},
      {"sausage: true\n", "e.yaml:1:1: error: unknown key \"sausage\"; see `ebbgate run --help`\n"},
      {"config: other.yaml\n",
       "e.yaml:1:1: error: unknown key \"config\"; see `ebbgate run --help`\n"},
      {"workers: [2]\n",
       "e.yaml:1:10: error: `workers` is a list, and has one value only; write `workers: 2`\n"},
      {"workers:\n  many: 2\n",
       "e.yaml:2:3: error: `workers` has a map where a single value belongs; write `workers: N`\n"},
      {"listen:\n",
       "e.yaml:1:1: error: `listen` has nothing where a single value belongs; write `listen: "
       "ADDR:PORT`\n"},
      {"listen: []\n", "e.yaml:1:9: error: `listen` is an empty list; leave it out\n"},
      {"allow:\n  - a.example\n  - [b.example]\n",
       "e.yaml:3:5: error: `allow` has a list where a single value belongs; write `allow: "
       "PATTERN`\n"},
      {"allow:\n  - a.example\n  - \"*\"\n",
       "e.yaml:3:5: error: \"*\" would allow every name; list the names that are needed\n"},
      {"workers: 1\nworkers: 2\n",
       "e.yaml:2:1: error: the key \"workers\" is given twice; remove one of them\n"},
      {"- listen\n",
       "e.yaml:1:1: error: the settings are a list, and have to be a map; write `name: value`, as "
       "in `listen: 127.0.0.1:3128`\n"},
      {"workers: 1\n---\nworkers: 2\n",
       "e.yaml:3:1: error: a second document; keep the settings in one, without `---` between\n"},
      {"apiVersion: ebbgate.dev/v1alpha1\n",
       "e.yaml:1:1: error: this is a policy, and not a file of settings; give it to --policy\n"},
      {"workers: &n 1\n",
       "e.yaml:1:10: error: an anchor (&); write the value out where it is needed\n"},
      {"clients: [10.0.0.0/8]\ntrusted: [10.2.0.0/16]\nproxy-protocol: required\n",
       "e.yaml:1:11: error: 10.0.0.0/8 overlaps 10.2.0.0/16 of trusted; let no address be both: "
       "load balancers in one, clients in the other\n"},
  };
  for (const auto& [text, says] : refusals) {
    const LoadedSettings loaded = load_yaml(text);
    EXPECT_EQ(str(loaded.problems), says);
    EXPECT_EQ(loaded.validity, Validity::kInvalid) << text;
  }
}

TEST(Settings, WarnOfWhatIsSeldomMeant) {
  const Refusal warnings[] = {
      {{"--allow-private", "10.0.0.0/8"},
       "--allow-private: warning: 10.0.0.0/8 is open to every entry; name it in the `addresses` of "
       "the entries that need it\n"},
      {{"--clients", "0.0.0.0/0"},
       "--clients: warning: 0.0.0.0/0 lets everybody use the gateway; name the networks of the "
       "clients\n"},
      {{"--trusted", "203.0.113.0/24"},
       "--trusted: warning: without the PROXY protocol, who is trusted is only no client; add "
       "--proxy-protocol required, or leave it out\n"},
      {{"--health-metrics"},
       "--health-metrics: warning: there is no health listener to serve them; add --health "
       "ADDR:PORT\n"},
  };
  for (const Refusal& warning : warnings) {
    const LoadedSettings loaded = load(warning.words);
    EXPECT_EQ(str(loaded.problems), warning.says);
    EXPECT_EQ(loaded.validity, Validity::kValid);
  }
}

TEST(DefaultClients, AreThePrivateNetworksWithoutWhatIsTrusted) {
  const auto holds = [](const std::vector<Cidr>& blocks, std::string_view address) {
    return std::ranges::any_of(
        blocks, [&](const Cidr& block) { return block.contains(*IpAddress::parse(address)); });
  };
  const std::vector<Cidr> all = default_clients();
  for (const char* address : {"127.0.0.1", "::1", "10.0.0.1", "172.31.255.255", "192.168.1.1",
                              "100.64.0.1", "fd00::1", "fc00::1"}) {
    EXPECT_TRUE(holds(all, address)) << address;
  }
  for (const char* address : {"8.8.8.8", "169.254.169.254", "172.32.0.1", "100.128.0.1", "fe80::1",
                              "2001:db8::1", "::2", "11.0.0.0"}) {
    EXPECT_FALSE(holds(all, address)) << address;
  }

  const LoadedSettings loaded = load({"--proxy-protocol", "required", "--trusted", "10.0.1.0/24",
                                      "--trusted", "fd00::5", "--trusted", "127.0.0.0/8"});
  ASSERT_EQ(loaded.validity, Validity::kValid) << str(loaded.problems);
  const std::vector<Cidr>& rest = loaded.settings.clients;
  for (const char* address : {"10.0.0.255", "10.0.2.0", "10.255.255.255", "fd00::4", "fd00::6",
                              "fdff::1", "::1", "192.168.1.1"}) {
    EXPECT_TRUE(holds(rest, address)) << address;
  }
  for (const char* address : {"10.0.1.0", "10.0.1.255", "fd00::5", "127.0.0.1"}) {
    EXPECT_FALSE(holds(rest, address)) << address;
  }
  for (const Cidr& client : rest) {
    for (const Cidr& trusted : loaded.settings.trusted) EXPECT_FALSE(client.overlaps(trusted));
  }
}

TEST(RunHelp, NamesEveryFlagAndIsNarrow) {
  const std::string help = run_help();
  for (const FlagSyntax& flag : run_flags()) {
    EXPECT_THAT(help, ::testing::HasSubstr("--" + std::string(flag.name)));
  }
  std::size_t begin = 0;
  for (std::size_t end = help.find('\n'); end != std::string::npos; end = help.find('\n', begin)) {
    EXPECT_LE(end - begin, 96U) << help.substr(begin, end - begin);
    begin = end + 1;
  }
}

}  // namespace
}  // namespace ebbgate::config
