// Which addresses are special, and which IPv4 address hides in an IPv6 one (semantics 1 and 3; the
// IANA special-purpose registries, RFC 6890).
#pragma once

#include <array>
#include <cstddef>
#include <optional>
#include <span>
#include <string_view>

#include "base/ip.h"

namespace ebbgate::policy {

struct SpecialBlock {
  Cidr block;
  std::string_view name;  // "private (RFC 1918)"
};

// The special-purpose block that holds the address; nothing for one that the public internet
// routes. An address of IPv6 outside 2000::/3 and 64:ff9b::/96 is always in one.
[[nodiscard]] std::optional<SpecialBlock> special_block(const IpAddress& address);

// Every address that dialing `address` may lead to: itself, and the IPv4 addresses inside an
// IPv4-mapped or -compatible, NAT64 (RFC 6052), 6to4 or Teredo address.
class Readings {
 public:
  // `nat64`: the network's own translation prefixes, of the lengths that RFC 6052 2.2 allows.
  explicit Readings(const IpAddress& address, std::span<const Cidr> nat64 = {});
  [[nodiscard]] const IpAddress* begin() const { return readings_.data(); }
  [[nodiscard]] const IpAddress* end() const { return readings_.data() + count_; }

 private:
  void add(const IpAddress& address);
  std::array<IpAddress, 6> readings_{};
  std::size_t count_ = 0;
};

}  // namespace ebbgate::policy
