// The control plane's thread: signals, reloads, readiness, and the phases of an end. It publishes
// and asks; the workers never wait for it.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "app/policy_loader.h"
#include "app/upgrade.h"
#include "net/loop.h"
#include "observe/access_log.h"
#include "proxy/gateway.h"
#include "proxy/options.h"

namespace ebbgate::app {

class Control {
 public:
  // `arguments`: argv, to start a successor with. `sockets`: everything that is listened on.
  // `on_handed_over`: called when a successor has taken over.
  Control(net::Loop& loop, const proxy::Options& options, proxy::Gateway& gateway,
          PolicyLoader& policies, observe::AccessLog& log, std::vector<std::string> arguments,
          std::vector<proxy::ListeningSockets> sockets, std::function<void()> on_handed_over);
  Control(const Control&) = delete;
  Control& operator=(const Control&) = delete;

  // The signals that it serves; to be blocked in every thread before the first is started.
  static void block_signals();
  [[nodiscard]] Result<void> start();

  // Call after each attempt to load the policy: live tunnels are judged by it.
  void policy_loaded(bool is_valid);

  // The same end as by SIGTERM, which may still come: open tunnels live on for --drain-timeout or
  // for `patience`, whichever is longer.
  void leave(Duration patience);

  // What to do when the workers have ended, before the process does, which it does when `then` is
  // called; a further SIGTERM does not wait for it.
  void set_farewell(std::function<void(std::function<void()> then)> farewell) {
    farewell_ = std::move(farewell);
  }

  // Why the gateway should get no traffic, in kebab case; empty: it is ready. Local causes only.
  [[nodiscard]] std::vector<std::string> unready_causes(bool has_policy) const;

 private:
  enum class Phase : std::uint8_t { kServing, kDelaying, kDraining, kHandedOver, kStopping };

  static void on_signal(net::Channel& channel, std::uint32_t events);
  static void on_successor(net::Channel& channel, std::uint32_t events);
  static void on_phase_timer(void* self);
  void serve_signal(int signal);
  void serve_termination();
  void begin_drain();
  void stop_accepting();
  void wait_for_the_last();
  void finish();
  void begin_upgrade();

  net::Loop* loop_;
  const proxy::Options* options_;
  proxy::Gateway* gateway_;
  PolicyLoader* policies_;
  observe::AccessLog* log_;
  std::vector<std::string> arguments_;
  std::vector<proxy::ListeningSockets> sockets_;
  std::function<void()> on_handed_over_;
  Phase phase_ = Phase::kServing;
  bool has_successor_ = false;
  bool was_told_by_signal_ = false;
  Duration patience_ = Duration::zero();  // of leave()
  std::function<void(std::function<void()> then)> farewell_;
  Deadline drain_deadline_ = Deadline::never();
  net::Channel* successor_ = nullptr;
  pid_t successor_pid_ = -1;
  net::Timer phase_timer_{&Control::on_phase_timer, this};
};

}  // namespace ebbgate::app
