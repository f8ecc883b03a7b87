// Reads the replies of name servers (RFC 1035 section 4, RFC 2308). In: the octets of a message
// that c-ares has matched to its question. Out: addresses with their lifetime, or how long "no"
// may be remembered. No sockets, no state.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "base/ip.h"

namespace ebbgate::dns::detail {

enum class Family : std::uint8_t { kV4, kV6 };  // asked for as A and as AAAA

struct AddressRecords {
  std::vector<IpAddress> addresses;  // in the server's order; at most kMaxAddresses, maybe none
  std::chrono::seconds ttl{0};       // the least along the chain of aliases
};
inline constexpr int kMaxAddresses = 32;  // more would only be silent ones to wait for

// The addresses of that family in the answer section; nothing where the message is malformed.
[[nodiscard]] std::optional<AddressRecords> read_addresses(Family family,
                                                           std::span<const std::uint8_t> message);

// For how long the zone lets its "no" be remembered (RFC 2308 section 5): the lesser of the SOA
// record's own lifetime and its MINIMUM field. Nothing where the authority section has no SOA.
[[nodiscard]] std::optional<std::chrono::seconds> read_negative_ttl(
    std::span<const std::uint8_t> message);

}  // namespace ebbgate::dns::detail
