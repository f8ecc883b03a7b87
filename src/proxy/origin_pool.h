// Connections to origins that may serve another request. One is reused only for the same host,
// port and subject under the same policy; a connection that the origin closes leaves the pool at
// once.
#pragma once

#include <cstdint>
#include <list>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>

#include "base/authority.h"
#include "net/loop.h"
#include "net/stream.h"

namespace ebbgate::proxy {

// For whom a connection may be used again.
struct OriginKey {
  std::string authority;  // host:port
  std::string subject;    // who asked; two subjects never share a connection
  std::uint64_t policy_generation = 0;
  bool operator==(const OriginKey&) const = default;
};

struct OriginKeyHash {
  std::size_t operator()(const OriginKey& key) const noexcept {
    return std::hash<std::string>{}(key.authority) ^ std::hash<std::string>{}(key.subject) * 31;
  }
};

class OriginPool {
 public:
  explicit OriginPool(net::Loop& loop) : loop_(&loop) {}
  OriginPool(const OriginPool&) = delete;
  OriginPool& operator=(const OriginPool&) = delete;
  ~OriginPool() { clear(); }

  struct Connection {
    net::Stream stream;
    Endpoint address;
  };
  // A connection for that key; nothing where there is none.
  [[nodiscard]] std::optional<Connection> take(const OriginKey& key);

  // Keeps a connection on which the last message has ended. The oldest goes where there are too
  // many.
  void keep(OriginKey key, net::Stream stream, const Endpoint& address);

  void clear();
  [[nodiscard]] std::size_t size() const { return entries_.size(); }

 private:
  static constexpr std::size_t kMost = 512;                    // connections of one worker
  static constexpr Duration kIdle = std::chrono::seconds(30);  // most servers keep one longer

  struct Entry {
    OriginPool* pool;
    OriginKey key;
    Endpoint address;
    net::Channel* channel;
    net::Timer expiry{&OriginPool::on_expiry, this};
    std::list<Entry>::iterator self;
  };
  static void on_ready(net::Channel& channel, std::uint32_t events);
  static void on_expiry(void* entry);
  void link(OriginKey key, net::Channel& channel, const Endpoint& address);
  void drop(Entry& entry);
  [[nodiscard]] net::Channel& unlink(Entry& entry);

  net::Loop* loop_;
  std::list<Entry> entries_;  // oldest first
  std::unordered_multimap<OriginKey, Entry*, OriginKeyHash> by_key_;
};

}  // namespace ebbgate::proxy
