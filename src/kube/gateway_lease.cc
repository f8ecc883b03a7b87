#include "kube/gateway_lease.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "kube/detail/persistent.h"
#include "kube/detail/say_once.h"
#include "kube/detail/scan.h"
#include "kube/detail/stamp.h"
#include "net/signal.h"

namespace ebbgate::kube {
namespace {

// Between two writes, whatever happens to the Lease.
constexpr Duration kLeastPause = std::chrono::milliseconds(200);
constexpr int kHeldByAnother = 1;  // a kind of complaint
// That somebody else wrote it is news once the watch did not bring it either.
constexpr int kMostConflicts = 3;

[[nodiscard]] std::string version_in(std::string_view object) {
  std::string out;
  const bool is_json = detail::scan(object, [&](detail::Path path, const detail::Scalar& value) {
    if (value.text && detail::is_at(path, {"metadata", "resourceVersion"})) out = *value.text;
  });
  return is_json ? out : std::string();
}

}  // namespace

class GatewayLease::Impl {
 public:
  Impl(Client& client, const GatewaySet& gateways, const Clock& clock, LeaseOptions options,
       Say say)
      : client_(client),
        gateways_(gateways),
        clock_(clock),
        options_(std::move(options)),
        trouble_(std::move(say)),
        changed_(client.loop()),
        ended_(client.loop()),
        acquired_(clock.wall()),
        running_(client.loop(), [this] { return run(); }) {}

  void start() { running_.start(); }
  void set_policy(std::string digest, std::string invalid) {
    if (digest == digest_ && invalid == invalid_) return;
    digest_ = std::move(digest);
    invalid_ = std::move(invalid);
    is_due_ = true;
    changed_.notify_all();
  }
  void on_gateways() {
    const Gateway* found = gateways_.find(options_.lease);
    was_seen_ |= found != nullptr && found->holder == options_.holder;
    // Somebody has removed it.
    if (std::exchange(was_there_, found != nullptr) && found == nullptr) {
      version_.clear();
      is_due_ = true;
      changed_.notify_all();
    }
  }
  [[nodiscard]] net::Task<void> farewell(Deadline deadline) {
    is_leaving_ = true;
    changed_.notify_all();
    if (running_.is_running()) static_cast<void>(co_await ended_.wait(deadline));
  }

  [[nodiscard]] std::uint64_t failures() const { return failures_; }
  [[nodiscard]] const std::string& last_error() const { return trouble_.last(); }

 private:
  net::Task<void> run();
  [[nodiscard]] net::Task<Outcome<std::string>> renew();
  // Another process has it now, and lives.
  [[nodiscard]] bool is_held_by_another() const;
  // Ends early where the Lease is due, if it may.
  [[nodiscard]] net::Task<void> rest(Duration pause, bool may_be_cut);
  [[nodiscard]] std::string here() const {
    return "the Lease " + options_.lease + " in the namespace " + options_.in_namespace;
  }
  [[nodiscard]] std::string object() const;

