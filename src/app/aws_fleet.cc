#include "app/aws_fleet.h"

#include <exception>
#include <new>
#include <utility>

#include "app/diagnostics.h"
#include "fleet/backoff.h"
#include "fleet/event_batch.h"
#include "fleet/metric_record.h"
#include "fleet/stack_signal.h"
#include "net/signal.h"

namespace ebbgate::app {
namespace {

constexpr std::size_t kEarlyAlerts = 500;  // before the instance is known
constexpr Duration kGroupPause = std::chrono::seconds(1);
constexpr Duration kMetricsPause = std::chrono::minutes(1);
constexpr Duration kAdoptPause = std::chrono::minutes(1);  // of what ended processes left behind
// For what is to be done after the last worker, each.
constexpr Duration kLastEvents = std::chrono::seconds(10);
constexpr Duration kLastAlerts = std::chrono::seconds(5);
constexpr Duration kLastCall = std::chrono::seconds(10);

const fleet::Say kSay = [](std::string_view line) { say(line); };

std::int64_t milliseconds(WallTime time) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(time.time_since_epoch()).count();
}

// What nobody awaits ends in no exception but for want of memory.
void say_failure(const std::exception_ptr& /*failure*/) {
  say("aws: out of memory; a part of what the gateway does in its fleet has ended");
}

}  // namespace

Result<std::unique_ptr<AwsFleet>> AwsFleet::make(Parts parts) {
  std::unique_ptr<AwsFleet> made(new AwsFleet(std::move(parts)));
  const config::Settings::Aws& aws = made->aws();
  std::vector<fleet::EventPump::Reader> readers;
  if (!aws.log_group.empty()) {
    auto spool =
        fleet::Spool::open({aws.log_spool, aws.log_spool_size}, made->parts_.metrics.fleet());
    if (!spool) return std::unexpected(std::move(spool.error()));
    made->spool_ = std::move(*spool);
    readers.emplace_back([&self = *made, adopted = MonotonicTime()](std::string_view lines,
                                                                    MonotonicTime now) mutable {
      self.spool_->append(lines);
      if (now < adopted + kAdoptPause) return;
      self.spool_->adopt();
      adopted = now;
    });
  }
  if (!aws.alert_topic.empty()) {
    readers.emplace_back([&self = *made](std::string_view lines, MonotonicTime now) {
      self.group_refusals(lines, now);
    });
  }
  if (!readers.empty()) {
    made->pump_ = std::make_unique<fleet::EventPump>(
        [&log = made->parts_.log](std::string& out) { return log.take_tapped(out); },
        std::move(readers));
  }
  if (made->spool_) {
    made->source_ =
        std::make_unique<fleet::PumpedSpool>(made->parts_.loop, *made->pump_, *made->spool_);
  }
  return made;
}

AwsFleet::AwsFleet(Parts parts) : parts_(std::move(parts)) {}

AwsFleet::~AwsFleet() {
  if (pump_) pump_->stop();
}

void AwsFleet::start() {
  if (pump_) pump_->start();
  keep(live());
}

std::vector<std::string> AwsFleet::unready_causes() const {
  if (!aws().address_tag || (address_ && address_->is_claimed())) return {};
  return {"address-unclaimed"};
}

net::Task<void> AwsFleet::live() {
  fleet::Instance known;
  known.group = aws().group;
  known.stack = aws().stack;
  known.stack_resource = aws().stack_resource;
  net::Task<fleet::Instance> identifying =
      fleet::identify(parts_.outbound.aws_context(), parts_.outbound.imds(), known, kSay);
  instance_ = co_await identifying;
  if (instance_.id.empty()) co_return;
  net::Task<aws::Client*> finding = find_client();
  aws::Client* client = co_await finding;
  if (client == nullptr) co_return;
  if (is_ending_ || parts_.loop.is_giving_up()) co_return;

  if (const auto& tag = aws().address_tag) {
    address_ =
        std::make_unique<fleet::ElasticAddress>(*client, fleet::AddressTag{tag->key, tag->value},
                                                instance_.id, parts_.metrics.fleet(), kSay);
    keep(address_->claim());
  }
  lifecycle_ = std::make_unique<fleet::Lifecycle>(
      *client, parts_.outbound.imds(),
      fleet::LifecycleOptions{instance_.group, aws().lifecycle_hook, instance_.id}, kSay);
  keep(watch_lifecycle());
  keep(learn_group(*client));
  if (source_) {
    shipper_ = std::make_unique<fleet::LogShipper>(
        *client, *source_, fleet::LogShipperOptions{aws().log_group, instance_.id},
        parts_.metrics.fleet(), kSay);
    keep(shipper_->run());
  }
  if (!aws().alert_topic.empty()) {
    sink_ = std::make_unique<alert::SnsSink>(*client, aws().alert_topic);
    dispatcher_ = std::make_unique<alert::Dispatcher>(
        parts_.loop, *sink_, alert::DispatcherOptions{instance_.id}, parts_.metrics.fleet(),
        parts_.outbound.aws_context().random, kSay);
    keep(dispatcher_->run());
    deliver(std::exchange(early_, {}));
  }
  net::Task<void> signalling = fleet::signal_readiness(
      *client,
      fleet::StackSignalOptions{instance_.stack, instance_.stack_resource, instance_.id,
                                aws().ready_timeout},
      parts_.unready, [this] { keep(publish_metrics()); }, kSay);
  co_await signalling;
}

