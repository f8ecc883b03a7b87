#include "app/policy_sources.h"

#include <algorithm>
#include <fstream>
#include <iterator>
#include <optional>
#include <utility>

#include "app/diagnostics.h"
#include "source/public_key.h"

namespace ebbgate::app {
namespace {

constexpr Duration kAgeCheck = std::chrono::seconds(1);

// A source of AWS before anybody knows the region: made when it is first asked.
class LaterAwsSource final : public source::PolicySource {
 public:
  LaterAwsSource(config::SourceUrl url, Outbound& outbound)
      : url_(std::move(url)), outbound_(&outbound) {}

  [[nodiscard]] const std::string& name() const override { return url_.text; }

  [[nodiscard]] net::Task<Result<std::optional<source::Fetched>>> fetch(
      std::string token) override {
    if (auto made = co_await make(); !made) co_return std::unexpected(std::move(made.error()));
    co_return co_await made_->fetch(std::move(token));
  }

  [[nodiscard]] net::Task<Result<std::string>> fetch_signature() override {
    if (auto made = co_await make(); !made) co_return std::unexpected(std::move(made.error()));
    co_return co_await made_->fetch_signature();
  }

 private:
  [[nodiscard]] net::Task<Result<void>> make() {
    if (made_ != nullptr) co_return Result<void>();
    auto client = co_await outbound_->aws();
    if (!client) co_return std::unexpected(std::move(client.error()));
    auto made = source::make_source(url_, {outbound_->https(), *client});
    if (!made) co_return std::unexpected(std::move(made.error()));
    made_ = std::move(*made);
    co_return Result<void>();
  }

  config::SourceUrl url_;
  Outbound* outbound_;
  std::unique_ptr<source::PolicySource> made_;
};

Result<std::unique_ptr<source::PolicySource>> source_of(const config::SourceUrl& url,
                                                        Outbound& outbound) {
  if (url.kind == config::SourceKind::kHttps) {
    return source::make_source(url, {outbound.https(), nullptr});
  }
  return std::make_unique<LaterAwsSource>(url, outbound);
}

Result<std::optional<source::PublicKey>> key_of(const std::string& file) {
  if (file.empty()) return std::optional<source::PublicKey>();
  std::ifstream stream(file, std::ios::binary);
  const std::string pem(std::istreambuf_iterator<char>(stream), {});
  auto key = source::PublicKey::parse(pem);
  if (!key) return fail(Reason::kInternal, Side::kSelf, file + ": " + key.error().detail);
  return std::optional(std::move(*key));
}

}  // namespace

PolicySources::PolicySources(net::Loop& loop, const config::Settings& settings,
                             std::function<void()> on_change)
    : loop_(&loop), settings_(&settings), on_change_(std::move(on_change)) {}

Result<std::unique_ptr<PolicySources>> PolicySources::make(net::Loop& loop,
                                                           const config::Settings& settings,
                                                           const Clock& clock, Outbound& outbound,
                                                           std::function<void()> on_change) {
  auto key = key_of(settings.policy_key);
  if (!key) return std::unexpected(std::move(key.error()));
  std::unique_ptr<PolicySources> made(new PolicySources(loop, settings, std::move(on_change)));
  for (const config::SourceUrl& url : settings.policy_sources) {
    auto source = source_of(url, outbound);
    if (!source) return std::unexpected(std::move(source.error()));
    source::PollerOptions options;
    options.schedule.interval =
        settings.policy_interval.value_or(source::default_interval(url.kind));
    options.rules.key = *key;
    options.rules.allow_rollback = settings.allow_rollback;
    options.rules.pods_in_subjects = settings.kube.is_on;
    options.cache_directory = settings.policy_cache;
    made->pollers_.push_back(std::make_unique<source::Poller>(
        loop, clock, std::move(*source), std::move(options), outbound.aws_context().random,
        source::Poller::Listeners{.on_accepted = [owner = made.get()] { owner->on_change_(); },
                                  .say = [](const std::string& line) { say(line); }}));
  }
  return made;
}

void PolicySources::load_caches() {
  for (const auto& poller : pollers_) poller->load_cache();
  check_age();
}

void PolicySources::start() {
  for (const auto& poller : pollers_) poller->start();
  if (settings_->policy_max_age > Duration::zero()) {
    loop_->arm(age_timer_, loop_->after(kAgeCheck));
  }
}

void PolicySources::ask_soon() {
  for (const auto& poller : pollers_) poller->poll_soon();
}

PolicySources::Texts PolicySources::texts() const {
  Texts out;
  for (const auto& poller : pollers_) {
    if (const source::Accepted* accepted = poller->text()) {
      out.texts.push_back(
          {.name = poller->name(), .text = accepted->text, .is_list = accepted->is_list});
    } else {
      out.missing.push_back(poller->name());
    }
  }
  return out;
}

void PolicySources::on_age_timer(void* self) {
  auto& sources = *static_cast<PolicySources*>(self);
  const bool before = sources.is_too_old_;
  sources.check_age();
  if (sources.is_too_old_ != before) sources.on_change_();
  sources.loop_->arm(sources.age_timer_, sources.loop_->after(kAgeCheck));
}

void PolicySources::check_age() {
  const Duration most = settings_->policy_max_age;
  is_too_old_ = most > Duration::zero() && std::ranges::any_of(pollers_, [&](const auto& poller) {
                  const auto age = poller->state().age;
                  return age && *age > most;
                });
}

std::vector<observe::SourceStatus> PolicySources::status() const {
  std::vector<observe::SourceStatus> out;
  for (const auto& poller : pollers_) {
    const source::SourceState state = poller->state();
    out.push_back({.name = state.name,
                   .version = state.version,
                   .age = state.age,
                   .failures_in_row = static_cast<std::uint64_t>(state.failures),
                   .fetches = state.fetches,
                   .errors = state.errors,
                   .accepted = state.accepted});
  }
  return out;
}

}  // namespace ebbgate::app
