#include "aws/credentials.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "aws/detail/credential_sources.h"
#include "aws/profile.h"

namespace ebbgate::aws {
namespace {

constexpr Duration kRefreshBefore = std::chrono::minutes(5);
constexpr Duration kJitter = std::chrono::minutes(1);
// Those that come nearly or already expired (or are by a clock that is wrong) are used all the
// same, since the service is the judge, but not for long.
constexpr Duration kLeastUse = std::chrono::seconds(10);
// After a failure, while the old ones still hold.
constexpr Duration kRetryAfter = std::chrono::seconds(30);
constexpr Duration kWaitForOthers = std::chrono::seconds(60);

constexpr std::string_view kNowhereElse =
    "no AWS credentials in the environment, as a web identity or of a container; ";

// One refresh, and those who wait for its outcome.
struct Round {
  std::optional<Outcome<Credentials>> outcome;  // nothing, at the end: it was abandoned
  std::vector<net::Wait*> waits;
};

class WaitForRound {
 public:
  WaitForRound(net::Loop& loop, Round& round) : wait_(loop), loop_(&loop), round_(&round) {}
  WaitForRound(const WaitForRound&) = delete;
  WaitForRound& operator=(const WaitForRound&) = delete;
  ~WaitForRound() { std::erase(round_->waits, &wait_); }

  [[nodiscard]] bool await_ready() const noexcept { return false; }
  void await_suspend(std::coroutine_handle<> frame) {
    round_->waits.push_back(&wait_);
    wait_.begin(frame, loop_->after(kWaitForOthers));
  }
  net::Wait::End await_resume() const noexcept { return wait_.end(); }

 private:
  net::Wait wait_;
  net::Loop* loop_;
  Round* round_;
};

// The chain itself.
class Chain final : public CredentialsProvider {
 public:
  Chain(Context& context, ChainOptions options)
      : context_(&context), options_(std::move(options)), imds_(context) {}

  [[nodiscard]] net::Task<Outcome<Credentials>> get() override {
    using detail::MaybeCredentials;
    if (!options_.profile.empty()) {
      MaybeCredentials named = detail::from_profile(*context_, options_.profile, true);
      co_return first(std::move(named));
    }
    MaybeCredentials found = detail::from_environment(*context_);
    if (!found || *found) co_return first(std::move(found));
    found = co_await detail::from_web_identity(*context_, options_.region);
    if (!found || *found) co_return first(std::move(found));
    if (options_.profiles) {
      const std::string name = profile_name(*context_, {});
      found = detail::from_profile(*context_, name, name != "default");
      if (!found || *found) co_return first(std::move(found));
    }
    found = co_await detail::from_container(*context_);
    if (!found || *found) co_return first(std::move(found));
    found = co_await detail::from_instance(imds_);
    if (!found) found.error().message = std::string(kNowhereElse) + found.error().message;
    co_return first(std::move(found));
  }
  void reject(const Credentials& /*expired*/) override {}

 private:
  [[nodiscard]] Outcome<Credentials> first(detail::MaybeCredentials found) const {
    if (!found) return std::unexpected(std::move(found.error()));
    if (*found) return **std::move(found);
    return failed(Failure::Kind::kCredentials,
                  std::string(kNowhereElse) + "the instance has no role");
  }

  Context* context_;
  ChainOptions options_;
  Imds imds_;
};

}  // namespace

struct CachedCredentials::State {
  Context& context;
  std::unique_ptr<CredentialsProvider> source;
  std::optional<Credentials> current = std::nullopt;
  WallTime refresh_at{};
  MonotonicTime retry_at{};
  std::shared_ptr<Round> round = nullptr;  // while somebody asks the source

  [[nodiscard]] bool is_valid(WallTime now) const {
    return current && (!current->expiration || now < *current->expiration || now < refresh_at);
  }
  void keep(const Credentials& fresh) {
    const WallTime now = context.clock.wall();
    current = fresh;
    retry_at = {};
    if (!fresh.expiration) {
      refresh_at = WallTime::max();
      return;
    }
    const Duration jitter(
        static_cast<Duration::rep>(context.random() % static_cast<std::uint64_t>(kJitter.count())));
    refresh_at = std::max(*fresh.expiration - kRefreshBefore - jitter, now + kLeastUse);
  }
};

namespace {

// Ends a round on every way out, that of a destroyed coroutine among them.
class RoundEnd {
 public:
  RoundEnd(std::shared_ptr<Round>& current) : current_(&current), round_(current) {}
  RoundEnd(const RoundEnd&) = delete;
  RoundEnd& operator=(const RoundEnd&) = delete;
  ~RoundEnd() {
    current_->reset();
    for (net::Wait* wait : round_->waits) wait->finish(net::Wait::End::kHappened);
  }

 private:
  std::shared_ptr<Round>* current_;
  std::shared_ptr<Round> round_;
};

}  // namespace

CachedCredentials::CachedCredentials(Context& context, std::unique_ptr<CredentialsProvider> source)
    : state_(new State{context, std::move(source)}) {}
CachedCredentials::~CachedCredentials() = default;

net::Task<Outcome<Credentials>> CachedCredentials::get() {
  State& state = *state_;
  for (;;) {
    const WallTime now = state.context.clock.wall();
    const bool is_valid = state.is_valid(now);
    const bool may_ask = !state.round && state.context.loop.now() >= state.retry_at;
    if (is_valid && (now < state.refresh_at || !may_ask)) co_return *state.current;
    if (!state.round) break;
    const std::shared_ptr<Round> round = state.round;
    const net::Wait::End end = co_await WaitForRound(state.context.loop, *round);
    if (round->outcome) co_return *round->outcome;
    if (end != net::Wait::End::kHappened) {
      co_return failed(Failure::Kind::kCredentials, "no AWS credentials came in time");
    }
  }
  const std::shared_ptr<Round> round = std::make_shared<Round>();
  state.round = round;
  const RoundEnd end(state.round);
  Outcome<Credentials> fresh = co_await state.source->get();
  if (fresh) {
    state.keep(*fresh);
  } else if (state.is_valid(state.context.clock.wall())) {
    state.retry_at = state.context.loop.now() + kRetryAfter;
    fresh = *state.current;
  }
  round->outcome = fresh;
  co_return fresh;
}

void CachedCredentials::reject(const Credentials& expired) {
  if (state_->current == expired) state_->current.reset();
  state_->source->reject(expired);
}

std::unique_ptr<CredentialsProvider> default_credentials(Context& context, ChainOptions options) {
  return std::make_unique<CachedCredentials>(context,
                                             std::make_unique<Chain>(context, std::move(options)));
}

}  // namespace ebbgate::aws