  Client& client_;
  const GatewaySet& gateways_;
  const Clock& clock_;
  LeaseOptions options_;
  detail::SayOnce trouble_;
  net::Signal changed_;
  net::Signal ended_;
  WallTime acquired_;
  std::string digest_;
  std::string invalid_;
  std::string version_;  // of what we wrote last; empty: what the set has counts
  int conflicts_ = 0;    // in a row
  bool is_due_ = false;
  bool is_leaving_ = false;
  bool is_ours_ = false;    // we wrote it
  bool was_there_ = false;  // the set has it
  bool was_seen_ = false;   // the set had it as ours
  std::uint64_t failures_ = 0;
  detail::Persistent running_;
};

bool GatewayLease::Impl::is_held_by_another() const {
  if (!was_seen_) return false;  // what is in the set may be older than what we wrote
  return std::ranges::any_of(gateways_.live(), [&](const Gateway& each) {
    return each.lease == options_.lease && each.holder != options_.holder;
  });
}

std::string GatewayLease::Impl::object() const {
  const auto seconds =
      std::chrono::duration_cast<std::chrono::seconds>(options_.times.duration).count();
  nlohmann::json out = {
      {"apiVersion", "coordination.k8s.io/v1"},
      {"kind", "Lease"},
      {"metadata",
       {{"name", options_.lease},
        {"labels",
         {{"app.kubernetes.io/name", "ebbgate"}, {"app.kubernetes.io/component", "gateway"}}},
        {"annotations", {{kPolicyAnnotation, digest_}}}}},
      {"spec",
       {{"holderIdentity", options_.holder},
        {"leaseDurationSeconds", std::max<std::int64_t>(seconds, 1)},
        {"acquireTime", detail::micro_time(acquired_)},
        {"renewTime", detail::micro_time(clock_.wall())}}}};
  auto& metadata = out["metadata"];
  if (!invalid_.empty()) metadata["annotations"][kInvalidAnnotation] = invalid_;
  const std::string version =
      is_ours_ && version_.empty() ? gateways_.version_of(options_.lease) : version_;
  if (!version.empty()) metadata["resourceVersion"] = version;
  return out.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

net::Task<Outcome<std::string>> GatewayLease::Impl::renew() {
  Resource resource = leases_in(options_.in_namespace);
  std::string name = options_.lease;
  std::string json = object();
  ApplyOptions how{.force = true};
  co_return co_await client_.apply(std::move(resource), std::move(name), std::move(json),
                                   std::move(how));
}

net::Task<void> GatewayLease::Impl::run() {
  net::Loop& loop = client_.loop();
  Duration backoff = options_.backoff;
  while (!loop.is_giving_up() && !is_leaving_) {
    is_due_ = false;
    if (is_held_by_another()) {
      trouble_.say(kHeldByAnother, here() + " is held by another process: this gateway is not " +
                                       "counted; a second one of its name needs another name");
      co_await rest(options_.times.renewal, true);
      continue;
    }
    const auto done = co_await renew();
    if (done) {
      is_ours_ = true;
      version_ = version_in(*done);
      conflicts_ = 0;
      backoff = options_.backoff;
      trouble_.over(here() + " is renewed again");
      co_await rest(options_.times.renewal, true);
      continue;
    }
    ++failures_;
    if (done.error().is_conflict()) version_.clear();
    conflicts_ = done.error().is_conflict() ? conflicts_ + 1 : 0;
    if (conflicts_ == 0 || conflicts_ >= kMostConflicts) {
      trouble_.about(done.error(), here() + " cannot be renewed");
    }
    const Duration asked = done.error().retry_after.value_or(Duration{});
    co_await rest(std::max(client_.jittered(backoff), std::min(asked, options_.times.duration)),
                  false);
    backoff = std::min(2 * backoff, options_.times.renewal);
  }
  if (!loop.is_giving_up() && is_ours_ && !is_held_by_another()) {
    Resource resource = leases_in(options_.in_namespace);
    std::string name = options_.lease;
    const auto done = co_await client_.remove(std::move(resource), std::move(name));
    if (!done) ++failures_;
  }
  ended_.notify_all();
}

net::Task<void> GatewayLease::Impl::rest(Duration pause, bool may_be_cut) {
  net::Loop& loop = client_.loop();
  const MonotonicTime begin = loop.now();
  while (!is_leaving_ && !loop.is_giving_up()) {
    const Duration wanted = may_be_cut && is_due_ ? std::min(pause, kLeastPause) : pause;
    if (loop.now() - begin >= wanted) co_return;
    static_cast<void>(co_await changed_.wait(Deadline::at(begin + wanted)));
  }
}

GatewayLease::GatewayLease(Client& client, const GatewaySet& gateways, const Clock& clock,
                           LeaseOptions options, Say say)
    : impl_(std::make_unique<Impl>(client, gateways, clock, std::move(options), std::move(say))) {}
GatewayLease::~GatewayLease() = default;

void GatewayLease::start() {
  impl_->start();
}
void GatewayLease::set_policy(std::string digest, std::string invalid) {
  impl_->set_policy(std::move(digest), std::move(invalid));
}
void GatewayLease::on_gateways() {
  impl_->on_gateways();
}
net::Task<void> GatewayLease::farewell(Deadline deadline) {
  return impl_->farewell(deadline);
}
std::uint64_t GatewayLease::failures() const {
  return impl_->failures();
}
const std::string& GatewayLease::last_error() const {
  return impl_->last_error();
}

}  // namespace ebbgate::kube
