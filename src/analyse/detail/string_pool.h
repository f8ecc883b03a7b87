// Texts that are the same become the same small number; they are kept once, in large blocks.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

namespace ebbgate::analyse::detail {

// A fast hash of short texts; not one that withstands an attacker, so each table that uses it mixes
// a seed in.
[[nodiscard]] inline std::uint64_t hash_of(std::string_view text, std::uint64_t seed) {
  __extension__ using Wide = unsigned __int128;
  std::uint64_t state = seed ^ (text.size() * 0x9e3779b97f4a7c15U);
  const auto mix = [&](std::uint64_t word) {
    const Wide product = static_cast<Wide>(state ^ word) * 0xa0761d6478bd642fU;
    state = static_cast<std::uint64_t>(product) ^ static_cast<std::uint64_t>(product >> 64U);
    state ^= 0xe7037ed1a0b428dbU;
  };
  while (text.size() >= 8) {
    std::uint64_t word = 0;
    std::memcpy(&word, text.data(), 8);
    mix(word);
    text.remove_prefix(8);
  }
  std::uint64_t word = 0;
  if (!text.empty()) std::memcpy(&word, text.data(), text.size());  // an empty view may be null
  mix(word);
  return state;
}

class StringPool {
 public:
  using Id = std::uint32_t;

  explicit StringPool(std::uint64_t seed) : seed_(seed), slots_(1024) { find_or_add(""); }

  // The number of that text, which is new where it is size() as it was before; the empty one is 0.
  Id find_or_add(std::string_view text) {
    const Place place = place_of(text);
    if (place.slot->id != 0) return place.slot->id - 1;
    texts_.push_back(keep(text));
    *place.slot = {place.tag, static_cast<std::uint32_t>(texts_.size())};
    if (texts_.size() * 2 > slots_.size()) grow();
    return static_cast<Id>(texts_.size() - 1);
  }

  [[nodiscard]] std::optional<Id> find(std::string_view text) {
    const Place place = place_of(text);
    if (place.slot->id == 0) return std::nullopt;
    return place.slot->id - 1;
  }

  [[nodiscard]] std::string_view operator[](Id id) const { return texts_[id]; }
  [[nodiscard]] std::size_t size() const { return texts_.size(); }
  [[nodiscard]] std::size_t octets() const { return octets_; }  // of all texts

 private:
  struct Slot {
    std::uint32_t tag = 0;
    std::uint32_t id = 0;  // plus 1; 0: free
  };
  struct Place {
    Slot* slot;  // that of the text, or the free one where it belongs
    std::uint32_t tag;
  };
  static constexpr std::size_t kBlock = std::size_t{64} * 1024;

  Place place_of(std::string_view text) {
    const std::uint64_t hash = hash_of(text, seed_);
    const auto tag = static_cast<std::uint32_t>(hash >> 32U);
    std::size_t at = hash & (slots_.size() - 1);
    for (; slots_[at].id != 0; at = (at + 1) & (slots_.size() - 1)) {
      if (slots_[at].tag == tag && texts_[slots_[at].id - 1] == text) break;
    }
    return {&slots_[at], tag};
  }

  std::string_view keep(std::string_view text) {
    octets_ += text.size();
    if (text.empty()) return {};
    if (text.size() > left_) {
      left_ = std::max(kBlock, text.size());
      blocks_.push_back(std::make_unique_for_overwrite<char[]>(left_));
      free_ = blocks_.back().get();
    }
    char* const kept = free_;
    std::memcpy(kept, text.data(), text.size());
    free_ += text.size();
    left_ -= text.size();
    return {kept, text.size()};
  }

  void grow() {
    std::vector<Slot> larger(slots_.size() * 2);
    for (std::size_t i = 0; i < texts_.size(); ++i) {
      const std::uint64_t hash = hash_of(texts_[i], seed_);
      std::size_t at = hash & (larger.size() - 1);
      while (larger[at].id != 0) at = (at + 1) & (larger.size() - 1);
      larger[at] = {static_cast<std::uint32_t>(hash >> 32U), static_cast<std::uint32_t>(i + 1)};
    }
    slots_.swap(larger);
  }

  std::uint64_t seed_;
  std::vector<Slot> slots_;
  std::vector<std::string_view> texts_;
  std::vector<std::unique_ptr<char[]>> blocks_;
  char* free_ = nullptr;
  std::size_t left_ = 0;
  std::size_t octets_ = 0;
};

}  // namespace ebbgate::analyse::detail
