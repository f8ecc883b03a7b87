#include "kube/policy_reporter.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "kube/detail/ledger.h"
#include "kube/detail/persistent.h"
#include "kube/detail/say_once.h"
#include "kube/gateways.h"
#include "net/signal.h"

namespace ebbgate::kube {
namespace {

using detail::Ledger;

// How many resources in a row are compared with what the API has, before others get their turn.
constexpr int kMostComparisons = 32;
constexpr Duration kLongestWait = std::chrono::minutes(5);  // of what the API may ask for

// Every call is tried once: what fails waits for its turn again.
[[nodiscard]] ClientOptions impatient(ClientOptions options) {
  options.max_attempts = 1;
  options.timeout = std::min<Duration>(options.timeout, std::chrono::seconds(10));
  return options;
}

[[nodiscard]] std::string process_of(const std::string& gateway, std::uint64_t random) {
  std::string digits = std::to_string(random % 1'000'000'000);
  return gateway + "_" + digits.insert(0, 9 - digits.size(), '0');
}

[[nodiscard]] Resource policies_of(const ObjectId& id) {
  return {.group = "ebbgate.dev",
          .version = "v1alpha1",
          .plural = id.in_namespace.empty() ? "clusteregresspolicies" : "egresspolicies",
          .in_namespace = id.in_namespace};
}

[[nodiscard]] std::string str(const ObjectId& id) {
  return (id.in_namespace.empty() ? "" : id.in_namespace + "/") + id.name;
}

// The API is busy or away: whatever else is asked of it would fail as well.
[[nodiscard]] bool is_nobodys_fault(const Failure& failure) {
  return failure.kind != Failure::Kind::kStatus || failure.status == 429 || failure.status == 503;
}

}  // namespace

class PolicyReporter::Impl {
 public:
  Impl(Client& client, const Clock& clock, ReporterOptions options, Present present, Say say)
      : client_(client, impatient(client.options())),
        clock_(clock),
        options_(std::move(options)),
        present_(std::move(present)),
        ledger_(options_.times.duration, options_.event_gap),
        trouble_(say),
        event_trouble_(say),
        own_{.lease = lease_name_of(options_.gateway),
             .holder = process_of(options_.gateway, client.random()),
             .digest = {}},
        gateways_([&loop = client.loop()] { return loop.now(); }, [this] { on_gateways(); },
                  options_.times),
        watch_(client_, leases_in(options_.in_namespace), gateways_, {.labels = kGatewayLabels},
               options_.watch),
        lease_(client_, gateways_, clock,
               {.in_namespace = options_.in_namespace,
                .lease = own_.lease,
                .holder = own_.holder,
                .times = options_.times,
                .backoff = options_.backoff},
               std::move(say)),
        changed_(client.loop()),
        backoff_(options_.backoff),
        running_(client.loop(), [this] { return run(); }) {
    gateways_.follow(watch_.state());
  }

  void start() {
    watch_.start();
    lease_.start();
    running_.start();
  }

  void report(std::vector<ResourceReport> reports, std::string digest) {
    if (digest.empty()) digest = kNoPolicy;
    if (ledger_.waiting() == 0) not_before_ = std::max(not_before_, now() + options_.gather);
    ledger_.report(std::move(reports), digest);
    own_.digest = ledger_.digest();
    lease_.set_policy(ledger_.digest(), ledger_.invalid());
    changed_.notify_all();
  }

  [[nodiscard]] net::Task<void> farewell(Deadline deadline) {
    is_leaving_ = true;
    changed_.notify_all();
    return lease_.farewell(deadline);
  }

  [[nodiscard]] ReporterState state() const {
    ReporterState out = state_;
    out.waiting = out.is_reporter ? ledger_.waiting() : 0;
    out.failures += lease_.failures() + watch_.state().failures;
    for (const std::string* error : {&lease_.last_error(), &watch_.state().last_error,
                                     &event_trouble_.last(), &trouble_.last()}) {
      if (!error->empty()) out.last_error = *error;
    }
    return out;
  }

 private:
  [[nodiscard]] MonotonicTime now() const { return client_.loop().now(); }
  void on_gateways() {
    lease_.on_gateways();
    changed_.notify_all();
  }

  net::Task<void> run();
  // Who lives, who reports, and what that changes about the statuses.
  void look_around();
  // Out: whether the API was asked.
  [[nodiscard]] net::Task<bool> tell_next();
  [[nodiscard]] net::Task<bool> tell_status(ObjectId id);
  [[nodiscard]] net::Task<bool> tell_event(ObjectId id);
  [[nodiscard]] net::Task<bool> remove_gone();
  [[nodiscard]] MonotonicTime next_turn(bool has_asked) const;
  void note_success();
  // `of`: whose it may be, a namespace's; nothing: nobody's.
  void note_failure(const Failure& failure, detail::SayOnce& trouble, const std::string& what,
                    const std::optional<std::string>& of);
  [[nodiscard]] MonotonicTime again(int failures) const;

