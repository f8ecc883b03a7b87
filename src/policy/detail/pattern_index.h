// One hash table over all patterns of a policy, keyed by the name (or block) that each is about. A
// name is looked up once per label, from the right, with a hash that grows label by label: no
// allocation, and the number of patterns does not matter. The keys stay where the documents hold
// them, and are compared in full: two that collide cost time, never a wrong answer. The hash is
// seeded, so nobody can write a policy that makes them collide.
#pragma once

#include <array>
#include <bitset>
#include <cstdint>
#include <cstring>
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

class PatternIndex {
 public:
  // Indexes the hosts of all rules. Their entries have to stay where they are.
  PatternIndex(const std::vector<Rule>& rules, std::uint64_t seed);

  [[nodiscard]] std::size_t size() const { return links_.size(); }
  [[nodiscard]] const Rule& rule(PatternId id) const { return rules_[links_[index(id)].rule]; }
  // The pattern's number in its rule's list.
  [[nodiscard]] std::size_t place(PatternId id) const { return index(id) - rule(id).first_pattern; }

  // Calls visit(PatternId) for each pattern that matches the host, in no particular order.
  template <typename Visit>
  void visit(const Host& host, Visit&& visit) const {
    if (const Hostname* name = host.name()) {
      visit_suffixes(name->view(), [&](PatternId id, bool is_whole) {
        const PatternKind kind = rule(id).entry->hosts.kind(place(id));
        if (kind != (is_whole ? PatternKind::kBelow : PatternKind::kName)) visit(id);
        return true;
      });
    } else {
      visit_blocks(*host.address(), [&](PatternId id) {
        visit(id);
        return true;
      });
    }
  }

  // Calls visit(PatternId, is_whole) for each pattern whose name is `name` or one above it,
  // whatever its kind, from the top down, for as long as it returns true.
  template <typename Visit>
  void visit_suffixes(std::string_view name, Visit&& visit) const {
    SuffixHash hash(seed_);
    std::size_t end = name.size();
    while (true) {
      const std::size_t dot = name.substr(0, end).rfind('.');
      const std::size_t begin = dot == std::string_view::npos ? 0 : dot + 1;
      hash.absorb(name.substr(begin, end - begin));
      for (std::uint32_t i = find(hash.value(), name.substr(begin)); i != kNone;
           i = links_[i].next) {
        if (!visit(PatternId{i}, begin == 0)) return;
      }
      if (begin == 0) return;
      end = dot;
    }
  }

  // Calls visit(PatternId) for each pattern whose block contains the address, the widest first, for
  // as long as it returns true.
  template <typename Visit>
  void visit_blocks(const IpAddress& address, Visit&& visit) const {
    if (prefixes_[address.is_v6()].none()) return;
    const unsigned longest = address.is_v4() ? 32 : 128;
    for (unsigned prefix = 0; prefix <= longest; ++prefix) {
      if (!prefixes_[address.is_v6()][prefix]) continue;
      const AddressKey key(Cidr::of(address, prefix));
      for (std::uint32_t i = find(hash_of_block(key.view()), key.view()); i != kNone;
           i = links_[i].next) {
        if (!visit(PatternId{i})) return;
      }
    }
  }

 private:
  static constexpr std::uint32_t kNone = 0xffffffffU;
  struct Slot {
    std::uint32_t tag = 0;  // the low half of the hash; the high bits chose the slot
    std::uint32_t head = kNone;
  };
  struct Link {
    std::uint32_t next = kNone;  // another pattern about the same name
    std::uint32_t rule = 0;
  };

  [[nodiscard]] static std::size_t index(PatternId id) { return static_cast<std::size_t>(id); }
  [[nodiscard]] std::string_view key(std::uint32_t i) const {
    const Rule& owner = rules_[links_[i].rule];
    return owner.entry->hosts.key(i - owner.first_pattern);
  }
  [[nodiscard]] std::uint64_t hash_of_block(std::string_view key) const {
    SuffixHash hash(seed_);
    hash.absorb(key);
    return hash.value();
  }

  // The first pattern with that key; kNone where there is none.
  [[nodiscard]] std::uint32_t find(std::uint64_t hash, std::string_view wanted) const {
    for (std::size_t i = hash >> shift_;; i = (i + 1) & (slots_.size() - 1)) {
      const Slot& slot = slots_[i];
      if (slot.head == kNone) return kNone;
      if (slot.tag == static_cast<std::uint32_t>(hash) && key(slot.head) == wanted) {
        return slot.head;
      }
    }
  }

  void insert(std::uint64_t hash, std::uint32_t pattern);
  [[nodiscard]] std::uint64_t hash_of(std::uint32_t pattern) const;

  const std::vector<Rule>& rules_;
  std::uint64_t seed_;
  unsigned shift_ = 63;
  std::vector<Slot> slots_;
  std::vector<Link> links_;
  std::array<std::bitset<129>, 2> prefixes_;  // the lengths that there are: of IPv4, of IPv6
};

}  // namespace ebbgate::policy::detail
