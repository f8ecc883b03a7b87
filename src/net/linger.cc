#include "net/linger.h"

#include <sys/socket.h>

#include <cerrno>
#include <iterator>

namespace ebbgate::net {
namespace {

constexpr Duration kFirstLook = std::chrono::milliseconds(16);

}  // namespace

void LingerSet::add(Stream stream) {
  stream.shutdown_write();
  while (entries_.size() >= kMost) close(entries_.front());
  Entry& entry = entries_.emplace_back(this, nullptr, kFirstLook);
  entry.channel = &stream.release();
  entry.self = std::prev(entries_.end());
  loop_->arm(entry.timer, loop_->after(entry.wait));
}

bool LingerSet::is_over(Entry& entry) {
  for (;;) {
    // With MSG_TRUNC, TCP throws the octets away instead of copying them (tcp(7)).
    const ssize_t got = ::recv(entry.channel->fd, nullptr, kOctets, MSG_TRUNC | MSG_DONTWAIT);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return got == 0 || errno != EAGAIN;
    entry.octets += static_cast<std::size_t>(got);
    if (entry.octets >= kOctets) return true;
  }
}

void LingerSet::on_timer(void* entry_pointer) {
  auto& entry = *static_cast<Entry*>(entry_pointer);
  entry.waited += entry.wait;
  if (is_over(entry) || entry.waited >= kPatience) return entry.set->close(entry);
  entry.wait = std::min(entry.wait * 2, kPatience - entry.waited);
  entry.set->loop_->arm(entry.timer, entry.set->loop_->after(entry.wait));
}

void LingerSet::close(Entry& entry) {
  loop_->close(*entry.channel);
  entries_.erase(entry.self);
}

void LingerSet::close_all() {
  while (!entries_.empty()) close(entries_.front());
}

}  // namespace ebbgate::net
