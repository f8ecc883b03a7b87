// How many connections are open, in all and by client address: what --max-connections and
// --max-connections-per-client bound. Shared by the workers; asked when a connection is accepted
// and when it ends, never for a request.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <mutex>
#include <unordered_map>

#include "base/ip.h"
#include "base/reason.h"

namespace ebbgate::proxy {

class ClientCounts {
 public:
  // Zero: no limit.
  ClientCounts(std::uint32_t most, std::uint32_t most_per_client)
      : most_(most), most_per_client_(most_per_client) {}

  // Counts one connection: kAllowed or kOverCapacity. It is counted in any case, since one that is
  // refused is there until it has had its answer; leave() ends it.
  [[nodiscard]] Reason enter();
  void leave() { open_.fetch_sub(1, std::memory_order_relaxed); }

  // The same by client, once it is known who that is: kAllowed or kOverLimit.
  [[nodiscard]] Reason enter(const IpAddress& client);
  void leave(const IpAddress& client);

  [[nodiscard]] std::uint32_t most() const { return most_; }
  [[nodiscard]] std::uint32_t open() const { return open_.load(std::memory_order_relaxed); }

 private:
  // By address, in shards so that workers seldom meet. Empty where there is no limit per client.
  struct Shard {
    std::mutex mutex;
    std::unordered_map<IpAddress, std::uint32_t> counts;
  };
  [[nodiscard]] Shard& shard_of(const IpAddress& client) {
    return shards_[std::hash<IpAddress>{}(client) >> 59];
  }

  const std::uint32_t most_;
  const std::uint32_t most_per_client_;
  std::atomic<std::uint32_t> open_{0};
  std::array<Shard, 32> shards_;
};

}  // namespace ebbgate::proxy
