// The policies that are kept elsewhere: one poller for each --policy-source, and what they have for
// the loader. Lives on the control loop.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "app/outbound.h"
#include "base/clock.h"
#include "base/result.h"
#include "config/load_policy.h"
#include "config/settings.h"
#include "net/loop.h"
#include "observe/metrics.h"
#include "source/poller.h"

namespace ebbgate::app {

class PolicySources {
 public:
  // All that is given outlives it. `on_change`: text() or is_too_old() has become another one.
  // Errors: kInternal, such as a --policy-key that is none.
  [[nodiscard]] static Result<std::unique_ptr<PolicySources>> make(net::Loop& loop,
                                                                   const config::Settings& settings,
                                                                   const Clock& clock,
                                                                   Outbound& outbound,
                                                                   std::function<void()> on_change);
  PolicySources(const PolicySources&) = delete;
  PolicySources& operator=(const PolicySources&) = delete;

  // Takes what the last run left on the disk, without asking anybody.
  void load_caches();
  // Asks each source now, and from then on.
  void start();
  // Asks each now rather than when its pause is over.
  void ask_soon();

  // What they have given; `missing` are those that never gave anything.
  struct Texts {
    std::vector<config::PolicyText> texts;
    std::vector<std::string> missing;
  };
  [[nodiscard]] Texts texts() const;

  // Whether one of them has not been heard of for longer than --policy-max-age allows.
  [[nodiscard]] bool is_too_old() const { return is_too_old_; }

  [[nodiscard]] std::vector<observe::SourceStatus> status() const;

 private:
  PolicySources(net::Loop& loop, const config::Settings& settings, std::function<void()> on_change);
  static void on_age_timer(void* self);
  void check_age();

  net::Loop* loop_;
  const config::Settings* settings_;
  std::function<void()> on_change_;
  std::vector<std::unique_ptr<source::Poller>> pollers_;
  bool is_too_old_ = false;
  net::Timer age_timer_{&PolicySources::on_age_timer, this};
};

}  // namespace ebbgate::app
