#include "app/policy_loader.h"

#include <pthread.h>

#include <exception>
#include <string>
#include <system_error>
#include <utility>

#include "app/diagnostics.h"
#include "app/options.h"

namespace ebbgate::app {
namespace {

config::LoadedPolicy failed(const std::exception& failure) {
  config::LoadedPolicy none;
  none.problems.push_back(
      {.file = {}, .message = std::string("the policy cannot be loaded: ") + failure.what()});
  return none;
}

}  // namespace

bool names_a_policy(const config::Settings& settings) {
  return settings.allow.has_value() || !settings.allow_files.empty() || !settings.policies.empty();
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

bool PolicyLoader::load() {
  return publish(config::load_policy(*settings_, seed_));
}

void PolicyLoader::reload() {
  if (!names_a_policy(*settings_)) return on_loaded_(false);
  if (is_loading_) {
    is_wanted_again_ = true;
    return;
  }
  if (thread_.joinable()) thread_.join();
  try {
    start_loading();
  } catch (const std::system_error& failure) {  // no thread to be had
    publish(failed(failure));
  }
}

void PolicyLoader::start_loading() {
  thread_ = std::thread([this, retired = std::move(retired_)]() mutable {
    ::pthread_setname_np(::pthread_self(), "policy");
    retired.clear();  // here, where the time it takes delays nobody
    config::LoadedPolicy loaded;
    try {
      loaded = config::load_policy(*settings_, seed_);
    } catch (const std::exception& failure) {  // no memory, as a rule
      loaded = failed(failure);
    }
    loop_->post([this, loaded = std::move(loaded)]() mutable {
      is_loading_ = false;
      publish(std::move(loaded));
      if (std::exchange(is_wanted_again_, false)) reload();
    });
  });
  is_loading_ = true;
  retired_.clear();
}

bool PolicyLoader::publish(config::LoadedPolicy loaded) {
  const bool is_valid = take_over(std::move(loaded));
  on_loaded_(is_valid);
  return is_valid;
}

bool PolicyLoader::take_over(config::LoadedPolicy loaded) {
  for (const config::Problem& problem : loaded.problems) say(policy::str(problem));
  if (loaded.policy == nullptr) {
    metrics_->reloads_failed.add();
    metrics_->last_reload_succeeded.set(0);
    if (published_->generation() > 0) say("the policy is unchanged: the new one is invalid");
    return false;
  }
  for (const config::Problem& warning : config::expiry_warnings(*loaded.policy, clock_->wall())) {
    say(policy::str(warning));
  }
  metrics_->reloads_succeeded.add();
  metrics_->last_reload_succeeded.set(1);
  if (loaded.version == version_) return true;
  version_ = loaded.version;
  retired_.push_back(published_->get().first);
  const std::size_t entries = loaded.policy->pattern_count();
  published_->publish(std::make_shared<const proxy::Snapshot>(
      proxy::Snapshot{.policy = std::move(loaded.policy),
                      .guard = policy::AddressGuard(guard_settings(*settings_, listeners_)),
                      .version = version_}));
  metrics_->generation.set(static_cast<std::int64_t>(published_->generation()));
  metrics_->entries.set(static_cast<std::int64_t>(entries));
  metrics_->loaded_at.set(
      std::chrono::duration_cast<std::chrono::seconds>(clock_->wall().time_since_epoch()).count());
  say("policy " + version_ + " is in force: " + std::to_string(entries) +
      (entries == 1 ? " entry" : " entries"));
  return true;
}

}  // namespace ebbgate::app
