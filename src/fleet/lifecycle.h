// When the instance ends: how the gateway learns of it, keeps Auto Scaling waiting while it drains,
// and tells it when it is done
// (docs.aws.amazon.com/autoscaling/ec2/userguide/retrieving-target-lifecycle-state-through-imds.html,
// docs.aws.amazon.com/AWSEC2/latest/UserGuide/spot-instance-termination-notices.html).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "aws/autoscaling.h"
#include "aws/client.h"
#include "aws/imds.h"
#include "fleet/say.h"
#include "net/signal.h"

namespace ebbgate::fleet {

// What the metadata service says of the instance's end.
struct EndNotice {
  enum class Cause : std::uint8_t { kScaleIn, kSpot };
  Cause cause = Cause::kScaleIn;
  std::optional<WallTime> at;  // kSpot: when it ends, whatever the gateway does
  bool operator==(const EndNotice&) const = default;
};
// In: the target lifecycle state, and the body of spot/instance-action; each perhaps not there.
[[nodiscard]] std::optional<EndNotice> read_end_notice(
    const std::optional<std::string>& target_state, const std::optional<std::string>& spot_action);

// How long tunnels may live on. `wanted`: without a notice's own time.
[[nodiscard]] Duration drain_patience(const EndNotice& notice, Duration wanted, WallTime now);

struct LifecycleOptions {
  std::string group;  // empty: nobody is kept waiting or told
  std::string hook;
  std::string instance_id;
  Duration poll = std::chrono::seconds(2);       // of the metadata service
  Duration heartbeat = std::chrono::minutes(1);  // while it drains
};

class Lifecycle {
 public:
  // All outlive it; it outlives its coroutines.
  Lifecycle(aws::Client& client, aws::Imds& imds, LifecycleOptions options, Say say);

  // Asks the metadata service until the instance is to end. Nothing: stop() or the hard stop.
  [[nodiscard]] net::Task<std::optional<EndNotice>> wait_for_notice();

  // Keeps the group waiting until stop().
  [[nodiscard]] net::Task<void> send_heartbeats();

  // Where the group is waiting, it need not any longer. To be called whatever the process ends for:
  // where no notice has come, the state is asked for once more.
  [[nodiscard]] net::Task<void> complete(Deadline deadline);

  // Where the group is known later than the rest.
  void set_group(std::string group) { options_.group = std::move(group); }

  void stop();

 private:
  [[nodiscard]] net::Task<std::optional<EndNotice>> look();
  [[nodiscard]] aws::autoscaling::LifecycleAction action() const;
  [[nodiscard]] net::Loop& loop() const { return client_->context().loop; }

  aws::Client* client_;
  aws::Imds* imds_;
  LifecycleOptions options_;
  Say say_;
  net::Signal stopped_;
  bool is_stopping_ = false;
  bool is_ending_ = false;  // the instance
  int failures_ = 0;        // of the metadata service, one after the other
};

}  // namespace ebbgate::fleet
