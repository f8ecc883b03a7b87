// A part of the table of addresses, immutable once it is built: open addressing at half load with
// slots of one cache line, so that a lookup fetches one line from memory, and now and then the
// next.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "identity/pod_index.h"

namespace ebbgate::identity::detail {

// The high bits choose the shard, those in the middle the slot. std::hash leaves them alike for the
// addresses of a subnet, so they get their share here.
[[nodiscard]] inline std::size_t hash_of(const IpAddress& address) {
  const std::size_t hash = std::hash<IpAddress>{}(address);
  return (hash ^ hash >> 32U) * 0xD6E8FEB86659FD93ULL;
}
[[nodiscard]] inline std::size_t shard_of(std::size_t hash) {
  return hash >> 56U;
}

struct alignas(64) PodSlot {
  IpAddress address;
  Presence presence = Presence::kUnknown;  // that of a free slot
  WallTime until = WallTime::max();        // from then on it is nobody's; of kPod
  std::shared_ptr<const policy::Pod> pod;
};

// Where the search for an address begins, and how it goes on.
[[nodiscard]] inline std::size_t first_place(std::size_t hash, std::size_t count) {
  return (hash >> 24U & 0xffffffffU) * count >> 32U;
}
[[nodiscard]] inline std::size_t next_place(std::size_t place, std::size_t count) {
  return place + 1 < count ? place + 1 : 0;
}

// Null where the address is not there.
[[nodiscard]] inline const PodSlot* find(const PodSlots& slots, const IpAddress& address,
                                         std::size_t hash) {
  std::size_t at = first_place(hash, slots.count);
  while (slots.first[at].presence != Presence::kUnknown) {
    if (slots.first[at].address == address) return &slots.first[at];
    at = next_place(at, slots.count);
  }
  return nullptr;
}

class PodShard {
 public:
  explicit PodShard(std::size_t addresses) : slots_(addresses * 2 + 1) {}

  // Not more than were announced; each address once.
  void add(PodSlot slot) {
    if (slot.presence == Presence::kAmbiguous) ++ambiguous_;
    std::size_t at = first_place(hash_of(slot.address), slots_.size());
    while (slots_[at].presence != Presence::kUnknown) at = next_place(at, slots_.size());
    slots_[at] = std::move(slot);
  }

  [[nodiscard]] PodSlots slots() const { return {.first = slots_.data(), .count = slots_.size()}; }
  [[nodiscard]] std::size_t ambiguous() const { return ambiguous_; }

 private:
  std::vector<PodSlot> slots_;
  std::size_t ambiguous_ = 0;
};

}  // namespace ebbgate::identity::detail
