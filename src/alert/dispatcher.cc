#include "alert/dispatcher.h"

#include <algorithm>
#include <utility>

namespace ebbgate::alert {

Dispatcher::Dispatcher(net::Loop& loop, Sink& sink, DispatcherOptions options,
                       observe::FleetMetrics& metrics, std::function<std::uint64_t()> random,
                       std::function<void(std::string_view)> say)
    : loop_(&loop),
      sink_(&sink),
      options_(std::move(options)),
      metrics_(&metrics),
      random_(std::move(random)),
      say_(std::move(say)),
      changed_(loop),
      ended_(loop) {}

void Dispatcher::add(Message message) {
  if (queue_.size() >= options_.queue) {
    ++dropped_;
    metrics_->alerts_dropped.add();
    return;
  }
  queue_.push_back(std::move(message));
  changed_.notify_all();
}

net::Task<void> Dispatcher::run() {
  has_ended_ = false;
  while (!loop_->is_giving_up() && !is_over()) {
    if (queue_.empty()) {
      co_await changed_.wait(Deadline::never());
      continue;
    }
    net::Task<Result<void>> sending = sink_->send(queue_.front());
    const Result<void> sent = co_await sending;
    if (sent) {
      queue_.pop_front();
      metrics_->alerts_sent.add();
      if (std::exchange(pause_, {}) != Duration::zero()) {
        say_("alerts: " + sink_->name() + " takes them again");
      }
      if (dropped_ > 0) {
        queue_.push_front(compose_dropped(std::exchange(dropped_, 0), options_.gateway));
      }
      continue;
    }
    metrics_->alert_failures.add();
    if (pause_ == Duration::zero()) {
      say_("alerts: " + sink_->name() + ": " + sent.error().detail + "; trying again");
    }
    if (is_finishing_) break;
    // New alerts do not make it try earlier; only finish() does.
    const Deadline wake = loop_->after(pause());
    while (!is_finishing_ && loop_->now() < wake.when()) {
      if (co_await changed_.wait(wake) == net::Wait::End::kStopped) break;
    }
  }
  has_ended_ = true;
  ended_.notify_all();
}

net::Task<void> Dispatcher::finish(Deadline deadline) {
  is_finishing_ = true;
  changed_.notify_all();
  if (!has_ended_) co_await ended_.wait(deadline);
}

Duration Dispatcher::pause() {
  pause_ = pause_ == Duration::zero() ? options_.first_pause
                                      : std::min(2 * pause_, options_.longest_pause);
  return pause_ / 2 + Duration(static_cast<Duration::rep>(
                          random_() % (static_cast<std::uint64_t>(pause_.count() / 2) + 1)));
}

}  // namespace ebbgate::alert
