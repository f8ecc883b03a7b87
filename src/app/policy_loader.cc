#include "app/policy_loader.h"

#include <pthread.h>

#include <map>
#include <new>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

#include "app/diagnostics.h"
#include "app/options.h"
#include "app/policy_sources.h"

namespace ebbgate::app {
namespace {

constexpr Duration kNoMemoryPause = std::chrono::milliseconds(10);
// Between loadings that are in no hurry: at least so long, and so many times what the last one
// took.
constexpr Duration kPause = std::chrono::milliseconds(250);
constexpr int kRest = 4;
constexpr std::size_t kMostLines = 20;  // about resources, after one loading

config::LoadedPolicy failed(std::string_view why) {
  config::LoadedPolicy none;
  none.problems.push_back(
      {.file = {}, .message = "the policy cannot be loaded: " + std::string(why)});
  return none;
}

bool is_invalid(const config::ResourceOutcome& outcome) {
  return outcome.state == config::ResourceState::kKept ||
         outcome.state == config::ResourceState::kClosed ||
         outcome.state == config::ResourceState::kMissing;
}

// What the operator of the gateway hears of a resource that has become invalid: the first error.
// All of them are for its status to tell.
std::string line_about(const config::ResourceOutcome& outcome) {
  std::string line = outcome.id.str() + ": ";
  if (!outcome.problems.empty()) line += outcome.problems.front().str() + ": ";
  switch (outcome.state) {
    case config::ResourceState::kKept:
      return line + "it stays as it was when last valid";
    case config::ResourceState::kClosed:
      return line + "nothing of its namespace passes, as it never was valid";
    case config::ResourceState::kMissing:
      return line + "there is no new policy without it, as it never was valid";
    default:
      return outcome.id.str() + ": it is valid again";
  }
}

// Says which resources have become invalid, and which are valid again.
void say_changes(std::span<const config::ResourceOutcome> before,
                 std::span<const config::ResourceOutcome> now) {
  std::map<std::string, const config::ResourceOutcome*> known;  // to be invalid
  for (const config::ResourceOutcome& outcome : before) {
    if (is_invalid(outcome)) known.emplace(outcome.id.str(), &outcome);
  }
  std::size_t lines = 0;
  for (const config::ResourceOutcome& outcome : now) {
    if (known.empty() && !is_invalid(outcome)) continue;
    const auto found = known.find(outcome.id.str());
    const bool is_news = found == known.end() ? is_invalid(outcome)
                                              : outcome.state != found->second->state ||
                                                    outcome.problems != found->second->problems;
    if (is_news && ++lines <= kMostLines) say(line_about(outcome));
  }
  if (lines > kMostLines) {
    say("the same of " + std::to_string(lines - kMostLines) + " more resources");
  }
}

}  // namespace

bool names_a_policy(const config::Settings& settings) {
  return settings.allow.has_value() || !settings.allow_files.empty() ||
         !settings.policies.empty() || !settings.policy_sources.empty() || settings.kube.is_on;
}

PolicyLoader::PolicyLoader(net::Loop& loop, const config::Settings& settings, const Clock& clock,
                           proxy::PublishedSnapshot& published, observe::PolicyMetrics& metrics,
                           std::uint64_t seed, std::function<void(bool)> on_loaded)
    : loop_(&loop),
      settings_(&settings),
      clock_(&clock),
      published_(&published),
      metrics_(&metrics),
      seed_(seed),
      on_loaded_(std::move(on_loaded)) {}

PolicyLoader::~PolicyLoader() {
  if (thread_.joinable()) thread_.join();
}

std::vector<config::PolicyText> PolicyLoader::take_texts() {
  missing_.clear();
  if (sources_ == nullptr) return {};
  PolicySources::Texts texts = sources_->texts();
  missing_ = std::move(texts.missing);
  return std::move(texts.texts);
}

std::vector<config::PolicyResource> PolicyLoader::take_kube() {
  has_resources_ = kube_ != nullptr && kube_->is_synced();
  if (has_resources_) return kube_->resources();
  // Whether or not the cluster is found already.
  if (settings_->kube.is_on) missing_.emplace_back("the Kubernetes API");
  return {};
}

bool PolicyLoader::load() {
  const auto texts = take_texts();
  return publish(config::load_policy(*settings_, seed_, {}, texts, take_kube()));
}

void PolicyLoader::reload() {
  if (!names_a_policy(*settings_)) return on_loaded_(false);
  if (is_loading_) {
    wanted_again_ = Haste::kNow;
    return;
  }
  due_timer_.disarm();  // it takes in what that one was to
  if (thread_.joinable()) thread_.join();
  try {
    start_loading();
  } catch (const std::system_error& failure) {  // no thread to be had
    publish(failed(failure.what()));
  }
}

void PolicyLoader::reload_when_due() {
  if (is_loading_) {
    wanted_again_ = std::max(wanted_again_, Haste::kWhenDue);
  } else if (loop_->now() >= due_) {
    reload();
  } else if (!due_timer_.is_armed()) {
    loop_->arm(due_timer_, Deadline::at(due_));
  }
}

void PolicyLoader::on_due(void* self) {
  static_cast<PolicyLoader*>(self)->reload();
}

void PolicyLoader::refresh() {
  if (sources_ != nullptr) sources_->ask_soon();
  reload();
}

void PolicyLoader::start_loading() {
  began_ = loop_->now();
  auto texts = take_texts();
  auto resources = take_kube();
  thread_ = std::thread([this, retired = std::move(retired_), last = in_force_,
                         texts = std::move(texts), resources = std::move(resources)]() mutable {
    ::pthread_setname_np(::pthread_self(), "policy");
    retired.clear();  // here, where the time it takes delays nobody
    try {
      loaded_ = config::load_policy(*settings_, seed_, last, texts, resources);
    } catch (...) {  // no memory, as a rule
      failure_ = std::current_exception();
    }
    for (;;) {
      try {
        return loop_->post([this] { end_loading(); });
      } catch (const std::bad_alloc&) {
        std::this_thread::sleep_for(kNoMemoryPause);
      }
    }
  });
  is_loading_ = true;
  retired_.clear();
}

void PolicyLoader::end_loading() {
  is_loading_ = false;
  const Duration took = loop_->now() - began_;
  due_ = loop_->now() + std::max(kPause, kRest * took);
  metrics_->last_load_nanoseconds.set(took.count());
  try {
    if (failure_) std::rethrow_exception(std::exchange(failure_, nullptr));
    publish(std::move(loaded_));
  } catch (const std::exception& failure) {
    publish(failed(failure.what()));
  }
  switch (std::exchange(wanted_again_, Haste::kNone)) {
    case Haste::kNow:
      return reload();
    case Haste::kWhenDue:
      return reload_when_due();
    case Haste::kNone:
      return;
  }
}

bool PolicyLoader::publish(config::LoadedPolicy loaded) {
  const bool is_valid = take_over(std::move(loaded));
  on_loaded_(is_valid);
  return is_valid;
}

bool PolicyLoader::take_over(config::LoadedPolicy loaded) {
  if (loaded.policy != nullptr && !missing_.empty()) {
    for (const std::string& name : missing_) {
      say("no policy is in force before " + name + " has given its part");
    }
    take_resources(loaded, false);
    return true;
  }
  for (const config::Problem& problem : std::exchange(loaded.problems, {})) {
    say(policy::str(problem));
  }
  const bool is_whole = loaded.policy != nullptr && loaded.kept.empty();
  (is_whole ? metrics_->reloads_succeeded : metrics_->reloads_failed).add();
  metrics_->last_reload_succeeded.set(is_whole ? 1 : 0);
  if (loaded.policy == nullptr) {
    take_resources(loaded, false);
    if (published_->generation() > 0) say("the policy is unchanged: the new one is invalid");
    return false;
  }
  for (const config::Problem& warning : config::take_expiry_warnings(loaded, clock_->wall())) {
    say(policy::str(warning));
  }
  if (loaded.digest == in_force_.digest) {
    take_resources(loaded, true);
    if (!is_whole) say("the policy is unchanged: the new one is invalid");
    return is_whole;
  }
  for (const std::string& file : loaded.kept) say(file + ": it stays as it was when last valid");
  put_in_force(std::move(loaded));
  take_resources(in_force_, true);
  return true;
}

void PolicyLoader::take_resources(const config::LoadedPolicy& loaded, bool is_in_force) {
  if (!has_resources_ || loaded.forms == nullptr) return;  // null: it broke off
  std::vector<config::ResourceOutcome> outcomes = loaded.resources;
  // What was read stays read, whatever came of the whole.
  in_force_.forms = loaded.forms;
  if (is_in_force) {
    in_force_.resources = outcomes;
    in_force_.resources_digest = loaded.resources_digest;
  } else {
    config::hold_up(outcomes, in_force_.resources);
  }
  say_changes(told_, outcomes);
  told_ = std::move(outcomes);
  if (on_resources_) on_resources_(told_, in_force_.resources_digest);
}

void PolicyLoader::put_in_force(config::LoadedPolicy loaded) {
  in_force_ = std::move(loaded);
  publish_snapshot();
  const std::size_t entries = in_force_.policy->pattern_count();
  metrics_->entries.set(static_cast<std::int64_t>(entries));
  metrics_->loaded_at.set(
      std::chrono::duration_cast<std::chrono::seconds>(clock_->wall().time_since_epoch()).count());
  say("policy " + in_force_.version + " is in force: " + std::to_string(entries) +
      (entries == 1 ? " entry" : " entries"));
}

void PolicyLoader::publish_snapshot() {
  retired_.push_back(published_->get().first);
  is_too_old_ = asks_age_();
  published_->publish(std::make_shared<const proxy::Snapshot>(
      proxy::Snapshot{.policy = in_force_.policy,
                      .guard = policy::AddressGuard(guard_settings(*settings_, listeners_)),
                      .version = in_force_.version,
                      .is_too_old = is_too_old_}));
  metrics_->generation.set(static_cast<std::int64_t>(published_->generation()));
}

void PolicyLoader::follow_age() {
  if (in_force_.policy == nullptr || asks_age_() == is_too_old_) return;
  publish_snapshot();
  say(is_too_old_ ? "the policy is older than --policy-max-age: every request is refused"
                  : "the policy is confirmed again: requests are judged by it");
}

}  // namespace ebbgate::app
