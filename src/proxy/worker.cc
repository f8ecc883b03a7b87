#include "proxy/worker.h"

#include <pthread.h>
#include <unistd.h>

#include <algorithm>
#include <exception>
#include <string>
#include <system_error>
#include <utility>

#include "proxy/session.h"
#include "proxy/tunnel_record.h"

namespace ebbgate::proxy {
namespace {

constexpr Duration kDrainPatience = std::chrono::seconds(30);  // --on-policy-change drain
// How long accepting has to go well before that is said: it comes and goes while a crowd is served.
constexpr Duration kRelief = std::chrono::seconds(1);

}  // namespace

Worker::Worker(std::size_t index, Shared& its_shared, std::unique_ptr<net::Loop> its_loop,
               std::unique_ptr<dns::Resolver> resolver, std::uint64_t random)
    : shared(its_shared),
      loop_owner_(std::move(its_loop)),
      loop(*loop_owner_),
      origins(loop),
      relay(loop),
      linger(loop),
      metrics(its_shared.metrics.worker(index)),
      log(its_shared.log.worker(index)),
      ids(random),
      log_has_room(loop),
      who(its_shared.pods == nullptr
              ? nullptr
              : std::make_unique<Who>(loop, its_shared.clock, *its_shared.pods, metrics)),
      index_(index),
      resolver_(std::move(resolver)),
      subscription_(its_shared.policy) {
  log.set_on_room([this] { loop.post([this] { log_has_room.notify_all(); }); });
  loop.on_out_of_memory = [this] { metrics.out_of_memory.add(); };
}

Worker::~Worker() = default;

void Worker::listen(int fd, std::string name) {
  const std::size_t listener = listener_names_.size();
  listener_names_.push_back(std::move(name));
  listeners_.push_back(std::make_unique<net::Listener>(
      loop, fd,
      [this, listener](int client, const Endpoint& from) { on_accept(client, from, listener); },
      [this](bool is_exhausted, int error) { on_exhausted(is_exhausted, error); }));
}

void Worker::on_exhausted(bool is_exhausted, int error) {
  paused_listeners_ += is_exhausted ? 1 : -1;
  metrics.accept_paused.set(paused_listeners_ > 0 ? 1 : 0);
  if (!is_exhausted) {
    if (paused_listeners_ == 0) loop.arm(relief_, loop.after(kRelief));
    return;
  }
  relief_.disarm();
  metrics.accept_pauses.add();
  origins.clear();  // what is kept in case it is of use makes room for what is
  if (std::exchange(pause_was_told_, true)) return;
  shared.say("worker " + std::to_string(index_) +
             " accepts no connection for now: " + std::generic_category().message(error));
}

void Worker::on_relief(void* self) {
  auto& worker = *static_cast<Worker*>(self);
  worker.pause_was_told_ = false;
  worker.shared.say("worker " + std::to_string(worker.index_) + " accepts connections again");
}

void Worker::start() {
  thread_ = std::thread([this] {
    ::pthread_setname_np(::pthread_self(), ("worker-" + std::to_string(index_)).c_str());
    for (const auto& listener : listeners_) {
      if (!listener->start()) std::terminate();  // a fresh epoll descriptor with one registration
    }
    loop.run();
  });
}

void Worker::on_accept(int fd, const Endpoint& from, std::size_t listener) {
  if (Worker* other = less_loaded()) {
    other->loop.post([other, owned = net::OwnedFd(fd), from, listener]() mutable {
      other->adopt(std::move(owned), from, listener);
    });
    return;
  }
  adopt(net::OwnedFd(fd), from, listener);
}

Worker* Worker::less_loaded() {
  if (others_ == nullptr || others_->size() < 2) return nullptr;
  // SO_REUSEPORT spreads by hash: even over many connections, not over few long-lived ones. One
  // sampled worker a connection is enough to even that out, if the difference is clear.
  next_other_ = (next_other_ + 1) % static_cast<std::uint32_t>(others_->size());
  Worker* other = (*others_)[next_other_].get();
  if (other == this || clients() < other->clients() + 16 + other->clients() / 4) return nullptr;
  return other;
}

void Worker::adopt(net::OwnedFd fd, const Endpoint& from, std::size_t listener) {
  metrics.connections.add();
  net::spawn(serve_client(*this, std::move(fd), from, listener), [this](const std::exception_ptr&) {
    metrics.out_of_memory.add();  // the session's objects have closed what they owned
  });
}

void Worker::note_dns_queries() {
  const std::uint64_t queries = resolver_->stats().queries;
  metrics.dns_queries.add(queries - std::exchange(dns_queries_noted_, queries));
}

void Worker::entered() {
  clients_.fetch_add(1, std::memory_order_relaxed);
  busy_.fetch_add(1, std::memory_order_relaxed);
  metrics.connections_open.add();
}

void Worker::left() {
  clients_.fetch_sub(1, std::memory_order_relaxed);
  busy_.fetch_sub(1, std::memory_order_relaxed);
  metrics.connections_open.sub();
  finish_if_idle();
}

void Worker::finish_if_idle() {
  if (!is_stopping_ || busy() > 0) return;
  log.flush();
  loop.stop();
}

bool Worker::try_queue_refusal(const observe::Record& record) {
  const bool is_queued = log.try_queue(record, loop.now());
  if (!log_tick_.is_armed()) loop.arm(log_tick_, log.next_tick());
  return is_queued;
}

void Worker::on_log_tick(void* self) {
  auto& worker = *static_cast<Worker*>(self);
  worker.log.tick(worker.loop.now());
  worker.loop.arm(worker.log_tick_, worker.log.next_tick());
}

Deadline Worker::end_of_refused() const {
  const bool is_drain = options().on_policy_change == OnPolicyChange::kDrain;
  return Deadline::at(loop.now() + (is_drain ? kDrainPatience : Duration::zero()));
}

void Worker::judge_tunnels() {
  if (options().on_policy_change == OnPolicyChange::kKeep) return;
  loop.post([this] { begin_judging(); });
}

void Worker::begin_judging() {
  tunnels_judged_ = loop.now();
  end_of_judged_ = end_of_refused();
  relay.begin_judging();
  judge_some();
}

void Worker::judge_some() {
  const SnapshotPtr snapshot = policy();
  if (snapshot == nullptr) return;  // then there are no tunnels
  const WallTime now = shared.clock.wall();
  const bool are_left = relay.judge_some(
      [&](const net::TunnelOwner& owner) {
        const auto& record = static_cast<const TunnelRecord&>(owner);  // all owners are ours
        try {
          return record.is_allowed_by(*snapshot, now);
        } catch (const std::bad_alloc&) {
          return false;  // what cannot be judged is not trusted
        }
      },
      end_of_judged_);
  if (are_left) loop.arm(judging_, loop.after(net::Wheel::kTick));
}

void Worker::on_judging(void* self) {
  static_cast<Worker*>(self)->judge_some();
}

void Worker::pods_changed() {
  if (!who) return;
  who->pods_changed();
  if (options().on_policy_change == OnPolicyChange::kKeep) return;
  if (pods_are_due_.exchange(true, std::memory_order_acq_rel)) return;
  try {
    loop.post([this] {
      const MonotonicTime earliest = tunnels_judged_ ? *tunnels_judged_ + kPodsPause : loop.now();
      loop.arm(pods_judged_, Deadline::at(std::max(earliest, loop.now())));
    });
  } catch (const std::bad_alloc&) {
    pods_are_due_ = false;  // the next change tries again
    throw;
  }
}

void Worker::on_pods_judged(void* self) {
  auto& worker = *static_cast<Worker*>(self);
  worker.pods_are_due_.exchange(false, std::memory_order_acq_rel);  // before the index is read
  worker.begin_judging();
}

Deadline Worker::notice_for(const TunnelRecord& record, MonotonicTime began) {
  if (!tunnels_judged_ || *tunnels_judged_ < began) return Deadline::never();
  if (record.is_allowed_by(*policy(), shared.clock.wall())) return Deadline::never();
  return end_of_refused();
}

void Worker::stop_accepting(Listeners how) {
  loop.post([this, how] {
    if (how == Listeners::kLeave) {
      for (const auto& listener : listeners_) listener->abandon();
      return;
    }
    for (const auto& listener : listeners_) listener->close();
    closes_idle_ = true;
    for (net::Stream* stream : idle_) stream->cancel();
  });
}

void Worker::drain(Listeners how) {
  loop.post([this, how] {
    is_draining_ = true;
    if (how == Listeners::kLeave) return;  // as they are
    for (const auto& listener : listeners_) listener->accept_silent_clients();
  });
}

void Worker::stop() {
  loop.post([this] {
    is_stopping_ = true;
    for (const auto& listener : listeners_) listener->close();
    loop.give_up_on_everything();
    relay.end_all(Reason::kDraining);
    origins.clear();
    linger.close_all();
    finish_if_idle();
  });
}

void Worker::join() {
  if (thread_.joinable()) thread_.join();
}

}  // namespace ebbgate::proxy
