#include "proxy/client_counts.h"

namespace ebbgate::proxy {

Reason ClientCounts::enter() {
  const std::uint32_t open = open_.fetch_add(1, std::memory_order_relaxed) + 1;
  return most_ > 0 && open > most_ ? Reason::kOverCapacity : Reason::kAllowed;
}

Reason ClientCounts::enter(const IpAddress& client) {
  if (most_per_client_ == 0) return Reason::kAllowed;
  Shard& shard = shard_of(client);
  const std::lock_guard lock(shard.mutex);
  return ++shard.counts[client] > most_per_client_ ? Reason::kOverLimit : Reason::kAllowed;
}

void ClientCounts::leave(const IpAddress& client) {
  if (most_per_client_ == 0) return;
  Shard& shard = shard_of(client);
  const std::lock_guard lock(shard.mutex);
  const auto found = shard.counts.find(client);
  if (found != shard.counts.end() && --found->second == 0) shard.counts.erase(found);
}

}  // namespace ebbgate::proxy
