// The gateway as one of a fleet on EC2 (`--aws`): puts the parts of fleet/ and alert/ together on
// the control loop, from the first question to the metadata service to the last event before the
// end. docs/fleet.md tells the story.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "alert/dispatcher.h"
#include "alert/groups.h"
#include "alert/sns_sink.h"
#include "app/outbound.h"
#include "config/settings.h"
#include "fleet/batch_source.h"
#include "fleet/elastic_address.h"
#include "fleet/event_pump.h"
#include "fleet/instance.h"
#include "fleet/lifecycle.h"
#include "fleet/log_shipper.h"
#include "fleet/spool.h"
#include "net/loop.h"
#include "net/task.h"
#include "observe/access_log.h"
#include "observe/metrics.h"

namespace ebbgate::app {

class AwsFleet {
 public:
  // All outlive it.
  struct Parts {
    net::Loop& loop;
    const config::Settings& settings;
    Outbound& outbound;
    observe::Metrics& metrics;
    observe::AccessLog& log;
    // Of the policy in force; nothing where there is none.
    std::function<std::optional<Duration>()> policy_age;
    // Why the gateway is not ready, its own causes among them; called on the loop.
    std::function<std::vector<std::string>()> unready;
    // The instance is to end: open tunnels may live on for so long.
    std::function<void(Duration patience)> leave;
  };
  // Fails where the spool cannot be used.
  [[nodiscard]] static Result<std::unique_ptr<AwsFleet>> make(Parts parts);
  ~AwsFleet();
  AwsFleet(const AwsFleet&) = delete;
  AwsFleet& operator=(const AwsFleet&) = delete;

  void start();
  // What keeps the gateway from being ready: `address-unclaimed`.
  [[nodiscard]] std::vector<std::string> unready_causes() const;
  // A successor of this process has taken over what only one can do.
  void handed_over() { is_handed_over_ = true; }
  // After the last worker: sends what is left, tells Auto Scaling, and calls `then`, within about
  // half a minute in any case.
  void say_farewell(std::function<void()> then);

 private:
  explicit AwsFleet(Parts parts);

  [[nodiscard]] net::Task<void> live();
  [[nodiscard]] net::Task<aws::Client*> find_client();
  [[nodiscard]] net::Task<void> learn_group(aws::Client& client);
  [[nodiscard]] net::Task<void> watch_lifecycle();
  [[nodiscard]] net::Task<void> publish_metrics();
  [[nodiscard]] net::Task<void> end(std::function<void()> then);
  // Starts a conversation that say_farewell() waits for.
  void keep(net::Task<void> task);
  [[nodiscard]] net::Task<void> counted(net::Task<void> task);
  // On the pump's thread.
  void group_refusals(std::string_view lines, MonotonicTime now);
  void hand_over(std::vector<alert::Alert> alerts);
  // On the loop's.
  void deliver(std::vector<alert::Alert> alerts);
  [[nodiscard]] const config::Settings::Aws& aws() const { return parts_.settings.aws; }

  Parts parts_;
  alert::Groups groups_;  // the pump's thread's
  std::unique_ptr<fleet::Spool> spool_;
  std::unique_ptr<fleet::EventPump> pump_;
  std::unique_ptr<fleet::PumpedSpool> source_;
  fleet::Instance instance_;
  std::unique_ptr<fleet::ElasticAddress> address_;
  std::unique_ptr<fleet::Lifecycle> lifecycle_;
  std::unique_ptr<fleet::LogShipper> shipper_;
  std::unique_ptr<alert::SnsSink> sink_;
  std::unique_ptr<alert::Dispatcher> dispatcher_;
  std::vector<alert::Alert> early_;  // before there is a dispatcher
  bool is_group_known_ = false;
  bool is_handed_over_ = false;
  bool is_ending_ = false;
  int running_ = 0;  // conversations
  std::function<void()> when_all_have_ended_;
};

}  // namespace ebbgate::app
