// One remote source, asked again and again: whatever it answers, the last good policy stays until a
// better one is there. Lives on the control loop; everything is called on its thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "base/clock.h"
#include "net/background.h"
#include "net/loop.h"
#include "source/accept.h"
#include "source/last_good.h"
#include "source/policy_source.h"
#include "source/schedule.h"

namespace ebbgate::source {

struct PollerOptions {
  Schedule schedule = {};
  AcceptRules rules = {};
  std::string cache_directory = {};  // empty: nothing is kept on disk
};

// What metrics, the dashboard and alerts show of a source.
struct SourceState {
  std::string name;
  std::string version;         // of the policy in force, for people; empty: there is none
  bool has_text = false;       // there was ever a good policy
  bool is_from_cache = false;  // what is in force was not confirmed since the start
  // Since the source was last known to hold what is in force; nothing where there is none. A file
  // of the future, whose age nobody knows, counts from 1970.
  std::optional<Duration> age;
  int failures = 0;            // in a row
  std::string last_error;      // of the last attempt; empty: it succeeded
  std::uint64_t fetches = 0;   // attempts
  std::uint64_t errors = 0;    // attempts that failed, refused texts among them
  std::uint64_t accepted = 0;  // texts that came into force
};

class Poller {
 public:
  struct Listeners {
    std::function<void()> on_accepted;  // text() is another one
    // One line for the log: a trouble that begins or changes, and its end. Never the same each
    // poll.
    std::function<void(const std::string& line)> say;
  };

  // `random`: 64 even bits. The loop and the clock outlive the poller; it is destroyed while the
  // loop does not run.
  Poller(net::Loop& loop, const Clock& clock, std::unique_ptr<PolicySource> source,
         PollerOptions options, std::function<std::uint64_t()> random, Listeners listeners);
  Poller(const Poller&) = delete;
  Poller& operator=(const Poller&) = delete;
  ~Poller();

  // Takes what the disk has of the last good policy (text() then has it at once, and no listener is
  // called), and begins to ask, the first time right away.
  void start();
  // Asks now rather than when the pause is over.
  void poll_soon();
  // The two halves of start(): what the disk has, once; and one attempt, with nothing after it.
  void load_cache();
  [[nodiscard]] net::Task<void> poll_once();

  // What is to be in force; null where there never was a good one.
  [[nodiscard]] const Accepted* text() const { return in_force_ ? &*in_force_ : nullptr; }
  [[nodiscard]] const std::string& name() const { return source_->name(); }
  [[nodiscard]] SourceState state() const;

 private:
  // By both clocks: the wall's may be set back, and the loop's stands still while the machine
  // sleeps.
  struct Confirmed {
    WallTime wall;
    MonotonicTime monotonic;
  };
  static void on_timer(void* self);
  [[nodiscard]] net::Task<void> poll_and_rearm();
  [[nodiscard]] net::Task<Result<void>> attempt();
  [[nodiscard]] net::Task<Result<void>> take(Fetched fetched);
  [[nodiscard]] Duration age_of(const Confirmed& confirmed) const;
  void say(const std::string& what) const;
  void keep();
  void tell();
  void note_success();
  void note_failure(const std::string& why);

  net::Loop* loop_;
  const Clock* clock_;
  std::unique_ptr<PolicySource> source_;
  PollerOptions options_;
  std::function<std::uint64_t()> random_;
  Listeners listeners_;
  LastGoodFile file_;
  std::optional<Accepted> in_force_;
  std::optional<Confirmed> confirmed_;  // when the source was last known to hold it
  // Of what was fetched last, refused or not. It is never taken from the disk: a file of another
  // account, or one that somebody made, could have the source say for ever that nothing is new.
  std::string seen_token_;
  std::string refusal_;  // why that is not in force; empty: it is
  bool is_cache_read_ = false;
  bool is_told_ = true;       // the listener knows of what is in force
  bool is_kept_ = false;      // the file has what is in force
  std::string keep_trouble_;  // why it does not, as it was said
  SourceState state_;
  net::Timer timer_{&Poller::on_timer, this};
  net::Background polling_;
};

}  // namespace ebbgate::source
