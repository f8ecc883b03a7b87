#include "net/run.h"

#include <sys/signalfd.h>
#include <unistd.h>

namespace ebbgate::net {

Interrupt::Interrupt(Loop& loop) : loop_(&loop) {
  sigset_t set{};
  ::sigemptyset(&set);
  for (const int each : kSignals) ::sigaddset(&set, each);
  ::pthread_sigmask(SIG_BLOCK, &set, &before_);
  const int fd = ::signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
  if (fd < 0) {
    restore();
    return;
  }
  channel_ = &loop.open(fd);
  channel_->handler = &Interrupt::on_signal;
  channel_->owner = this;
  if (loop.watch(*channel_)) return;
  loop.close(*std::exchange(channel_, nullptr));
  restore();
}

Interrupt::~Interrupt() {
  if (channel_ != nullptr) loop_->close(*channel_);
  restore();
}

void Interrupt::restore() {
  ::pthread_sigmask(SIG_SETMASK, &before_, nullptr);
}

void Interrupt::on_signal(Channel& channel, std::uint32_t /*events*/) {
  auto& self = *static_cast<Interrupt*>(channel.owner);
  signalfd_siginfo info{};
  if (::read(channel.fd, &info, sizeof info) != sizeof info) return;
  self.signal_ = static_cast<int>(info.ssi_signo);
  self.restore();  // the next one is not for us
  self.loop_->give_up_on_everything();
}

}  // namespace ebbgate::net
