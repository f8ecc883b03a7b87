#include "source/poller.h"

#include <algorithm>
#include <exception>
#include <new>
#include <utility>

namespace ebbgate::source {
namespace {

constexpr Duration kNoMemoryPause = std::chrono::seconds(1);

}  // namespace

Poller::Poller(net::Loop& loop, const Clock& clock, std::unique_ptr<PolicySource> source,
               PollerOptions options, std::function<std::uint64_t()> random, Listeners listeners)
    : loop_(&loop),
      clock_(&clock),
      source_(std::move(source)),
      options_(std::move(options)),
      random_(std::move(random)),
      listeners_(std::move(listeners)),
      file_(options_.cache_directory, source_->name()) {
  state_.name = source_->name();
}
Poller::~Poller() = default;

void Poller::start() {
  load_cache();
  poll_soon();
}

void Poller::say(const std::string& what) const {
  listeners_.say(name() + ": " + what);
}

void Poller::load_cache() {
  if (std::exchange(is_cache_read_, true)) return;
  auto found = file_.load();
  if (!found) {
    say("the last good policy is not used: " + found.error().detail);
    return;
  }
  if (!*found) return;
  // What was good under other rules, or for another release, is judged again.
  Accepted& cached = (*found)->accepted;
  auto accepted = accept(name(),
                         {.text = cached.text,
                          .version = cached.version,
                          .sequence = cached.sequence,
                          .signature = cached.signature},
                         nullptr, options_.rules);
  if (!accepted) {
    say("the last good policy (" + file_.path() + ") is not used: " + accepted.error().detail);
    return;
  }
  in_force_ = *std::move(accepted);
  WallTime confirmed = (*found)->confirmed;
  if (confirmed > clock_->wall()) {
    say("the last good policy (" + file_.path() +
        ") is dated in the future: it counts as too old until the source confirms it");
    confirmed = WallTime();
  }
  confirmed_ =
      Confirmed{.wall = confirmed, .monotonic = loop_->now() - (clock_->wall() - confirmed)};
  is_kept_ = true;
  state_.is_from_cache = true;
}

void Poller::poll_soon() {
  if (polling_.is_running()) return;  // it looks already
  loop_->arm(timer_, Deadline::at(loop_->now()));
}

void Poller::on_timer(void* self) {
  auto& poller = *static_cast<Poller*>(self);
  poller.polling_.start(poller.poll_and_rearm(), [&poller](const std::exception_ptr&) {
    poller.loop_->arm(poller.timer_, poller.loop_->after(kNoMemoryPause));
    try {
      poller.note_failure("out of memory");
    } catch (const std::bad_alloc&) {  // it is counted, and said when there is room for it
    }
  });
}

net::Task<void> Poller::poll_and_rearm() {
  co_await poll_once();
  if (loop_->is_giving_up()) co_return;
  loop_->arm(timer_, loop_->after(next_pause(options_.schedule, state_.failures, random_())));
}

net::Task<void> Poller::poll_once() {
  ++state_.fetches;
  const auto outcome = co_await attempt();
  if (outcome) {
    note_success();
  } else if (outcome.error().reason != Reason::kDraining) {
    note_failure(outcome.error().detail);
  }
}

// Out: whether what is in force is what the source holds now.
net::Task<Result<void>> Poller::attempt() {
  auto fetched = co_await source_->fetch(seen_token_);
  if (!fetched) co_return std::unexpected(std::move(fetched.error()));
  if (!*fetched) {
    if (seen_token_.empty()) {
      co_return fail(Reason::kOriginInvalid, Side::kOrigin,
                     "it says that nothing has changed, to who has nothing");
    }
    if (refusal_.empty()) co_return {};
    co_return fail(Reason::kOriginInvalid, Side::kOrigin, refusal_);
  }
  Fetched offered = **std::move(fetched);
  auto taken = co_await take(std::move(offered));
  co_return taken;
}

net::Task<Result<void>> Poller::take(Fetched fetched) {
  const bool needs_signature = options_.rules.key && fetched.signature.empty() &&
                               !embedded_signature(fetched.text).has_value();
  if (needs_signature) {
    auto signature = co_await source_->fetch_signature();
    if (!signature) {
      signature.error().detail = "its signature: " + signature.error().detail;
      co_return std::unexpected(std::move(signature.error()));
    }
    fetched.signature = *std::move(signature);
  }
  std::string token = fetched.token;
  auto accepted =
      accept(name(), std::move(fetched), in_force_ ? &*in_force_ : nullptr, options_.rules);
  if (!accepted) {
    // Not to be fetched and said again until it changes; but a signature may come later than what
    // it is of.
    if (!needs_signature) {
      seen_token_ = std::move(token);
      refusal_ = accepted.error().detail;
    }
    co_return std::unexpected(std::move(accepted.error()));
  }
  is_told_ = is_told_ && in_force_ && in_force_->text == accepted->text;
  is_kept_ = is_kept_ && in_force_ && *in_force_ == *accepted;
  seen_token_ = std::move(token);
  refusal_.clear();
  in_force_ = *std::move(accepted);
  co_return {};
}

// Tells the listener of what is in force; again with the next answer, where it had no memory for
// it.
void Poller::tell() {
  if (is_told_) return;
  listeners_.on_accepted();
  is_told_ = true;
  ++state_.accepted;
}

// Has the file hold what is in force, and say when that was confirmed. What could not be written is
// tried again with each answer; until then the file keeps the time of what it has.
void Poller::keep() {
  if (!is_kept_) {
    const auto stored = file_.store(*in_force_);
    if (!stored) {
      if (std::exchange(keep_trouble_, stored.error().detail) == stored.error().detail) return;
      say("the policy is in force, but not kept for a restart: " + keep_trouble_);
      return;
    }
    is_kept_ = true;
    if (!std::exchange(keep_trouble_, {}).empty()) say("the policy is kept for a restart now");
  }
  file_.confirm(confirmed_->wall);
}

void Poller::note_success() {
  confirmed_ = Confirmed{.wall = clock_->wall(), .monotonic = loop_->now()};
  tell();
  keep();
  state_.is_from_cache = false;
  state_.failures = 0;
  if (!std::exchange(state_.last_error, {}).empty()) say("it answers again");
}

void Poller::note_failure(const std::string& why) {
  ++state_.failures;
  ++state_.errors;
  if (std::exchange(state_.last_error, why) == why) return;
  say(why +
      (in_force_ ? "; the last good policy stays in force" : "; there is no policy from here yet"));
}

Duration Poller::age_of(const Confirmed& confirmed) const {
  return std::max(clock_->wall() - confirmed.wall, loop_->now() - confirmed.monotonic);
}

SourceState Poller::state() const {
  SourceState out = state_;
  out.has_text = in_force_.has_value();
  if (in_force_) out.version = in_force_->version;
  if (confirmed_) out.age = age_of(*confirmed_);
  return out;
}

}  // namespace ebbgate::source
