// One hash table over all patterns of a policy, keyed by the name (or block) that each is about. A
// name is looked up once per label, from the right, with a hash that grows label by label: no
// allocation, and the number of patterns does not matter. The keys stay where the documents hold
// them, and are compared in full: two that collide cost time, never a wrong answer. The hash is
// seeded, so nobody can write a policy that makes them collide.
#pragma once

#include <algorithm>
#include <array>
#include <bitset>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>
#include <vector>

#include "base/authority.h"
#include "policy/detail/address_key.h"
#include "policy/policy.h"

namespace ebbgate::policy::detail {

// An entry in its document, with what its absent keys default to.
struct Rule {
  const Entry* entry = nullptr;
  std::uint32_t document = 0;
  std::uint32_t first_pattern = 0;  // PatternId of its first host; the others follow
  bool denies = false;
  std::vector<PortRange> ports;  // for hosts without their own; empty: every port
  TermsId terms = kDefaultTerms;
};

// A hash of a name that takes one label after the other, from the right.
class SuffixHash {
 public:
  explicit SuffixHash(std::uint64_t seed) : state_(seed ^ 0x9e3779b97f4a7c15U) {}

  void absorb(std::string_view bytes) {
    state_ ^= bytes.size() << 56U;
    while (bytes.size() > 8) {
      mix(bytes.substr(0, 8));
      bytes.remove_prefix(8);
    }
    mix(bytes);
  }
  [[nodiscard]] std::uint64_t value() const { return state_; }

 private:
  // A 64×64 multiplication folded in half, as in wyhash.
  void mix(std::string_view chunk) {
    __extension__ using Wide = unsigned __int128;
    std::uint64_t word = 0;
    std::memcpy(&word, chunk.data(), chunk.size());
    const Wide product = static_cast<Wide>(state_ ^ word) * 0xa0761d6478bd642fU;
    state_ = static_cast<std::uint64_t>(product) ^ static_cast<std::uint64_t>(product >> 64U) ^
             0xe7037ed1a0b428dbU;
  }
  std::uint64_t state_;
};

// A pattern that a lookup met, with the rule that it belongs to.
struct Hit {
  PatternId id;
  const Rule* rule;
  std::uint32_t place;  // in the rule's list of hosts

  [[nodiscard]] const PatternList& hosts() const { return rule->entry->hosts; }
  [[nodiscard]] PatternKind kind() const { return hosts().kind(place); }
  [[nodiscard]] std::string_view key() const { return hosts().key(place); }
};

class PatternIndex {
 public:
  // Indexes the hosts of rules that follow each other; they have to stay where they are, as their
  // entries do.
  PatternIndex(std::span<const Rule> rules, std::uint64_t seed);

  [[nodiscard]] std::size_t size() const { return next_.size(); }

  // Calls visit(Hit) for each pattern that matches the host, in no particular order.
  template <typename Visit>
  void visit(const Host& host, Visit&& visit) const {
    if (const Hostname* name = host.name()) {
      visit_suffixes(name->view(), [&](const Hit& hit, bool is_whole) {
        if (hit.kind() != (is_whole ? PatternKind::kBelow : PatternKind::kName)) visit(hit);
        return true;
      });
    } else {
      visit_blocks(*host.address(), [&](const Hit& hit) {
        visit(hit);
        return true;
      });
    }
  }