  Client client_;
  const Clock& clock_;
  ReporterOptions options_;
  Present present_;
  Ledger ledger_;
  detail::SayOnce trouble_;
  detail::SayOnce event_trouble_;
  Gateway own_;
  GatewaySet gateways_;
  ListWatch watch_;
  GatewayLease lease_;
  net::Signal changed_;
  ReporterState state_;
  std::optional<MonotonicTime> recounted_;  // since when the numbers of gateways are others
  MonotonicTime not_before_{};              // the next call
  MonotonicTime no_event_before_{};
  MonotonicTime no_removal_before_{};
  Duration backoff_;
  std::optional<std::string> last_failed_;  // the namespace whose call failed last, and none since
  bool is_leaving_ = false;
  detail::Persistent running_;
};

void PolicyReporter::Impl::look_around() {
  const std::vector<Gateway> live = gateways_.live();
  state_.gateways = live.size();
  // One that goes by no policy knows nothing of what the others keep; one that has read none yet,
  // nothing at all.
  auto first = std::ranges::find_if(live, &Gateway::has_policy);
  if (first == live.end()) {
    first = std::ranges::find_if(live, [](const Gateway& each) { return !each.digest.empty(); });
  }
  state_.reporter = first == live.end() ? "" : first->lease;
  const bool is_own = first != live.end() && first->lease == own_.lease &&
                      first->holder == own_.holder && !own_.digest.empty();
  if (is_own && !std::exchange(state_.is_reporter, is_own)) ledger_.forget_told();
  state_.is_reporter = is_own;
  // While the watch is lost, what it said last is as good as anything.
  if (!live.empty() && ledger_.set_gateways(live, own_.lease, now())) {
    if (!recounted_) recounted_ = now();
    ledger_.queue_completed();
  }
  if (recounted_ && now() - *recounted_ >= options_.settle) {
    recounted_.reset();
    ledger_.queue_recounted();
  }
}

net::Task<void> PolicyReporter::Impl::run() {
  net::Loop& loop = client_.loop();
  int comparisons = 0;
  while (!is_leaving_ && !loop.is_giving_up()) {
    look_around();
    bool has_asked = false;
    if (state_.is_reporter && now() >= not_before_) {
      has_asked = co_await tell_next();
      if (has_asked) not_before_ = std::max(not_before_, now() + options_.pause);
    }
    const MonotonicTime next = next_turn(has_asked);
    if (next <= now() && ++comparisons % kMostComparisons != 0) continue;
    const Deadline until = Deadline::at(std::max(next, now() + std::chrono::milliseconds(1)));
    static_cast<void>(co_await changed_.wait(until));
  }
}

MonotonicTime PolicyReporter::Impl::next_turn(bool has_asked) const {
  MonotonicTime out = now() + options_.times.renewal / 2;  // to look around
  if (!state_.is_reporter) return out;
  // Where something was asked, the next thing may be to remove a Lease.
  if (has_asked) out = std::min(out, not_before_);
  if (const auto status = ledger_.next_at(now())) {
    out = std::min(out, std::max(*status, not_before_));
  }
  if (const auto event = ledger_.next_event_at(now())) {
    out = std::min(out, std::max({*event, no_event_before_, not_before_}));
  }
  return out;
}

net::Task<bool> PolicyReporter::Impl::tell_next() {
  if (now() >= no_event_before_) {
    if (const Ledger::Entry* entry = ledger_.next_event(now())) {
      co_return co_await tell_event(entry->report.id);
    }
  }
  if (const Ledger::Entry* entry = ledger_.next(now())) {
    co_return co_await tell_status(entry->report.id);
  }
  co_return co_await remove_gone();
}

net::Task<bool> PolicyReporter::Impl::tell_status(ObjectId id) {
  Ledger::Entry* entry = ledger_.find(id);
  const ResourceReport report = entry->report;
  const std::uint64_t revision = entry->revision;
  const Coverage coverage = ledger_.coverage(*entry);
  const std::string* object = present_(id);
  if (object == nullptr) {  // it is gone; should it come again, there will be a new report
    ledger_.drop_event(*entry);
    ledger_.done(*entry, revision, coverage);
    co_return false;
  }
  if (!entry->told_event) entry->told_event = told_by(*object);
  const std::string event =
      event_for(report, coverage, *entry->told_event, options_.gateway, clock_.wall());
  std::string patch = status_patch(report, coverage, *object, clock_.wall());
  bool has_asked = false;
  if (event.empty()) {
    ledger_.drop_event(*entry);
  } else if (now() >= no_event_before_ && ledger_.may_tell(*entry, now())) {
    // Where it may be told at once, it comes first: the status says that it was told.
    has_asked = co_await tell_event(id);
    if (now() < not_before_) co_return true;  // the API is away
    entry = ledger_.find(id);
    if (entry == nullptr || entry->report.uid != report.uid) co_return true;
  } else {
    ledger_.owe_event(*entry, now());
  }
  if (patch.empty()) {
    ledger_.done(*entry, revision, coverage);
    co_return has_asked;
  }
  Resource policies = policies_of(id);
  std::string its_name = id.name;
  ApplyOptions how{.force = true};
  const auto done = co_await client_.apply(std::move(policies), std::move(its_name),
                                           std::move(patch), std::move(how), "status");
  if (done) ++state_.statuses;
  entry = ledger_.find(id);
  // It was deleted meanwhile, perhaps for another of its name.
  if (entry == nullptr || entry->report.uid != report.uid) co_return true;
  if (!done && !done.error().is_not_found()) {
    note_failure(done.error(), trouble_, "the status of " + str(id), id.in_namespace);
    if (!is_nobodys_fault(done.error())) ledger_.failed(*entry, again(entry->failures));
    co_return true;
  }
  ledger_.done(*entry, revision, coverage);
  note_success();
  co_return true;
}

net::Task<bool> PolicyReporter::Impl::tell_event(ObjectId id) {
  Ledger::Entry* entry = ledger_.find(id);
  const ResourceReport report = entry->report;
  const Coverage coverage = ledger_.coverage(*entry);
  const std::string* object = present_(id);
  if (object != nullptr && !entry->told_event) entry->told_event = told_by(*object);
  std::string event = object == nullptr ? std::string()
                                        : event_for(report, coverage, *entry->told_event,
                                                    options_.gateway, clock_.wall());
  if (event.empty()) {
    ledger_.drop_event(*entry);
    co_return false;
  }
  Resource events{
      .group = "events.k8s.io", .plural = "events", .in_namespace = event_namespace(report)};
  const auto done = co_await client_.create(std::move(events), std::move(event));
  no_event_before_ = now() + options_.event_pause;
  entry = ledger_.find(id);
  if (done) {
    ++state_.events;
    event_trouble_.over("events about policies are written again");
  }
  // One that is there was written before, or by another gateway. The status matters more than an
  // event that may not be written.
  bool may_come_again = false;
  if (!done && !done.error().is_conflict()) {
    may_come_again = done.error().is_retryable();
    note_failure(done.error(), event_trouble_, "the event about " + str(id), std::nullopt);
  }
  if (entry == nullptr || entry->report.uid != report.uid) co_return true;
  if (may_come_again) {
    ledger_.event_failed(*entry, again(0));
  } else {
    ledger_.event_told(*entry, outcome_of(report, coverage), now());
  }
  co_return true;
}

net::Task<bool> PolicyReporter::Impl::remove_gone() {
  const std::vector<std::string> gone = gateways_.gone();
  if (gone.empty() || now() < no_removal_before_) co_return false;
  Resource leases = leases_in(options_.in_namespace);
  std::string name = gone.front();
  const auto done = co_await client_.remove(std::move(leases), std::move(name));
  if (done) {
    note_success();
  } else {
    note_failure(done.error(), trouble_, "the Lease " + gone.front() + " of a gateway that is gone",
                 std::nullopt);
    no_removal_before_ = now() + options_.max_backoff;
  }
  co_return true;
}

void PolicyReporter::Impl::note_success() {
  backoff_ = options_.backoff;
  last_failed_.reset();
  if (!ledger_.has_failures()) trouble_.over("the status of policies is written again");
}

void PolicyReporter::Impl::note_failure(const Failure& failure, detail::SayOnce& trouble,
                                        const std::string& what,
                                        const std::optional<std::string>& of) {
  ++state_.failures;
  trouble.about(failure, what + " cannot be written");
  const bool is_api_away = is_nobodys_fault(failure);
  // What fails for one namespace is its own; for several in a row, ours or the API's. None of them
  // can make that out of another's being deleted and made anew.
  const bool is_ours = of && !failure.is_conflict() && last_failed_ && *last_failed_ != *of;
  if (of) last_failed_ = *of;
  if (!is_api_away && !is_ours) return;
  const Duration asked = std::min(failure.retry_after.value_or(Duration{}), kLongestWait);
  const Duration own = is_api_away ? backoff_ : std::min(backoff_, options_.max_backoff / 10);
  not_before_ = now() + std::max(client_.jittered(own), asked);
  backoff_ = std::min(2 * backoff_, options_.max_backoff);
}

// After as many failures of one resource.
MonotonicTime PolicyReporter::Impl::again(int failures) const {
  const Duration bound = options_.backoff * (1 << std::min(failures, 10));
  return now() + client_.jittered(std::min(bound, options_.max_backoff));
}

PolicyReporter::PolicyReporter(Client& client, const Clock& clock, ReporterOptions options,
                               Present present, Say say)
    : impl_(std::make_unique<Impl>(client, clock, std::move(options), std::move(present),
                                   std::move(say))) {}
PolicyReporter::~PolicyReporter() = default;

void PolicyReporter::start() {
  impl_->start();
}
void PolicyReporter::report(std::vector<ResourceReport> reports, std::string digest) {
  impl_->report(std::move(reports), std::move(digest));
}
net::Task<void> PolicyReporter::farewell(Deadline deadline) {
  return impl_->farewell(deadline);
}
ReporterState PolicyReporter::state() const {
  return impl_->state();
}

}  // namespace ebbgate::kube
