#include "dns/resolver.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <optional>
#include <unordered_map>
#include <utility>

#include "dns/detail/name_servers.h"
#include "dns/detail/reply.h"
#include "net/signal.h"

namespace ebbgate::dns {
namespace {

using detail::Family;
using detail::NameServers;
using detail::Reply;

// Counted by the worker, read by any thread.
class Counter {
 public:
  void add(std::uint64_t more = 1) { set(get() + more); }
  void set(std::uint64_t value) { value_.store(value, std::memory_order_relaxed); }
  [[nodiscard]] std::uint64_t get() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<std::uint64_t> value_{0};
};

}  // namespace

class Resolver::Impl {
 public:
  Impl(net::Loop& loop, ResolverOptions options, std::unique_ptr<NameServers> servers)
      : loop_(&loop),
        options_(std::move(options)),
        hosts_(options_.hosts_file),
        cache_(options_.cache),
        servers_(std::move(servers)) {}
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;
  ~Impl() { servers_.reset(); }  // first of all: what is in flight still settles

  [[nodiscard]] AnswerPtr find_cached(const Hostname& name);
  [[nodiscard]] net::Task<Outcome> resolve(Hostname name, Deadline deadline,
                                           SingleLabel single_label);
  void flush();
  [[nodiscard]] ResolverStats stats() const;

 private:
  // A name that is being asked for. Both questions and all who wait hold it; the table of those in
  // flight does until it is settled.
  struct Lookup {
    Lookup(Impl& impl, Hostname host)
        : self(&impl), name(std::move(host)), settled(*impl.loop_), asked(impl.loop_->now()) {}
    Impl* self;
    Hostname name;
    net::Signal settled;
    net::Timer delay{&Impl::on_delay_over, this};
    MonotonicTime asked;
    std::array<std::optional<Reply>, 2> replies;  // by Family
    std::optional<Outcome> outcome;               // once settled
    std::optional<MonotonicTime> expiry;          // of the addresses so far
  };

  [[nodiscard]] std::shared_ptr<Lookup> start(const Hostname& name);
  void take_reply(Lookup& lookup, Family family, Reply reply);
  static void on_delay_over(void* lookup);
  void settle(Lookup& lookup);
  void conclude(Lookup& lookup);
  [[nodiscard]] static std::vector<IpAddress> addresses_of(const Lookup& lookup);
  [[nodiscard]] Error why_none(const Lookup& lookup, Duration& ttl) const;
  void remember(const Hostname& name, const Outcome& outcome, MonotonicTime expiry);