  // Calls visit(Hit, is_whole) for each pattern whose name is `name` or one above it, whatever its
  // kind, from the top down, for as long as it returns true.
  template <typename Visit>
  void visit_suffixes(std::string_view name, Visit&& visit) const {
    // Two passes, so that the slots are on their way from memory all at once.
    struct Suffix {
      std::size_t begin;
      std::uint64_t hash;
    };
    std::array<Suffix, kMaxLabels> suffixes;  // NOLINT: written before it is read
    std::size_t count = 0;
    SuffixHash hash(seed_);
    for (std::size_t end = name.size();; --end) {
      const std::size_t dot = name.substr(0, end).rfind('.');
      const std::size_t begin = dot + 1;  // npos + 1 is 0
      hash.absorb(name.substr(begin, end - begin));
      suffixes[count++] = {begin, hash.value()};
      __builtin_prefetch(&slots_[hash.value() >> shift_]);
      if (begin == 0) break;
      end = begin;
    }
    for (const Suffix& suffix : std::span(suffixes).first(count)) {
      const auto visit_one = [&](const Hit& hit) { return visit(hit, suffix.begin == 0); };
      if (!visit_key(suffix.hash, name.substr(suffix.begin), visit_one)) return;
    }
  }

  // Calls visit(Hit) for each pattern whose block contains the address, the widest first, for as
  // long as it returns true.
  template <typename Visit>
  void visit_blocks(const IpAddress& address, Visit&& visit) const {
    const auto& prefixes = prefixes_[address.is_v6()];
    if (prefixes.none()) return;
    const unsigned longest = address.is_v4() ? 32 : 128;
    for (unsigned prefix = 0; prefix <= longest; ++prefix) {
      if (!prefixes[prefix]) continue;
      const AddressKey key(Cidr::of(address, prefix));
      if (!visit_key(hash_of_block(key.view()), key.view(), visit)) return;
    }
  }

 private:
  // One key of the table. A slot says whether more patterns have its key, so that the common case
  // does not have to look.
  struct Slot {
    std::uint32_t tag = 0;  // the low half of the hash; the high bits chose the slot
    std::uint32_t head : 31 = kNone;
    std::uint32_t has_next : 1 = 0;
  };
  static constexpr std::uint32_t kNone = 0x7fffffffU;
  static constexpr std::size_t kMaxLabels = 127;  // of a name of 253 octets

  // The rule of a pattern of the index and its place there.
  [[nodiscard]] Hit hit(PatternId id) const {
    const auto i = static_cast<std::uint32_t>(id);
    const auto after = std::ranges::upper_bound(first_patterns_, i);
    const Rule& rule = rules_[static_cast<std::size_t>(after - first_patterns_.begin()) - 1];
    return {id, &rule, i - rule.first_pattern};
  }

  [[nodiscard]] std::uint64_t hash_of_block(std::string_view key) const {
    SuffixHash hash(seed_);
    hash.absorb(key);
    return hash.value();
  }

  // Calls visit(Hit) for each pattern with that key, the last first; false where a call said so.
  template <typename Visit>
  bool visit_key(std::uint64_t hash, std::string_view key, Visit&& visit) const {
    for (std::size_t i = hash >> shift_; slots_[i].head != kNone; i = after(i)) {
      const Slot slot = slots_[i];
      if (slot.tag != static_cast<std::uint32_t>(hash)) continue;
      const Hit found = hit(PatternId{slot.head});
      if (found.key() != key) continue;
      if (!visit(found)) return false;
      if (slot.has_next == 0) return true;
      for (std::uint32_t next = next_[slot.head - base_]; next != kNone;
           next = next_[next - base_]) {
        if (!visit(hit(PatternId{next}))) return false;
      }
      return true;
    }
    return true;
  }

  [[nodiscard]] std::size_t after(std::size_t slot) const {
    return (slot + 1) & (slots_.size() - 1);
  }
  void insert(const Hit& pattern);
  [[nodiscard]] std::uint64_t hash_of(const Hit& pattern) const;

  std::span<const Rule> rules_;
  std::uint32_t base_ = 0;                     // PatternId of the first pattern
  std::vector<std::uint32_t> first_patterns_;  // of each rule, ascending
  std::uint64_t seed_;
  unsigned shift_ = 63;
  std::vector<Slot> slots_;
  std::vector<std::uint32_t> next_;           // of each pattern, another one with its key
  std::array<std::bitset<129>, 2> prefixes_;  // the lengths that there are: of IPv4, of IPv6
};

}  // namespace ebbgate::policy::detail
