#include "fleet/lifecycle.h"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <utility>

namespace ebbgate::fleet {
namespace {

constexpr Duration kCallTimeout = std::chrono::seconds(20);
// Before a Spot instance is taken away, for what remains to be done after the last tunnel.
constexpr Duration kSpotMargin = std::chrono::seconds(15);
// So many questions without an answer are worth a line: about half a minute.
constexpr int kSilenceWorthALine = 10;

// The time in `{"action": "terminate", "time": "2026-09-18T08:22:00Z"}`.
std::optional<WallTime> read_spot_time(std::string_view text) {
  const std::size_t key = text.find("\"time\"");
  if (key == std::string_view::npos) return std::nullopt;
  const std::size_t begin = text.find('"', text.find(':', key));
  if (begin == std::string_view::npos || text.size() < begin + 21) return std::nullopt;
  const std::string_view time = text.substr(begin + 1, 20);
  const auto number = [&](std::size_t at, std::size_t size) {
    int value = -1;
    std::from_chars(time.data() + at, time.data() + at + size, value);
    return value;
  };
  const std::chrono::year_month_day date(std::chrono::year(number(0, 4)),
                                         std::chrono::month(static_cast<unsigned>(number(5, 2))),
                                         std::chrono::day(static_cast<unsigned>(number(8, 2))));
  if (!date.ok() || time[10] != 'T' || time[19] != 'Z') return std::nullopt;
  return WallTime(std::chrono::sys_days(date)) + std::chrono::hours(number(11, 2)) +
         std::chrono::minutes(number(14, 2)) + std::chrono::seconds(number(17, 2));
}

}  // namespace

std::optional<EndNotice> read_end_notice(const std::optional<std::string>& target_state,
                                         const std::optional<std::string>& spot_action) {
  // `hibernate` and `stop` cut tunnels just as `terminate` does. What is no such notice, though the
  // service answered, must not end a gateway.
  if (spot_action && spot_action->contains("\"action\"")) {
    if (const auto at = read_spot_time(*spot_action)) {
      return EndNotice{EndNotice::Cause::kSpot, at};
    }
  }
  if (target_state == "Terminated") return EndNotice{};
  return std::nullopt;
}

Duration drain_patience(const EndNotice& notice, Duration wanted, WallTime now) {
  if (!notice.at) return wanted;
  const Duration left = *notice.at - now - kSpotMargin;
  return std::clamp(left, Duration(std::chrono::seconds(1)),
                    std::max(wanted, Duration(std::chrono::seconds(1))));
}

Lifecycle::Lifecycle(aws::Client& client, aws::Imds& imds, LifecycleOptions options, Say say)
    : client_(&client),
      imds_(&imds),
      options_(std::move(options)),
      say_(std::move(say)),
      stopped_(loop()) {}

void Lifecycle::stop() {
  is_stopping_ = true;
  stopped_.notify_all();
}

net::Task<std::optional<EndNotice>> Lifecycle::wait_for_notice() {
  while (!is_stopping_ && !loop().is_giving_up()) {
    net::Task<std::optional<EndNotice>> looking = look();
    const auto notice = co_await looking;
    if (notice) {
      is_ending_ = true;
      co_return notice;
    }
    co_await stopped_.wait(loop().after(options_.poll));
  }
  co_return std::nullopt;
}

net::Task<std::optional<EndNotice>> Lifecycle::look() {
  net::Task<aws::Outcome<std::optional<std::string>>> state_task = imds_->target_lifecycle_state();
  const auto state = co_await state_task;
  net::Task<aws::Outcome<std::optional<std::string>>> spot_task =
      imds_->get("latest/meta-data/spot/instance-action");
  const auto spot = co_await spot_task;
  if (!state && ++failures_ == kSilenceWorthALine) {
    say_("aws: " + state.error().describe("the instance metadata service") +
         "; the gateway would not know that its instance is to end");
  }
  if (state && std::exchange(failures_, 0) >= kSilenceWorthALine) {
    say_("aws: the instance metadata service answers again");
  }
  co_return read_end_notice(state.value_or(std::nullopt), spot.value_or(std::nullopt));
}

aws::autoscaling::LifecycleAction Lifecycle::action() const {
  return {options_.group, options_.hook, options_.instance_id};
}

net::Task<void> Lifecycle::send_heartbeats() {
  bool was_said = false;
  while (!is_stopping_ && !loop().is_giving_up()) {
    if (options_.group.empty()) {  // not known yet, or there is none
      co_await stopped_.wait(loop().after(options_.poll));
      continue;
    }
    net::Task<aws::Outcome<void>> task =
        aws::autoscaling::record_heartbeat(*client_, action(), loop().after(kCallTimeout));
    const auto sent = co_await task;
    if (!sent && !std::exchange(was_said, true)) {
      say_("aws: " + sent.error().describe("autoscaling RecordLifecycleActionHeartbeat") +
           "; the group may not wait for the tunnels");
    }
    if (is_stopping_) break;
    co_await stopped_.wait(loop().after(options_.heartbeat));
  }
}

net::Task<void> Lifecycle::complete(Deadline deadline) {
  if (options_.group.empty()) co_return;
  if (!is_ending_) {
    net::Task<std::optional<EndNotice>> looking = look();
    const auto notice = co_await looking;
    if (!notice) co_return;  // a restart: the instance stays
  }
  net::Task<aws::Outcome<void>> task =
      aws::autoscaling::complete_lifecycle_action(*client_, action(), deadline);
  const auto completed = co_await task;
  if (completed) {
    say_("aws: the lifecycle action " + options_.hook + " is completed");
  } else if (!completed.error().is("ValidationError")) {  // else it is over already
    say_("aws: " + completed.error().describe("autoscaling CompleteLifecycleAction") +
         "; the group waits until the hook's timeout");
  }
}

}  // namespace ebbgate::fleet
