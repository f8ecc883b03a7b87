// A part of the table of addresses, immutable once it is built: open addressing at half load, so
// that a lookup is a probe or two of neighbouring slots.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
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

struct PodSlot {
  IpAddress address;
  Presence presence = Presence::kUnknown;
  WallTime until = WallTime::max();  // from then on it is nobody's; of kPod
  std::shared_ptr<const policy::Pod> pod;
};

class PodShard {
 public:
  explicit PodShard(std::size_t addresses)
      : places_(std::bit_ceil(addresses * 2 + 1)), mask_(places_.size() - 1) {
    slots_.reserve(addresses);
  }

  // Not more than were announced, and than fit into 20 bits; each address once.
  void add(PodSlot slot) {
    if (slot.presence == Presence::kAmbiguous) ++ambiguous_;
    const std::size_t hash = hash_of(slot.address);
    std::size_t at = (hash >> 24U) & mask_;
    while (places_[at] != 0) at = (at + 1) & mask_;
    slots_.push_back(std::move(slot));
    places_[at] = mark_of(hash) | static_cast<std::uint32_t>(slots_.size());
  }

  // Null where the address is not there.
  [[nodiscard]] const PodSlot* find(const IpAddress& address, std::size_t hash) const {
    const std::uint32_t mark = mark_of(hash);
    for (std::size_t at = (hash >> 24U) & mask_; places_[at] != 0; at = (at + 1) & mask_) {
      if ((places_[at] & ~kNumber) != mark) continue;
      const PodSlot& slot = slots_[(places_[at] & kNumber) - 1];
      if (slot.address == address) return &slot;
    }
    return nullptr;
  }

  [[nodiscard]] std::size_t ambiguous() const { return ambiguous_; }

 private:
  static constexpr std::uint32_t kNumber = 0xfffff;
  // Some bits of the hash, above the number of the slot.
  static std::uint32_t mark_of(std::size_t hash) {
    return static_cast<std::uint32_t>(hash) & ~kNumber;
  }

  // A small table that caches hold tells where the slot is: only that one is fetched from memory.
  std::vector<std::uint32_t> places_;  // a mark and the slot's number from 1; 0: free
  std::size_t mask_;
  std::vector<PodSlot> slots_;
  std::size_t ambiguous_ = 0;
};

}  // namespace ebbgate::identity::detail
