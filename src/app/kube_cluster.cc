#include "app/kube_cluster.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <string_view>
#include <utility>
#include <vector>

#include "app/diagnostics.h"
#include "source/eks_access.h"

namespace ebbgate::app {
namespace {

using config::ResourceOutcome;

constexpr Duration kFirstPause = std::chrono::seconds(1);  // before EKS is asked again; doubles
constexpr Duration kLongestPause = std::chrono::seconds(30);
constexpr Duration kDescribe = std::chrono::seconds(20);
constexpr Duration kFirstLook = std::chrono::seconds(5);  // whether all is well; doubles if not
constexpr Duration kLongestLook = std::chrono::minutes(2);
constexpr Duration kAgeCheck = std::chrono::seconds(1);
constexpr Duration kFarewell = std::chrono::seconds(3);
constexpr const char* kUsualNamespace = "ebbgate-system";

std::string host_name() {
  std::array<char, 256> name{};
  return ::gethostname(name.data(), name.size() - 1) == 0 ? name.data() : "unnamed";
}

std::string_view word(config::ResourceState state) {
  switch (state) {
    case config::ResourceState::kInForce:
      return "in-force";
    case config::ResourceState::kKept:
      return "kept";
    case config::ResourceState::kClosed:
      return "closed";
    case config::ResourceState::kMissing:
      return "missing";
    case config::ResourceState::kHeldUp:
      return "held-up";
  }
  return "";
}

constexpr std::array kStates = {config::ResourceState::kInForce, config::ResourceState::kKept,
                                config::ResourceState::kClosed, config::ResourceState::kMissing,
                                config::ResourceState::kHeldUp};

kube::ResourceState state_of(const ResourceOutcome& outcome) {
  switch (outcome.state) {
    case config::ResourceState::kKept:
      return kube::ResourceState::kLastGoodKept;
    case config::ResourceState::kClosed:
    case config::ResourceState::kMissing:
      return kube::ResourceState::kNeverGood;
    default:
      break;
  }
  if (outcome.none == 0 && outcome.partly == 0) return kube::ResourceState::kAccepted;
  return outcome.whole + outcome.partly == 0 ? kube::ResourceState::kNotDelegated
                                             : kube::ResourceState::kPartlyDelegated;
}

kube::ResourceReport report_of(const ResourceOutcome& outcome) {
  return {.id = {.in_namespace = outcome.id.in_namespace, .name = outcome.id.name},
          .uid = outcome.id.uid,
          .generation = outcome.id.generation,
          .generation_in_force = outcome.generation_in_force,
          .state = state_of(outcome),
          .allow = outcome.allow,
          .deny = outcome.deny,
          .problems = outcome.problems};
}

observe::ClusterStatus::Watch status_of(std::string kind, const kube::WatchState& state,
                                        MonotonicTime now) {
  return {.kind = std::move(kind),
          .lost = state.lost_since ? now - *state.lost_since : Duration::zero(),
          .failures = state.failures,
          .events = state.events};
}

// Those that still run; that the API sends the others only to be passed over would be a waste.
kube::Selection running_pods() {
  return {.fields = "status.phase!=Succeeded,status.phase!=Failed"};
}

}  // namespace

KubeCluster::KubeCluster(Parts parts)
    : parts_(std::move(parts)),
      feed_(pods_, [this] { tell_pods(); }, [this] { tell_freshness(); }) {
  const auto& blocks = kube().pod_cidrs;
  pods_.set_pod_blocks(blocks.empty() ? parts_.settings.clients : blocks);
}

Result<std::unique_ptr<KubeCluster>> KubeCluster::make(Parts parts) {
  std::unique_ptr<KubeCluster> made(new KubeCluster(std::move(parts)));
  const config::Settings::Kube& kube = made->kube();
  if (kube.way == config::Settings::Kube::Way::kEks) return made;  // asked for in live()
  KubeSessionOptions options;
  options.is_in_cluster = kube.way == config::Settings::Kube::Way::kInCluster;
  options.kubeconfig = kube.which;
  auto session = KubeSession::make(made->parts_.loop, made->parts_.clock, std::move(options));
  if (!session) return std::unexpected(std::move(session.error()));
  made->attach(std::move(*session));
  return made;
}

void KubeCluster::attach(std::unique_ptr<KubeSession> session) {
  session_ = std::move(session);
  kube::Client& client = session_->client();
  pod_watch_ = std::make_unique<kube::ListWatch>(client, kube::all_pods(), feed_, running_pods());
  feed_.follow(*pod_watch_);
  policies_ = std::make_unique<source::KubePolicies>(client, parts_.on_policies,
                                                     [](std::string_view line) { say(line); });
  const bool is_pod = kube().way == config::Settings::Kube::Way::kInCluster;
  std::string own = kube().own_namespace;
  if (own.empty()) own = is_pod ? session_->access().home_namespace : kUsualNamespace;
  reporter_ = std::make_unique<kube::PolicyReporter>(
      client, parts_.clock,
      kube::ReporterOptions{.in_namespace = std::move(own),
                            .gateway = kube().name.empty() ? host_name() : kube().name},
      [this](const kube::ObjectId& id) { return policies_->text(id); },
      [](std::string_view line) { say(line); });
  parts_.on_found(*policies_);
}

void KubeCluster::start() {
  if (parts_.settings.policy_max_age > Duration::zero()) on_age_timer(this);
  seeker_.start(live(),
                [](const std::exception_ptr&) { say("no memory to watch the cluster with"); });
}

net::Task<void> KubeCluster::live() {
  while (session_ == nullptr) {
    auto access = co_await eks_access();
    if (!access) co_return;
    auto session = KubeSession::make(parts_.loop, std::move(*access));
    if (session) {
      attach(std::move(*session));
      break;
    }
    say("Kubernetes: " + session.error().detail);
    const auto end = co_await net::sleep_until(parts_.loop, parts_.loop.after(kLongestPause));
    if (end == net::Wait::End::kStopped) co_return;
  }
  pod_watch_->start();
  policies_->start();
  start_reporter();
  if (kube().way == config::Settings::Kube::Way::kEks) co_await follow_eks();
}

// A cluster that is made anew under its name is elsewhere, and has another authority; and AWS's
// time, which tokens go by, is learnt from its answers. So EKS is asked while the API is not heard
// of.
net::Task<void> KubeCluster::follow_eks() {
  for (Duration pause = kFirstLook;;) {
    const auto end = co_await net::sleep_until(parts_.loop, parts_.loop.after(pause));
    if (end == net::Wait::End::kStopped) co_return;
    if (!pod_watch_->state().is_lost() && !policies_->lost_since()) {
      pause = kFirstLook;
      continue;
    }
    pause = std::min(2 * pause, kLongestLook);
    const auto found = co_await ask_eks();
    if (found && session_->follow(*found)) {
      say("Kubernetes: the cluster " + kube().which + " is another one: " + found->server);
      pause = kFirstLook;
    }
  }
}

void KubeCluster::serve() {
  is_serving_ = true;
  start_reporter();
}

void KubeCluster::start_reporter() {
  if (!is_serving_ || reporter_ == nullptr || std::exchange(is_reporting_, true)) return;
  reporter_->start();
}

// Asks until there is an answer: the gateway may well be older than the cluster, or its rights.
net::Task<Result<kube::Access>> KubeCluster::eks_access() {
  for (Duration pause = kFirstPause;; pause = std::min(2 * pause, kLongestPause)) {
    auto access = co_await ask_eks();
    if (access) co_return access;
    const auto end = co_await net::sleep_until(parts_.loop, parts_.loop.after(pause));
    if (end == net::Wait::End::kStopped) co_return access;
  }
}

// Once. A trouble is said when it begins.
net::Task<Result<kube::Access>> KubeCluster::ask_eks() {
  Result<kube::Access> access = std::unexpected(Error{});
  if (auto client = co_await parts_.outbound->aws()) {
    access = co_await source::eks_access(parts_.loop, parts_.clock, **client, kube().which,
                                         parts_.loop.after(kDescribe));
  } else {
    access = std::unexpected(std::move(client.error()));
  }
  std::string trouble = access ? "" : access.error().detail;
  if (!access && trouble != eks_trouble_) say("Kubernetes: " + trouble + "; it is asked for again");
  eks_trouble_ = std::move(trouble);
  co_return access;
}

void KubeCluster::tell_pods() {
  parts_.on_pods();
  if (was_told_of_outside_ || !knows_pods()) return;
  const std::optional<IpAddress> outside = pods_.address_outside();
  if (!outside) return;
  was_told_of_outside_ = true;
  say("Kubernetes: pods have addresses outside of --pod-cidr (without it, of --clients): " +
      std::to_string(pods_.outside_count()) + " of them, one at " + outside->str() +
      "; whoever comes from there is no pod");
}

void KubeCluster::tell_freshness() {
  const kube::WatchState& state = pod_watch_->state();
  // Of the first list they were published before it counted as known.
  if (knows_pods()) tell_pods();
  const bool is_lost = state.lost_since.has_value();
  if (std::exchange(was_lost_, is_lost) == is_lost) return;
  say(is_lost ? "Kubernetes: nothing is heard of pods (" + state.last_error +
                    "); those that are known hold for 5 minutes"
              : "Kubernetes: pods are heard of again");
}

bool KubeCluster::knows_pods() const {
  return pod_watch_ != nullptr && pod_watch_->state().is_synced;
}

std::optional<Duration> KubeCluster::policy_age() const {
  if (policies_ == nullptr || !policies_->is_synced()) return std::nullopt;
  const auto lost = policies_->lost_since();
  return lost ? parts_.loop.now() - *lost : Duration::zero();
}

void KubeCluster::on_age_timer(void* self) {
  auto& cluster = *static_cast<KubeCluster*>(self);
  const Duration most = cluster.parts_.settings.policy_max_age;
  const bool was_too_old = std::exchange(cluster.is_too_old_, cluster.policy_age() > most);
  if (cluster.is_too_old_ != was_too_old) cluster.parts_.on_policies();
  cluster.parts_.loop.arm(cluster.age_timer_, cluster.parts_.loop.after(kAgeCheck));
}

void KubeCluster::report(std::span<const ResourceOutcome> outcomes, bool is_in_force) {
  states_.clear();
  for (const config::ResourceState state : kStates) {
    const auto count = std::ranges::count(outcomes, state, &ResourceOutcome::state);
    states_.push_back(
        {.state = std::string(word(state)), .count = static_cast<std::size_t>(count)});
  }
  if (reporter_ == nullptr) return;
  std::vector<kube::ResourceReport> reports;
  reports.reserve(outcomes.size());
  for (const ResourceOutcome& outcome : outcomes) reports.push_back(report_of(outcome));
  std::string digest = is_in_force ? kube::digest_of(reports) : "";
  reporter_->report(std::move(reports), std::move(digest));
}

observe::ClusterStatus KubeCluster::status() const {
  observe::ClusterStatus out;
  out.pods = pods_.pod_count();
  out.pods_outside = pods_.outside_count();
  out.ambiguous_addresses = pods_.ambiguous_count();
  out.policies = states_;
  if (session_ == nullptr) return out;
  const MonotonicTime now = parts_.loop.now();
  out.watches = {status_of("pods", pod_watch_->state(), now),
                 status_of("policies", policies_->namespaced(), now),
                 status_of("cluster-policies", policies_->cluster(), now)};
  const kube::ReporterState reporter = reporter_->state();
  out.gateways = reporter.gateways;
  out.is_reporter = reporter.is_reporter;
  out.statuses_written = reporter.statuses;
  out.status_failures = reporter.failures;
  return out;
}

void KubeCluster::say_farewell(const std::function<void()>& then) {
  if (!is_reporting_) return then();
  const auto leave = [](kube::PolicyReporter& reporter, Deadline deadline,
                        std::function<void()> after) -> net::Task<void> {
    co_await reporter.farewell(deadline);
    after();
  };
  farewell_.start(leave(*reporter_, parts_.loop.after(kFarewell), then),
                  [then](const std::exception_ptr&) { then(); });  // no memory to say it with
}

}  // namespace ebbgate::app
