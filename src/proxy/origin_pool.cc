#include "proxy/origin_pool.h"

#include <sys/socket.h>

#include <utility>

namespace ebbgate::proxy {
namespace {

// Whether the origin has neither closed nor said anything: a response that nobody asked for makes
// the connection useless, too.
bool is_quiet(const net::Channel& channel) {
  if (channel.peer_is_done) return false;
  if (!channel.may_read) return true;
  char probe = 0;
  return ::recv(channel.fd, &probe, 1, MSG_PEEK) < 0 && errno == EAGAIN;
}

}  // namespace

net::Channel& OriginPool::unlink(Entry& entry) {
  auto [from, to] = by_key_.equal_range(entry.key);
  for (; from != to; ++from) {
    if (from->second == &entry) {
      by_key_.erase(from);
      break;
    }
  }
  net::Channel& channel = *entry.channel;
  channel.handler = nullptr;
  channel.owner = nullptr;
  entries_.erase(entry.self);
  return channel;
}

void OriginPool::drop(Entry& entry) {
  loop_->close(unlink(entry));
}

std::optional<OriginPool::Connection> OriginPool::take(const OriginKey& key) {
  for (;;) {
    const auto found = by_key_.find(key);
    if (found == by_key_.end()) return std::nullopt;
    Entry& entry = *found->second;
    const Endpoint address = entry.address;
    net::Channel& channel = unlink(entry);
    if (is_quiet(channel)) return Connection{net::Stream(*loop_, channel), address};
    loop_->close(channel);
  }
}

void OriginPool::keep(OriginKey key, net::Stream stream, const Endpoint& address) {
  net::Channel& channel = stream.release();
  if (!loop_->watch(channel) || !is_quiet(channel)) {
    loop_->close(channel);
    return;
  }
  while (entries_.size() >= kMost) drop(entries_.front());
  try {
    link(std::move(key), channel, address);
  } catch (const std::bad_alloc&) {  // the next request will have to connect
    loop_->close(channel);
  }
}

void OriginPool::link(OriginKey key, net::Channel& channel, const Endpoint& address) {
  Entry& entry = entries_.emplace_back(this, std::move(key), address, &channel);
  entry.self = std::prev(entries_.end());
  try {
    by_key_.emplace(entry.key, &entry);
  } catch (const std::bad_alloc&) {
    entries_.pop_back();
    throw;
  }
  channel.handler = &OriginPool::on_ready;
  channel.owner = &entry;
  loop_->arm(entry.expiry, loop_->after(kIdle));
}

void OriginPool::clear() {
  while (!entries_.empty()) drop(entries_.front());
}

void OriginPool::on_ready(net::Channel& channel, std::uint32_t events) {
  // Becoming writable is no news; anything else ends the connection's use.
  if ((events & ~static_cast<std::uint32_t>(EPOLLOUT)) == 0) return;
  auto& entry = *static_cast<Entry*>(channel.owner);
  entry.pool->drop(entry);
}

void OriginPool::on_expiry(void* entry) {
  auto& expired = *static_cast<Entry*>(entry);
  expired.pool->drop(expired);
}

}  // namespace ebbgate::proxy
