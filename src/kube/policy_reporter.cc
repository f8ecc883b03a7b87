#include "kube/policy_reporter.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "kube/detail/ledger.h"
#include "kube/detail/say_once.h"
#include "kube/gateways.h"
#include "net/background.h"
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
        ledger_(options_.times.duration),
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
        backoff_(options_.backoff) {
    gateways_.follow(watch_);
  }

  void start() {
    watch_.start();
    lease_.start();
    running_.start(run(), [](const std::exception_ptr& why) { std::rethrow_exception(why); });
  }

  void report(std::vector<ResourceReport> reports, std::string digest) {
    if (digest.empty()) digest = detail::kNoPolicy;
    own_.digest = std::move(digest);
    if (ledger_.waiting() == 0) not_before_ = std::max(not_before_, now() + options_.gather);
    ledger_.report(std::move(reports), own_.digest);
    lease_.set_digest(own_.digest);
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
  [[nodiscard]] net::Task<bool> remove_gone();
  void note_success();
  void note_failure(const Failure& failure, detail::SayOnce& trouble, const std::string& what);

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
  Duration backoff_;
  bool is_leaving_ = false;
  net::Background running_;
};

void PolicyReporter::Impl::look_around() {
  const std::vector<Gateway> live = gateways_.live();
  state_.gateways = live.size();
  const auto first = std::ranges::find_if(live, [](const auto& each) {
    return !each.digest.empty();  // the others have read no policies yet
  });
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
  const Duration look = options_.times.renewal / 2;
  int comparisons = 0;
  while (!is_leaving_ && !loop.is_giving_up()) {
    look_around();
    bool is_idle = true;
    if (state_.is_reporter && now() >= not_before_) {
      const bool has_asked = ledger_.waiting() > 0 ? co_await tell_next() : co_await remove_gone();
      if (has_asked) not_before_ = std::max(not_before_, now() + options_.pause);
      is_idle = !has_asked && ledger_.waiting() == 0;
      if (!has_asked && !is_idle && ++comparisons % kMostComparisons != 0) continue;
    }
    Deadline until = loop.after(look);
    if (state_.is_reporter && !is_idle) until = loop.after(std::chrono::milliseconds(1));
    if (state_.is_reporter && ledger_.waiting() > 0 && now() < not_before_) {
      until = until.or_earlier(Deadline::at(not_before_));
    }
    static_cast<void>(co_await changed_.wait(until));
  }
}

net::Task<bool> PolicyReporter::Impl::tell_next() {
  Ledger::Entry* entry = ledger_.next();
  const ResourceReport report = entry->report;
  const std::uint64_t revision = entry->revision;
  const Coverage coverage = ledger_.coverage(*entry);
  const std::string* object = present_(report.id);
  if (object == nullptr) {  // it is gone; should it come again, there will be a new report
    ledger_.done(*entry, revision, coverage);
    co_return false;
  }
  std::string event = event_for(report, *object, options_.gateway, clock_.wall());
  std::string patch = status_patch(report, coverage, *object, clock_.wall());
  if (entry->told_event == revision) event.clear();
  if (event.empty() && patch.empty()) {
    ledger_.done(*entry, revision, coverage);
    co_return false;
  }
  const std::string name =
      (report.id.in_namespace.empty() ? "" : report.id.in_namespace + "/") + report.id.name;
  // The event first: the status says that it was told.
  if (!event.empty()) {
    Resource events{
        .group = "events.k8s.io", .plural = "events", .in_namespace = event_namespace(report)};
    const auto done = co_await client_.create(std::move(events), std::move(event));
    entry = ledger_.find(report.id);
    if (done) {
      ++state_.events;
      event_trouble_.over("events about policies are written again");
    }
    // One that is there was written before, or by another gateway. The status matters more than an
    // event that may not be written.
    if (!done && !done.error().is_conflict()) {
      note_failure(done.error(), event_trouble_, "the event about " + name);
      if (done.error().is_retryable() || entry == nullptr) {
        if (entry != nullptr) ledger_.failed(*entry, is_nobodys_fault(done.error()));
        co_return true;
      }
    }
    if (entry != nullptr) entry->told_event = revision;
  }
  if (!patch.empty()) {
    Resource policies = policies_of(report.id);
    std::string its_name = report.id.name;
    ApplyOptions how{.force = true};
    const auto done = co_await client_.apply(std::move(policies), std::move(its_name),
                                             std::move(patch), std::move(how), "status");
    entry = ledger_.find(report.id);
    if (done) ++state_.statuses;
    // It was deleted meanwhile, perhaps for another of its name.
    if (entry == nullptr || entry->report.uid != report.uid) co_return true;
    if (!done && !done.error().is_not_found()) {
      note_failure(done.error(), trouble_, "the status of " + name);
      ledger_.failed(*entry, is_nobodys_fault(done.error()));
      co_return true;
    }
  }
  if (entry == nullptr || entry->report.uid != report.uid) co_return true;
  ledger_.done(*entry, revision, coverage);
  note_success();
  co_return true;
}

net::Task<bool> PolicyReporter::Impl::remove_gone() {
  const std::vector<std::string> gone = gateways_.gone();
  if (gone.empty()) co_return false;
  Resource leases = leases_in(options_.in_namespace);
  std::string name = gone.front();
  const auto done = co_await client_.remove(std::move(leases), std::move(name));
  if (done) {
    note_success();
  } else {
    note_failure(done.error(), trouble_,
                 "the Lease " + gone.front() + " of a gateway that is gone");
  }
  co_return true;
}

void PolicyReporter::Impl::note_success() {
  backoff_ = options_.backoff;
  if (!ledger_.has_failures()) trouble_.over("the status of policies is written again");
}

void PolicyReporter::Impl::note_failure(const Failure& failure, detail::SayOnce& trouble,
                                        const std::string& what) {
  ++state_.failures;
  trouble.about(failure, what + " cannot be written");
  const Duration asked = std::min(failure.retry_after.value_or(Duration{}), kLongestWait);
  not_before_ = now() + std::max(client_.jittered(backoff_), asked);
  backoff_ = std::min(2 * backoff_, options_.max_backoff);
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
