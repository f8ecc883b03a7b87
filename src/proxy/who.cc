#include "proxy/who.h"

namespace ebbgate::proxy {
namespace {

using identity::Presence;

// That a coroutine waits, for as long as this lives.
class Waiting {
 public:
  explicit Waiting(std::atomic<std::uint32_t>& waiting) : waiting_(waiting) {
    waiting_.fetch_add(1, std::memory_order_acq_rel);
  }
  Waiting(const Waiting&) = delete;
  Waiting& operator=(const Waiting&) = delete;
  ~Waiting() { waiting_.fetch_sub(1, std::memory_order_relaxed); }

 private:
  std::atomic<std::uint32_t>& waiting_;
};

}  // namespace

identity::Found Who::find(const IpAddress& address) {
  return reader_.find(address, clock_->wall(), loop_->now());
}

Who::Known Who::settle(policy::Subject& subject, const identity::Found& found) {
  static_assert(observe::kPresences.size() == static_cast<std::size_t>(Presence::kStale) + 1);
  metrics_->kube_lookups[static_cast<std::size_t>(found.presence)].add();
  identity::identify(subject, found);
  return found.presence == Presence::kAmbiguous ? Known::kAmbiguous : Known::kSettled;
}

Who::Known Who::identify(policy::Subject& subject) {
  if (!subject.address) return Known::kSettled;
  const identity::Found found = find(*subject.address);
  if (found.presence == Presence::kPod) vain_.forget(*subject.address, loop_->now());
  if (found.presence == Presence::kAwaited && !vain_.has(*subject.address, loop_->now())) {
    return Known::kAwaited;
  }
  return settle(subject, found);
}

net::Task<Who::Known> Who::wait(policy::Subject& subject) {
  metrics_->kube_waits.add();
  const IpAddress address = *subject.address;
  const Deadline deadline = loop_->after(identity::PodIndex::kPatience);
  // Counted before the index is asked once more: see pods_changed().
  const Waiting waiting(waiting_);
  while (find(address).presence == Presence::kAwaited) {
    const net::Wait::End end = co_await changed_.wait(deadline);
    if (end == net::Wait::End::kHappened) continue;
    if (end == net::Wait::End::kTimedOut && find(address).presence == Presence::kAwaited) {
      vain_.add(address, loop_->now());
    }
    break;
  }
  co_return settle(subject, find(address));
}

void Who::pods_changed() {
  // The two additions have an order. If the waiter's comes first, it is seen here; else it happens
  // after this one and so after what was published before it, which the waiter then finds.
  if (waiting_.fetch_add(0, std::memory_order_acq_rel) == 0) return;
  // Where a wake-up is due anyway, it comes after this, and with what was published before.
  if (wake_is_due_.exchange(true, std::memory_order_acq_rel)) return;
  try {
    loop_->post([this] {
      if (loop_->now() >= may_wake_) return on_wake(this);
      loop_->arm(wake_, Deadline::at(may_wake_));
    });
  } catch (const std::bad_alloc&) {
    wake_is_due_ = false;  // the next change tries again
    throw;
  }
}

void Who::on_wake(void* self) {
  auto& who = *static_cast<Who*>(self);
  who.may_wake_ = who.loop_->now() + kWakePause;
  who.wake_is_due_.exchange(false, std::memory_order_acq_rel);
  ++who.wake_ups_;
  who.changed_.notify_all();
}

}  // namespace ebbgate::proxy