net::Task<aws::Client*> AwsFleet::find_client() {
  bool was_said = false;
  for (fleet::Backoff backoff;;) {
    net::Task<Result<aws::Client*>> asking = parts_.outbound.aws();
    auto client = co_await asking;
    if (client) co_return *client;
    if (!std::exchange(was_said, true)) say("aws: " + client.error().detail);
    const Deadline wake = parts_.loop.after(backoff.next(parts_.outbound.aws_context().random()));
    const net::Wait::End waited = co_await net::sleep_until(parts_.loop, wake);
    if (waited == net::Wait::End::kStopped) co_return nullptr;
  }
}

net::Task<void> AwsFleet::learn_group(aws::Client& client) {
  if (instance_.group.empty()) {
    net::Task<std::string> asking = fleet::find_group(client, instance_.id, kSay);
    instance_.group = co_await asking;
  }
  is_group_known_ = true;
  lifecycle_->set_group(instance_.group);
}

net::Task<void> AwsFleet::watch_lifecycle() {
  net::Task<std::optional<fleet::EndNotice>> waiting = lifecycle_->wait_for_notice();
  const auto notice = co_await waiting;
  if (!notice) co_return;
  parts_.metrics.fleet().is_leaving.set(1);
  say(notice->cause == fleet::EndNotice::Cause::kSpot
          ? "aws: the instance is about to be taken away (Spot)"
          : "aws: the Auto Scaling group is ending this instance");
  parts_.leave(fleet::drain_patience(*notice, aws().deregistration_delay,
                                     parts_.outbound.aws_context().clock.wall()));
  net::Task<void> beating = lifecycle_->send_heartbeats();
  co_await beating;
}

net::Task<void> AwsFleet::publish_metrics() {
  observe::Metrics::Totals before;
  while (shipper_ && !is_ending_ && !is_handed_over_ && !parts_.loop.is_giving_up()) {
    if (!is_group_known_) {  // the metrics' dimension
      co_await net::sleep_until(parts_.loop, parts_.loop.after(kGroupPause));
      continue;
    }
    const observe::Metrics::Totals now = parts_.metrics.totals();
    fleet::MetricValues values{.active_tunnels = now.tunnels_open,
                               .requests = now.requests - before.requests,
                               .denied = now.denied - before.denied};
    if (const auto age = parts_.policy_age()) {
      values.policy_age_seconds = std::chrono::duration_cast<std::chrono::seconds>(*age).count();
    }
    // CloudWatch takes no dimension without a value.
    const std::string group = instance_.group.empty() ? "none" : instance_.group;
    const std::int64_t time_ms = milliseconds(parts_.outbound.aws_context().clock.wall());
    aws::logs::LogEvent event{time_ms, fleet::metric_record(values, aws().metric_namespace, group,
                                                            instance_.id, time_ms)};
    net::Task<bool> putting = shipper_->put_now(instance_.id + "/metrics", std::move(event));
    if (co_await putting) before = now;  // else the next record has these requests, too
    co_await net::sleep_until(parts_.loop, parts_.loop.after(kMetricsPause));
  }
}

void AwsFleet::group_refusals(std::string_view lines, MonotonicTime now) {
  std::vector<alert::Alert> alerts;
  groups_.expire(now, alerts);
  fleet::for_each_line(lines, [&](std::string_view line) {
    if (!fleet::read_event_line(line).is_refusal) return;
    if (const auto attempt = alert::read_attempt(line)) groups_.add(*attempt, now, alerts);
  });
  hand_over(std::move(alerts));
}

void AwsFleet::hand_over(std::vector<alert::Alert> alerts) {
  if (alerts.empty()) return;
  parts_.loop.post([this, alerts = std::move(alerts)]() mutable { deliver(std::move(alerts)); });
}

void AwsFleet::deliver(std::vector<alert::Alert> alerts) {
  for (alert::Alert& alert : alerts) {
    if (dispatcher_) {
      dispatcher_->add(alert::compose(alert, instance_.id));
    } else if (early_.size() < kEarlyAlerts) {
      early_.push_back(std::move(alert));
    } else {
      parts_.metrics.fleet().alerts_dropped.add();
    }
  }
}

void AwsFleet::say_farewell(std::function<void()> then) {
  is_ending_ = true;
  net::spawn(end(std::move(then)), say_failure);
}

net::Task<void> AwsFleet::end(std::function<void()> then) {
  net::Loop& loop = parts_.loop;
  if (lifecycle_) lifecycle_->stop();
  if (shipper_) {
    net::Task<void> shipping = shipper_->finish(loop.after(kLastEvents));
    co_await shipping;
  }
  if (dispatcher_) {
    // The pump hands the last summaries to the loop before it says that it has done so.
    const auto summed_up = std::make_shared<net::Signal>(loop);
    pump_->call([this, &loop, summed_up] {
      std::vector<alert::Alert> alerts;
      groups_.finish(alerts);
      hand_over(std::move(alerts));
      loop.post([summed_up] { summed_up->notify_all(); });
    });
    co_await summed_up->wait(loop.after(kLastAlerts));
    net::Task<void> sending = dispatcher_->finish(loop.after(kLastAlerts));
    co_await sending;
  }
  if (lifecycle_ && !is_handed_over_) {
    net::Task<void> completing = lifecycle_->complete(loop.after(kLastCall));
    co_await completing;
  }
  when_all_have_ended_ = std::move(then);
  loop.give_up_on_everything();
  if (running_ == 0) std::exchange(when_all_have_ended_, nullptr)();
}

void AwsFleet::keep(net::Task<void> task) {
  net::spawn(counted(std::move(task)), say_failure);
}

net::Task<void> AwsFleet::counted(net::Task<void> task) {
  ++running_;
  try {
    co_await task;
  } catch (const std::bad_alloc&) {
    say_failure({});
  }
  if (--running_ == 0 && when_all_have_ended_) std::exchange(when_all_have_ended_, nullptr)();
}

}  // namespace ebbgate::app
