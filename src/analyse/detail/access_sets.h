// Sets along the four dimensions of a request that other proxies' rules speak of: who asks, for
// which host, on which port, with which method. Rules in an order become sets without one.
#pragma once

#include <bitset>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/ip.h"
#include "policy/pattern.h"

namespace ebbgate::analyse::detail {

// Addresses, as blocks of which none holds another.
class AddressSet {
 public:
  [[nodiscard]] static AddressSet everyone();
  void add(const Cidr& block);
  [[nodiscard]] AddressSet intersected(const AddressSet& other) const;
  [[nodiscard]] AddressSet without(const AddressSet& other) const;
  [[nodiscard]] bool empty() const { return blocks_.empty(); }
  [[nodiscard]] const std::vector<Cidr>& blocks() const { return blocks_; }
  [[nodiscard]] bool is_everyone() const { return *this == everyone(); }
  bool operator==(const AddressSet&) const = default;

 private:
  std::vector<Cidr> blocks_;  // in order
};

// Names and blocks, by patterns without ports.
class HostPatterns {
 public:
  void add(const policy::Pattern& pattern);
  void add(const HostPatterns& other);
  [[nodiscard]] bool empty() const { return patterns_.empty(); }
  [[nodiscard]] const std::vector<policy::Pattern>& all() const { return patterns_; }
  // Whether one pattern here holds all that `pattern` does.
  [[nodiscard]] bool covers(const policy::Pattern& pattern) const;
  // What both hold: of two patterns that meet, one covers the other.
  [[nodiscard]] HostPatterns intersected(const HostPatterns& other) const;
  // Those that `other` does not cover whole.
  [[nodiscard]] HostPatterns not_covered_by(const HostPatterns& other) const;
  bool operator==(const HostPatterns& other) const { return patterns_ == other.patterns_; }

 private:
  std::vector<policy::Pattern> patterns_;               // each once, in the order of adding
  std::map<std::string, unsigned, std::less<>> kinds_;  // of names: bits of PatternKind
};

// Every host or those of `in`, but for those of `out`.
struct HostSet {
  bool is_everything = false;
  HostPatterns in;
  HostPatterns out;

  [[nodiscard]] static HostSet everything() { return {.is_everything = true, .in = {}, .out = {}}; }
  [[nodiscard]] bool empty() const { return !is_everything && in.empty(); }
  [[nodiscard]] HostSet intersected(const HostSet& other) const;
  // Drops what says nothing: names of `in` that are in `out`, names of `out` that meet none.
  void simplify();
  bool operator==(const HostSet&) const = default;
};

using PortSet = std::bitset<65536>;
[[nodiscard]] PortSet every_port();
[[nodiscard]] std::vector<policy::PortRange> ranges_of(const PortSet& ports);

// Bits of a table of names; bit 0 is CONNECT, kOtherMethods all that the table does not name.
using MethodSet = std::uint32_t;
inline constexpr MethodSet kConnect = 1;
inline constexpr MethodSet kOtherMethods = MethodSet{1} << 31;
inline constexpr MethodSet kEveryMethod = ~MethodSet{0};

// All requests that are in the set of each dimension.
struct Box {
  AddressSet from = AddressSet::everyone();
  HostSet hosts = HostSet::everything();
  PortSet ports = every_port();
  MethodSet methods = kEveryMethod;
  bool is_reported = false;  // what else its clients ask for passes too, and is recorded
  std::string origin;        // `squid.conf:12: http_access allow localnet`

  [[nodiscard]] bool empty() const {
    return from.empty() || hosts.empty() || ports.none() || methods == 0;
  }
  [[nodiscard]] Box intersected(const Box& other) const;
};

// What is in `whole` and not in `part`, as boxes that do not meet.
[[nodiscard]] std::vector<Box> difference(const Box& whole, const Box& part);

}  // namespace ebbgate::analyse::detail
