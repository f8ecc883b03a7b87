#include "policy/detail/pattern_index.h"

#include <bit>

namespace ebbgate::policy::detail {

PatternIndex::PatternIndex(const std::vector<Rule>& rules, std::uint64_t seed)
    : rules_(rules), seed_(seed) {
  std::size_t count = 0;
  for (const Rule& rule : rules) count += rule.entry->hosts.size();
  links_.reserve(count);
  // Half to two thirds empty, so that a name that is not there is mostly known by its first slot.
  const std::size_t capacity = std::bit_ceil(count + count / 2 + 2);
  shift_ = 64U - static_cast<unsigned>(std::countr_zero(capacity));
  slots_.resize(capacity);
  for (std::uint32_t r = 0; r < rules.size(); ++r) {
    const std::size_t hosts = rules[r].entry->hosts.size();
    for (std::size_t i = 0; i < hosts; ++i) {
      links_.push_back({.next = kNone, .rule = r});
      const auto pattern = static_cast<std::uint32_t>(links_.size() - 1);
      insert(hash_of(pattern), pattern);
    }
  }
}

std::uint64_t PatternIndex::hash_of(std::uint32_t pattern) const {
  std::string_view rest = key(pattern);
  if (rule(PatternId{pattern}).entry->hosts.kind(place(PatternId{pattern})) ==
      PatternKind::kAddresses) {
    return hash_of_block(rest);
  }
  SuffixHash hash(seed_);
  while (true) {
    const std::size_t dot = rest.rfind('.');
    hash.absorb(rest.substr(dot + 1));  // npos + 1 is 0
    if (dot == std::string_view::npos) return hash.value();
    rest = rest.substr(0, dot);
  }
}

void PatternIndex::insert(std::uint64_t hash, std::uint32_t pattern) {
  const std::string_view own_key = key(pattern);
  if (rule(PatternId{pattern}).entry->hosts.kind(place(PatternId{pattern})) ==
      PatternKind::kAddresses) {
    const Cidr block = block_of(own_key);
    prefixes_[block.network().is_v6()].set(block.prefix());
  }
  std::size_t i = hash >> shift_;
  while (slots_[i].head != kNone) {
    Slot& slot = slots_[i];
    if (slot.tag == static_cast<std::uint32_t>(hash) && key(slot.head) == own_key) {
      links_[pattern].next = slot.head;
      slot.head = pattern;
      return;
    }
    i = (i + 1) & (slots_.size() - 1);
  }
  slots_[i] = {.tag = static_cast<std::uint32_t>(hash), .head = pattern};
}

}  // namespace ebbgate::policy::detail
