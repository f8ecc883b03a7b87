#include "app/run_command.h"

#include <sys/random.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "admin/server.h"
#include "app/aws_fleet.h"
#include "app/control.h"
#include "app/diagnostics.h"
#include "app/exit_code.h"
#include "app/gateway_pages.h"
#include "app/kube_cluster.h"
#include "app/options.h"
#include "app/outbound.h"
#include "app/policy_loader.h"
#include "app/policy_sources.h"
#include "app/service_manager.h"
#include "app/upgrade.h"
#include "app/version.h"
#include "config/load_policy.h"
#include "config/settings.h"
#include "net/listener.h"
#include "source/file_watch.h"

namespace ebbgate::app {
namespace {

// As many descriptors as the system lets this process have.
std::uint64_t raise_descriptor_limit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return 1024;
  limit.rlim_cur = limit.rlim_max;
  if (::setrlimit(RLIMIT_NOFILE, &limit) != 0) ::getrlimit(RLIMIT_NOFILE, &limit);
  return limit.rlim_cur;
}

std::uint64_t random_bits() {
  std::uint64_t bits = 0;
  if (::getrandom(&bits, sizeof bits, 0) != sizeof bits) {
    throw std::runtime_error("the system has no random numbers");
  }
  return bits;
}

// Unique for each gateway of a fleet, so that a request which comes back is known as a loop.
std::string make_pseudonym() {
  std::string text(16, '0');
  std::snprintf(text.data(), text.size() + 1, "%016llx",
                static_cast<unsigned long long>(random_bits()));
  return "ebbgate-" + text.substr(0, 12);
}

std::size_t worker_count(const config::Settings& settings) {
  if (settings.workers > 0) return settings.workers;
  return std::max<std::size_t>(1, std::thread::hardware_concurrency());
}

// Files and directories that a policy is read from.
std::vector<std::string> policy_paths(const config::Settings& settings) {
  std::vector<std::string> paths = settings.allow_files;
  paths.insert(paths.end(), settings.policies.begin(), settings.policies.end());
  return paths;
}

std::string ready_line(const std::vector<proxy::ListeningSockets>& clients,
                       const std::optional<Endpoint>& admin,
                       const std::optional<Endpoint>& health) {
  std::string line = "ready";
  for (const proxy::ListeningSockets& each : clients) line += " listen=" + each.at.str();
  if (admin) line += " admin=" + admin->str();
  if (health) line += " health=" + health->str();
  return line;
}

// A file that holds this process's number for as long as the object lives.
class PidFile {
 public:
  explicit PidFile(std::string path) : path_(std::move(path)) {
    if (path_.empty()) return;
    std::ofstream file(path_);
    file << ::getpid() << '\n';
    if (!file.flush()) say("cannot write the pid file " + path_);
  }
  PidFile(const PidFile&) = delete;
  PidFile& operator=(const PidFile&) = delete;
  ~PidFile() {
    if (path_.empty()) return;
    std::ifstream file(path_);  // a successor may have made it its own
    pid_t pid = 0;
    if (file >> pid && pid == ::getpid()) ::unlink(path_.c_str());
  }

