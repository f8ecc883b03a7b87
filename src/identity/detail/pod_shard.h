// A part of the table of addresses, immutable once it is built: open addressing at half load, so
// that a lookup is a probe or two of neighbouring slots.
#pragma once

#include <bit>
#include <cstddef>
#include <memory>
#include <vector>

#include "identity/pod_index.h"

namespace ebbgate::identity::detail {

// The high bits choose the shard, the low ones the slot. std::hash leaves the low ones alike for
// the addresses of a subnet, so they get their share here.
[[nodiscard]] inline std::size_t hash_of(const IpAddress& address) {
  const std::size_t hash = std::hash<IpAddress>{}(address);
  return (hash ^ hash >> 32U) * 0xD6E8FEB86659FD93ULL;
}
[[nodiscard]] inline std::size_t shard_of(std::size_t hash) {
  return hash >> 56U;
}

// One line of the cache, as most lookups have to fetch theirs.
struct alignas(64) PodSlot {
  IpAddress address;
  Presence presence = Presence::kUnknown;  // kUnknown: the slot is free
  WallTime until = WallTime::max();        // from then on it is nobody's; of kPod
  std::shared_ptr<const policy::Pod> pod;
};

class PodShard {
 public:
  explicit PodShard(std::size_t addresses)
      : slots_(std::bit_ceil(addresses * 2 + 1)), mask_(slots_.size() - 1) {}

  // Not more than were announced, each address once.
  void add(PodSlot slot) {
    if (slot.presence == Presence::kAmbiguous) ++ambiguous_;
    std::size_t at = place_of(hash_of(slot.address));
    while (slots_[at].presence != Presence::kUnknown) at = (at + 1) & mask_;
    slots_[at] = std::move(slot);
  }

  // Null where the address is not there.
  [[nodiscard]] const PodSlot* find(const IpAddress& address, std::size_t hash) const {
    for (std::size_t at = place_of(hash);; at = (at + 1) & mask_) {
      const PodSlot& slot = slots_[at];
      if (slot.presence == Presence::kUnknown) return nullptr;
      if (slot.address == address) return &slot;
    }
  }

  [[nodiscard]] std::size_t ambiguous() const { return ambiguous_; }

 private:
  [[nodiscard]] std::size_t place_of(std::size_t hash) const { return (hash >> 24U) & mask_; }

  std::vector<PodSlot> slots_;
  std::size_t mask_;
  std::size_t ambiguous_ = 0;
};

}  // namespace ebbgate::identity::detail
