#include "app/control.h"

#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <utility>

#include "app/diagnostics.h"
#include "app/service_manager.h"

namespace ebbgate::app {
namespace {

constexpr std::array kSignals = {SIGTERM, SIGINT, SIGHUP, SIGUSR1, SIGUSR2, SIGCHLD};
constexpr Duration kLook = std::chrono::milliseconds(50);  // for the last session's end

sigset_t served_signals() {
  sigset_t set;
  ::sigemptyset(&set);
  for (const int signal : kSignals) ::sigaddset(&set, signal);
  return set;
}

// As CLOCK_MONOTONIC counts.
std::string microseconds(MonotonicTime time) {
  return std::to_string(
      std::chrono::duration_cast<std::chrono::microseconds>(time.time_since_epoch()).count());
}

}  // namespace

Control::Control(net::Loop& loop, const proxy::Options& options, proxy::Gateway& gateway,
                 PolicyLoader& policies, observe::AccessLog& log,
                 std::vector<std::string> arguments, std::vector<proxy::ListeningSockets> sockets,
                 std::function<void()> on_handed_over)
    : loop_(&loop),
      options_(&options),
      gateway_(&gateway),
      policies_(&policies),
      log_(&log),
      arguments_(std::move(arguments)),
      sockets_(std::move(sockets)),
      on_handed_over_(std::move(on_handed_over)) {}

void Control::block_signals() {
  const sigset_t set = served_signals();
  ::pthread_sigmask(SIG_BLOCK, &set, nullptr);
  std::signal(SIGPIPE, SIG_IGN);
}

Result<void> Control::start() {
  const sigset_t set = served_signals();
  const int fd = ::signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
  if (fd < 0) {
    return fail(Reason::kInternal, Side::kSelf, std::string("signalfd: ") + std::strerror(errno));
  }
  net::Channel& channel = loop_->open(fd);
  channel.handler = &Control::on_signal;
  channel.owner = this;
  if (!loop_->watch(channel, EPOLLIN | EPOLLET)) {
    return fail(Reason::kInternal, Side::kSelf, std::string("epoll_ctl: ") + std::strerror(errno));
  }
  return {};
}

void Control::on_signal(net::Channel& channel, std::uint32_t /*events*/) {
  auto& self = *static_cast<Control*>(channel.owner);
  signalfd_siginfo info{};
  while (::read(channel.fd, &info, sizeof info) == sizeof info) {
    self.serve_signal(static_cast<int>(info.ssi_signo));
  }
}

void Control::serve_signal(int signal) {
  switch (signal) {
    case SIGTERM:
    case SIGINT:
      serve_termination();
      break;
    case SIGHUP:
      tell_service_manager("RELOADING=1\nMONOTONIC_USEC=" + microseconds(loop_->now()));
      policies_->refresh();
      break;
    case SIGUSR1:
      log_->reopen();
      break;
    case SIGUSR2:
      begin_upgrade();
      break;
    case SIGCHLD:
      while (::waitpid(-1, nullptr, WNOHANG) > 0) {
      }
      break;
    default:
      break;
  }
}

void Control::serve_termination() {
  const bool is_asked_again = std::exchange(was_told_by_signal_, true);
  switch (phase_) {
    case Phase::kServing:
    case Phase::kHandedOver:
      return begin_drain();
    case Phase::kDelaying:
    case Phase::kDraining:
      if (is_asked_again) return finish();
      // By leave(), it had more time than whoever sends a signal gives it.
      patience_ = Duration::zero();
      drain_deadline_ =
          drain_deadline_.or_earlier(Deadline::at(loop_->now() + options_->drain_timeout));
      return;
    case Phase::kStopping:
      return loop_->stop();
  }
}

void Control::leave(Duration patience) {
  if (phase_ != Phase::kServing && phase_ != Phase::kHandedOver) return;
  patience_ = patience;
  begin_drain();
}

void Control::policy_loaded(bool is_valid) {
  tell_service_manager("READY=1");  // ends RELOADING=1
  if (is_valid) gateway_->judge_tunnels();
}

std::vector<std::string> Control::unready_causes(bool has_policy) const {
  std::vector<std::string> causes;
  if (!has_policy) causes.emplace_back("no-policy");
  if (phase_ != Phase::kServing) causes.emplace_back("draining");
  return causes;
}

void Control::begin_drain() {
  if (has_successor_) return stop_accepting();  // the service itself goes on
  tell_service_manager("STOPPING=1");
  gateway_->drain(proxy::Worker::Listeners::kClose);
  say("stopping: not ready any more; still accepting for the drain delay");
  phase_ = Phase::kDelaying;
  if (options_->drain_delay <= Duration::zero()) return stop_accepting();
  loop_->arm(phase_timer_, loop_->after(options_->drain_delay));
}

void Control::stop_accepting() {
  gateway_->stop_accepting(proxy::Worker::Listeners::kClose);
  phase_ = Phase::kDraining;
  drain_deadline_ = Deadline::at(loop_->now() + std::max(options_->drain_timeout, patience_));
  say("stopping: waiting for " + std::to_string(gateway_->busy()) + " connections");
  // Not at once: the workers may still be taking in what the kernel had accepted.
  loop_->arm(phase_timer_, loop_->after(kLook));
}

void Control::wait_for_the_last() {
  if (gateway_->busy() == 0 || drain_deadline_.when() <= loop_->now()) return finish();
  loop_->arm(phase_timer_, loop_->after(kLook));
}

void Control::on_phase_timer(void* self) {
  auto& control = *static_cast<Control*>(self);
  switch (control.phase_) {
    case Phase::kDelaying:
      return control.stop_accepting();
    case Phase::kDraining:
    case Phase::kHandedOver:
      return control.wait_for_the_last();
    default:
      break;
  }
}

void Control::finish() {
  if (phase_ == Phase::kStopping) return;
  phase_ = Phase::kStopping;
  if (const std::size_t left = gateway_->busy(); left > 0) {
    say("stopping: ending " + std::to_string(left) + " connections that are still open");
  }
  gateway_->stop();
  if (!farewell_) return loop_->stop();
  farewell_([this] { loop_->stop(); });
}

void Control::begin_upgrade() {
  if (phase_ != Phase::kServing || successor_ != nullptr) {
    say("no upgrade: one is under way, or the gateway is stopping");
    return;
  }
  const auto successor = start_successor(arguments_, sockets_);
  if (!successor) {
    say("no upgrade: " + successor.error().detail);
    return;
  }
  successor_pid_ = successor->pid;
  successor_ = &loop_->open(successor->ready_fd);
  successor_->handler = &Control::on_successor;
  successor_->owner = this;
  if (!loop_->watch(*successor_, EPOLLIN | EPOLLRDHUP | EPOLLET)) {
    say("no upgrade: the successor cannot be watched");
    loop_->close(*std::exchange(successor_, nullptr));
  }
}

void Control::on_successor(net::Channel& channel, std::uint32_t /*events*/) {
  auto& self = *static_cast<Control*>(channel.owner);
  char octet = 0;
  const ssize_t got = ::read(channel.fd, &octet, 1);
  if (got < 0 && errno == EAGAIN) return;
  self.loop_->close(*std::exchange(self.successor_, nullptr));
  if (got != 1) {
    say("no upgrade: the successor ended before it was ready; this process serves on");
    return;
  }
  say("process " + std::to_string(self.successor_pid_) +
      " has taken over; this one ends with its last tunnel");
  self.has_successor_ = true;
  self.on_handed_over_();  // its pages, too: a probe must not be told of the end of this one
  self.gateway_->drain(proxy::Worker::Listeners::kLeave);
  self.gateway_->stop_accepting(proxy::Worker::Listeners::kLeave);
  if (self.phase_ != Phase::kServing) return;  // it was told to stop meanwhile
  self.phase_ = Phase::kHandedOver;
  self.loop_->arm(self.phase_timer_, self.loop_->after(kLook));
}

}  // namespace ebbgate::app