  net::Loop* loop_;
  ResolverOptions options_;
  HostsFile hosts_;
  Cache cache_;
  std::unordered_map<Hostname, std::shared_ptr<Lookup>> in_flight_;
  std::unique_ptr<NameServers> servers_;
  struct {
    Counter queries, hits, negative_hits, misses, coalesced, failures, entries, bytes;
  } counters_;
};

AnswerPtr Resolver::Impl::find_cached(const Hostname& name) {
  const MonotonicTime now = loop_->now();
  AnswerPtr answer;
  if (const AnswerPtr* host = hosts_.find(name, now)) {
    answer = *host;
  } else if (const Outcome* known = cache_.find(name, now); known != nullptr && *known) {
    answer = **known;
  }
  if (answer) counters_.hits.add();
  return answer;
}

net::Task<Outcome> Resolver::Impl::resolve(Hostname name, Deadline deadline,
                                           SingleLabel single_label) {
  if (AnswerPtr answer = find_cached(name)) co_return answer;
  if (const Outcome* known = cache_.find(name, loop_->now())) {
    counters_.negative_hits.add();
    co_return *known;
  }
  if (single_label == SingleLabel::kRefuse && name.is_single_label()) {
    co_return fail(Reason::kDnsFailed, Side::kSelf, "a name of one label is not asked for");
  }
  counters_.misses.add();
  std::shared_ptr<Lookup> lookup;
  if (const auto asked = in_flight_.find(name); asked != in_flight_.end()) {
    counters_.coalesced.add();
    lookup = asked->second;
  } else if (in_flight_.size() < options_.max_in_flight) {
    lookup = start(name);
  } else {
    counters_.failures.add();
    co_return fail(Reason::kOverCapacity, Side::kSelf, "too many names are being asked for");
  }
  if (lookup->outcome) co_return *lookup->outcome;
  net::Signal::Awaiter settled = lookup->settled.wait(deadline);
  const net::Wait::End end = co_await settled;
  // Where it is settled, this may be gone; else it is not.
  if (lookup->outcome) co_return *lookup->outcome;
  if (end == net::Wait::End::kStopped) {
    co_return fail(Reason::kDraining, Side::kSelf, "stopped while resolving");
  }
  counters_.failures.add();
  co_return fail(Reason::kDnsFailed, Side::kOrigin, servers_->timed_out_since(lookup->asked));
}

std::shared_ptr<Resolver::Impl::Lookup> Resolver::Impl::start(const Hostname& name) {
  auto lookup = std::make_shared<Lookup>(*this, name);
  in_flight_.emplace(name, lookup);
  for (const Family family : {Family::kV4, Family::kV6}) {
    counters_.queries.add();
    try {
      servers_->ask(name.str(), family, [lookup, family](Reply reply) {
        lookup->self->take_reply(*lookup, family, std::move(reply));
      });
    } catch (const std::bad_alloc&) {  // who waits for it must not wait for ever
      take_reply(*lookup, family, {Reply::Kind::kNoMemory, {}, {}, {}});
    }
  }
  return lookup;
}

// Throws nothing: c-ares is the caller.
void Resolver::Impl::take_reply(Lookup& lookup, Family family, Reply reply) {
  const bool has_addresses = reply.kind == Reply::Kind::kAddresses;
  if (has_addresses) {
    const MonotonicTime expiry =
        loop_->now() + std::clamp(reply.ttl, options_.min_ttl, options_.max_ttl);
    lookup.expiry = std::min(lookup.expiry.value_or(expiry), expiry);
  }
  lookup.replies[static_cast<std::size_t>(family)] = std::move(reply);
  if (lookup.outcome) {
    // Too late for those who asked, but not for the next, unless the first half has expired.
    if (!has_addresses || *lookup.expiry <= loop_->now()) return;
    try {
      remember(lookup.name,
               std::make_shared<const Answer>(Answer{addresses_of(lookup), *lookup.expiry}),
               *lookup.expiry);
    } catch (const std::bad_alloc&) {  // it will be asked for again
    }
  } else if (lookup.replies[0] && lookup.replies[1]) {
    settle(lookup);
  } else if (has_addresses) {
    // What is there will do, if the other family keeps silent; a "no" leaves only the other.
    loop_->arm(lookup.delay, loop_->after(options_.resolution_delay));
  }
}

void Resolver::Impl::on_delay_over(void* lookup) {
  auto& waited = *static_cast<Lookup*>(lookup);
  waited.self->settle(waited);
}

// Allocates nothing of its own: a lookup that never settled would be in the way of all who ask for
// the name.
void Resolver::Impl::settle(Lookup& lookup) {
  lookup.delay.disarm();
  try {
    conclude(lookup);
  } catch (const std::bad_alloc&) {
    if (!lookup.outcome) lookup.outcome = fail(Reason::kOverCapacity, Side::kSelf, {});
  }
  lookup.settled.notify_all();
  in_flight_.erase(lookup.name);  // the last question may hold it still, or nobody
}

void Resolver::Impl::conclude(Lookup& lookup) {
  if (lookup.expiry) {
    lookup.outcome = std::make_shared<const Answer>(Answer{addresses_of(lookup), *lookup.expiry});
    remember(lookup.name, *lookup.outcome, *lookup.expiry);
  } else {
    Duration ttl{0};
    lookup.outcome = std::unexpected(why_none(lookup, ttl));
    counters_.failures.add();
    if (ttl > Duration::zero()) remember(lookup.name, *lookup.outcome, loop_->now() + ttl);
  }
}

std::vector<IpAddress> Resolver::Impl::addresses_of(const Lookup& lookup) {
  std::vector<IpAddress> all;
  for (const std::optional<Reply>& reply : lookup.replies) {
    if (reply) all.insert(all.end(), reply->addresses.begin(), reply->addresses.end());
  }
  return all;
}

// The worse of the two replies speaks for both, and says for how long: a failure before a "no",
// since with an answer there might have been addresses.
Error Resolver::Impl::why_none(const Lookup& lookup, Duration& ttl) const {
  const Reply& a = *lookup.replies[0];
  const Reply& aaaa = *lookup.replies[1];
  const Reply& worse = aaaa.kind > a.kind ? aaaa : a;
  switch (worse.kind) {
    case Reply::Kind::kAbandoned:
      return {Reason::kDraining, Side::kSelf, worse.detail};
    case Reply::Kind::kNoMemory:
      return {Reason::kOverCapacity, Side::kSelf, "out of memory"};
    case Reply::Kind::kNone: {
      // Most zones give one SOA for both; where one reply lacks it, the other speaks.
      Duration least = options_.max_negative_ttl;
      for (const Reply* reply : {&a, &aaaa}) {
        if (reply->ttl > Duration::zero()) least = std::min(least, reply->ttl);
      }
      const bool zone_spoke = a.ttl > Duration::zero() || aaaa.ttl > Duration::zero();
      ttl = zone_spoke ? least : std::min(options_.failure_ttl, options_.max_negative_ttl);
      break;
    }
    default:
      ttl = options_.failure_ttl;
  }
  return {Reason::kDnsFailed, Side::kOrigin, worse.detail};
}

void Resolver::Impl::remember(const Hostname& name, const Outcome& outcome, MonotonicTime expiry) {
  cache_.put(name, outcome, expiry);
  counters_.entries.set(cache_.entries());
  counters_.bytes.set(cache_.bytes());
}

void Resolver::Impl::flush() {
  cache_.clear();
  counters_.entries.set(0);
  counters_.bytes.set(0);
}

ResolverStats Resolver::Impl::stats() const {
  return {
      .queries = counters_.queries.get(),
      .hits = counters_.hits.get(),
      .negative_hits = counters_.negative_hits.get(),
      .misses = counters_.misses.get(),
      .coalesced = counters_.coalesced.get(),
      .failures = counters_.failures.get(),
      .entries = counters_.entries.get(),
      .bytes = counters_.bytes.get(),
  };
}

Result<std::unique_ptr<Resolver>> Resolver::make(net::Loop& loop, ResolverOptions options) {
  auto servers = NameServers::make(loop, options);
  if (!servers) return std::unexpected(std::move(servers.error()));
  return std::unique_ptr<Resolver>(
      new Resolver(std::make_unique<Impl>(loop, std::move(options), *std::move(servers))));
}

Resolver::Resolver(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Resolver::~Resolver() = default;

AnswerPtr Resolver::find_cached(const Hostname& name) {
  return impl_->find_cached(name);
}

net::Task<Outcome> Resolver::resolve(Hostname name, Deadline deadline, SingleLabel single_label) {
  return impl_->resolve(std::move(name), deadline, single_label);
}

void Resolver::flush() {
  impl_->flush();
}

ResolverStats Resolver::stats() const {
  return impl_->stats();
}

}  // namespace ebbgate::dns