 private:
  std::string path_;
};

// Since the policy in force was last known to be the right one: of several sources, since the one
// was confirmed that has been silent for longest. Nothing: there is no policy.
std::optional<Duration> policy_age(observe::Metrics& metrics, const PolicySources* sources,
                                   const KubeCluster* cluster, const Clock& clock) {
  if (metrics.policy().generation.value() == 0) return std::nullopt;
  if (sources == nullptr && cluster == nullptr) {
    const WallTime loaded_at(std::chrono::seconds(metrics.policy().loaded_at.value()));
    return clock.wall() - loaded_at;
  }
  std::optional<Duration> oldest;
  if (cluster != nullptr) oldest = cluster->policy_age();
  if (sources == nullptr) return oldest;
  for (const observe::SourceStatus& source : sources->status()) {
    oldest = std::max(oldest, source.age);  // without an age, it never gave any
  }
  return oldest;
}

template <typename T>
T value_or_throw(Result<T> result) {
  if (!result) throw std::runtime_error(result.error().detail);
  return std::move(*result);
}

int serve(const config::Settings& settings, std::span<const char* const> words) {
  Control::block_signals();
  const std::string program = own_file();
  Inheritance inheritance = take_inheritance();
  const std::uint64_t descriptors = raise_descriptor_limit();
  const proxy::Options options = proxy_options(settings, descriptors, make_pseudonym());
  const SystemClock clock;
  observe::Metrics metrics(worker_count(settings),
                           {.version = std::string(kVersion), .revision = std::string(kRevision)});
  const auto log = value_or_throw(observe::AccessLog::start(
      log_options(settings), metrics, [](std::string_view line) { say(line); }));

  const auto loop = value_or_throw(net::Loop::make());
  proxy::PublishedSnapshot published;
  Control* control_pointer = nullptr;
  std::function<void()> when_more_is_known;
  PolicyLoader policies(*loop, settings, clock, published, metrics.policy(), random_bits(),
                        [&](bool is_valid) {
                          if (control_pointer != nullptr) control_pointer->policy_loaded(is_valid);
                          if (when_more_is_known) when_more_is_known();
                        });
  std::unique_ptr<Outbound> outbound;
  std::unique_ptr<PolicySources> sources;
  std::unique_ptr<KubeCluster> cluster;
  std::unique_ptr<AwsFleet> fleet;
  const bool is_eks = settings.kube.is_on && settings.kube.way == config::Settings::Kube::Way::kEks;
  if (!settings.policy_sources.empty() || settings.aws.is_on || is_eks) {
    outbound = value_or_throw(Outbound::make(*loop, settings, clock));
  }
  if (!settings.policy_sources.empty()) {
    sources = value_or_throw(PolicySources::make(*loop, settings, clock, *outbound, [&policies] {
      policies.follow_age();
      policies.reload();
    }));
    sources->load_caches();
    policies.set_sources(*sources);
  }
  proxy::Gateway* gateway_pointer = nullptr;
  if (settings.kube.is_on) {
    cluster = value_or_throw(KubeCluster::make({
        .loop = *loop,
        .settings = settings,
        .clock = clock,
        .outbound = outbound.get(),
        .on_found =
            [&](source::KubePolicies& found) {
              policies.set_kube(found, [&](const auto& outcomes, const std::string& digest) {
                cluster->report(outcomes, !digest.empty());
              });
            },
        .on_policies =
            [&policies] {
              policies.follow_age();
              policies.reload_when_due();
            },
        .on_pods =
            [&] {
              gateway_pointer->pods_changed();
              if (when_more_is_known) when_more_is_known();
            },
    }));
  }
  policies.set_age(
      [&] { return (sources && sources->is_too_old()) || (cluster && cluster->is_too_old()); });

  std::vector<proxy::ListeningSockets> listen;
  listen.reserve(settings.listen.size());
  for (const Endpoint& at : settings.listen) {
    listen.push_back({at, take_sockets(inheritance, at)});
  }
  auto gateway = value_or_throw(proxy::Gateway::make({.options = options,
                                                      .clock = clock,
                                                      .policy = published,
                                                      .metrics = metrics,
                                                      .log = *log,
                                                      .say = say,
                                                      .dns = resolver_options(settings),
                                                      .pods = cluster ? &cluster->pods() : nullptr},
                                                     std::move(listen)));
  gateway_pointer = gateway.get();
  std::vector<proxy::ListeningSockets> sockets = gateway->listening();
  const auto unready_causes = [&] {
    std::vector<std::string> causes = control_pointer->unready_causes(published.generation() > 0);
    if (fleet) {
      for (std::string& cause : fleet->unready_causes()) causes.push_back(std::move(cause));
    }
    if (cluster && !cluster->knows_pods()) causes.emplace_back("no-pods");
    return causes;
  };
  GatewayPages pages({.loop = *loop,
                      .clock = clock,
                      .published = published,
                      .metrics = metrics,
                      .sources = sources.get(),
                      .cluster = cluster.get(),
                      .unready = unready_causes,
                      .health_metrics = settings.health_metrics});
  std::vector<std::unique_ptr<admin::Server>> servers;
  const auto serve_pages = [&](const std::optional<Endpoint>& at,
                               std::function<admin::AdminState()> of) -> std::optional<Endpoint> {
    if (!at) return std::nullopt;
    servers.push_back(value_or_throw(
        admin::Server::start(*loop, *at, take_sockets(inheritance, *at), std::move(of))));
    sockets.push_back({servers.back()->local(), {servers.back()->fd()}});
    return servers.back()->local();
  };
  const auto admin_at = serve_pages(settings.admin, [&pages] { return pages.admin(); });
  const auto health_at = serve_pages(settings.health, [&pages] { return pages.health(); });

  std::vector<Endpoint> own;
  own.reserve(sockets.size());
  for (const proxy::ListeningSockets& each : sockets) own.push_back(each.at);
  policies.set_listeners(own);
  if (!names_a_policy(settings)) {
    say("no policy is configured: every request is refused, and the gateway is not ready");
  } else if (!policies.load()) {
    return kInvalid;
  }

  // By its name: after an upgrade of the package, another file has it.
  std::vector<std::string> arguments = {program, "run"};
  arguments.insert(arguments.end(), words.begin(), words.end());
  Control control(*loop, options, *gateway, policies, *log, std::move(arguments), sockets, [&] {
    for (const auto& server : servers) server->leave();
    if (fleet) fleet->handed_over();
  });
  control_pointer = &control;
  if (settings.aws.is_on) {
    fleet = value_or_throw(AwsFleet::make(
        {.loop = *loop,
         .settings = settings,
         .outbound = *outbound,
         .metrics = metrics,
         .log = *log,
         .policy_age = [&] { return policy_age(metrics, sources.get(), cluster.get(), clock); },
         .unready = unready_causes,
         .leave = [&control](Duration patience) { control.leave(patience); }}));
  }
  control.set_farewell([&](std::function<void()> then) {
    if (fleet) then = [&fleet, then] { fleet->say_farewell(then); };
    if (!cluster) return then();
    cluster->say_farewell(then);
  });
  if (const auto started = control.start(); !started) {
    throw std::runtime_error(started.error().detail);
  }
  std::unique_ptr<source::FileWatch> watch;
  if (const auto paths = policy_paths(settings); !paths.empty()) {
    watch =
        value_or_throw(source::FileWatch::start(*loop, paths, [&policies] { policies.reload(); }));
  }
  const PidFile pid_file(settings.pid_file);
  const auto begin_serving = [&] {
    gateway->start();
    if (cluster) cluster->serve();
    say(ready_line(gateway->listening(), admin_at, health_at));
    close_unused(inheritance);
    tell_predecessor(inheritance);
    tell_service_manager("READY=1\nMAINPID=" + std::to_string(::getpid()));
  };
  // A successor that knows no policy, or no pods, would refuse what its predecessor lets pass.
  const auto knows_enough = [&] {
    return published.generation() > 0 && (!cluster || cluster->knows_pods());
  };
  const auto serve_if_it_can = [&, has_begun = false]() mutable {
    if (has_begun || !knows_enough()) return;
    has_begun = true;
    begin_serving();
  };
  if (inheritance.is_there() && (sources || cluster)) {
    when_more_is_known = serve_if_it_can;
    when_more_is_known();
  } else {
    begin_serving();
  }
  if (sources) sources->start();
  if (cluster) cluster->start();
  if (fleet) fleet->start();
  loop->run();

  // While the workers, which have ended, are still there: the log's writer tells them of room.
  if (const std::size_t lost = log->stop(); lost > 0) {
    say(std::to_string(lost) + " octets of the access log could not be written");
    return kFailed;
  }
  return kFine;
}

}  // namespace

int run_gateway(std::span<const char* const> words) {
  config::LoadedSettings loaded = config::load_settings(words);
  if (loaded.help) {
    std::fputs(config::run_help().c_str(), stdout);
    return kFine;
  }
  for (const config::Problem& problem : loaded.problems) say(policy::str(problem));
  switch (loaded.validity) {
    case config::Validity::kUsage:
      say("`ebbgate run --help` lists the flags");
      return kUsage;
    case config::Validity::kInvalid:
      return kInvalid;
    case config::Validity::kValid:
      break;
  }
  return serve(loaded.settings, words);
}

}  // namespace ebbgate::app
