#include "policy/detail/pattern_index.h"

#include <bit>

namespace ebbgate::policy::detail {

PatternIndex::PatternIndex(std::span<const Rule> rules, std::uint64_t seed)
    : rules_(rules), base_(rules.empty() ? 0 : rules.front().first_pattern), seed_(seed) {
  std::size_t count = 0;
  for (const Rule& rule : rules) {
    first_patterns_.push_back(rule.first_pattern);
    count += rule.entry->hosts.size();
  }
  next_.resize(count, kNone);
  // Half to two thirds empty, so that a name that is not there is mostly known by its first slot.
  const std::size_t capacity = std::bit_ceil(count + count / 2 + 2);
  shift_ = 64U - static_cast<unsigned>(std::countr_zero(capacity));
  slots_.resize(capacity);
  for (const Rule& rule : rules) {
    for (std::uint32_t place = 0; place < rule.entry->hosts.size(); ++place) {
      insert({PatternId{rule.first_pattern + place}, &rule, place});
    }
  }
}

std::uint64_t PatternIndex::hash_of(const Hit& pattern) const {
  std::string_view rest = pattern.key();
  if (pattern.kind() == PatternKind::kAddresses) return hash_of_block(rest);
  SuffixHash hash(seed_);
  while (true) {
    const std::size_t dot = rest.rfind('.');
    hash.absorb(rest.substr(dot + 1));  // npos + 1 is 0
    if (dot == std::string_view::npos) return hash.value();
    rest = rest.substr(0, dot);
  }
}

void PatternIndex::insert(const Hit& pattern) {
  if (pattern.kind() == PatternKind::kAddresses) {
    const Cidr block = block_of(pattern.key());
    prefixes_[block.network().is_v6()].set(block.prefix());
  }
  const std::uint64_t hash = hash_of(pattern);
  const auto id = static_cast<std::uint32_t>(pattern.id);
  const auto tag = static_cast<std::uint32_t>(hash);
  std::size_t i = hash >> shift_;
  for (; slots_[i].head != kNone; i = after(i)) {
    if (slots_[i].tag != tag || hit(PatternId{slots_[i].head}).key() != pattern.key()) continue;
    next_[id - base_] = slots_[i].head;
    slots_[i] = {.tag = tag, .head = id & kNone, .has_next = 1};
    return;
  }
  slots_[i] = {.tag = tag, .head = id & kNone, .has_next = 0};
}

}  // namespace ebbgate::policy::detail
