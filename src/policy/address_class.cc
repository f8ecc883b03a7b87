#include "policy/address_class.h"

#include <algorithm>
#include <cstdint>

namespace ebbgate::policy {
namespace {

constexpr std::uint32_t quad(std::uint32_t a, std::uint32_t b, std::uint32_t c, std::uint32_t d) {
  return a << 24U | b << 16U | c << 8U | d;
}

struct V4Row {
  std::uint32_t network;
  unsigned prefix;
  std::string_view name;
};

// IANA IPv4 Special-Purpose Address Registry, what is not globally reachable, and what is no
// unicast. Its anycast services inside 192.0.0.0/24 are left out on purpose: semantics 3.
constexpr V4Row kV4[] = {
    {quad(0, 0, 0, 0), 8, "this host (RFC 791)"},
    {quad(10, 0, 0, 0), 8, "private (RFC 1918)"},
    {quad(100, 64, 0, 0), 10, "shared address space (RFC 6598)"},
    {quad(127, 0, 0, 0), 8, "loopback (RFC 1122)"},
    {quad(169, 254, 0, 0), 16, "link-local (RFC 3927)"},
    {quad(172, 16, 0, 0), 12, "private (RFC 1918)"},
    {quad(192, 0, 0, 0), 24, "IETF protocol assignments (RFC 6890)"},
    {quad(192, 0, 2, 0), 24, "documentation (RFC 5737)"},
    {quad(192, 88, 99, 0), 24, "6to4 relay anycast (RFC 7526)"},
    {quad(192, 168, 0, 0), 16, "private (RFC 1918)"},
    {quad(198, 18, 0, 0), 15, "benchmarking (RFC 2544)"},
    {quad(198, 51, 100, 0), 24, "documentation (RFC 5737)"},
    {quad(203, 0, 113, 0), 24, "documentation (RFC 5737)"},
    {quad(224, 0, 0, 0), 4, "multicast (RFC 5771)"},
    {quad(240, 0, 0, 0), 4, "reserved (RFC 1112)"},
};

// Where an IPv6 address holds an IPv4 one.
enum class Inside : std::uint8_t { kNothing, kLast32Bits, kLocalNat64, k6to4, kTeredo };

struct V6Row {
  std::array<std::uint8_t, 16> network;
  unsigned prefix;
  std::string_view name;
  Inside inside = Inside::kNothing;
};

// IANA IPv6 Special-Purpose Address Registry likewise, the narrow blocks before those around them.
constexpr V6Row kV6[] = {
    {{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff}, 96, "IPv4-mapped (RFC 4291)", Inside::kLast32Bits},
    {{}, 128, "unspecified (RFC 4291)"},
    {{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}, 128, "loopback (RFC 4291)"},
    {{}, 96, "IPv4-compatible (RFC 4291)", Inside::kLast32Bits},
    {{0x00, 0x64, 0xff, 0x9b, 0, 1}, 48, "local-use translation (RFC 8215)", Inside::kLocalNat64},
    {{0x01, 0x00}, 64, "discard-only (RFC 6666)"},
    {{0x20, 0x01}, 32, "Teredo (RFC 4380)", Inside::kTeredo},
    {{0x20, 0x01, 0x00, 0x02}, 48, "benchmarking (RFC 5180)"},
    {{0x20, 0x01}, 23, "IETF protocol assignments (RFC 2928)"},
    {{0x20, 0x01, 0x0d, 0xb8}, 32, "documentation (RFC 3849)"},
    {{0x20, 0x02}, 16, "6to4 (RFC 3056)", Inside::k6to4},
    {{0x3f, 0xff}, 20, "documentation (RFC 9637)"},
    {{0x5f, 0x00}, 16, "segment routing (RFC 9602)"},
    {{0xfc}, 7, "unique local (RFC 4193)"},
    {{0xfe, 0x80}, 10, "link-local (RFC 4291)"},
    {{0xfe, 0xc0}, 10, "site-local (RFC 3879)"},
    {{0xff}, 8, "multicast (RFC 4291)"},
};
// Translation by NAT64 is no obstacle in itself: what an address leads to is another reading.
constexpr V6Row kWellKnownNat64 = {
    {0x00, 0x64, 0xff, 0x9b}, 96, "translation (RFC 6052)", Inside::kLast32Bits};

Cidr block_of(const V4Row& row) {
  return Cidr::of(IpAddress::v4(row.network), row.prefix);
}

Cidr block_of(const V6Row& row) {
  return Cidr::of(IpAddress::v6(row.network), row.prefix);
}

const V6Row* row_of(const IpAddress& address) {
  const auto row = std::ranges::find_if(
      kV6, [&](const V6Row& each) { return block_of(each).contains(address); });
  return row == std::end(kV6) ? nullptr : row;
}

IpAddress v4_at(const std::array<std::uint8_t, 16>& bytes, std::array<std::size_t, 4> places) {
  return IpAddress::v4(
      quad(bytes[places[0]], bytes[places[1]], bytes[places[2]], bytes[places[3]]));
}

// RFC 6052 2.2: the address follows the prefix, and skips byte 8, which is zero.
IpAddress translated(const std::array<std::uint8_t, 16>& bytes, unsigned prefix) {
  std::array<std::size_t, 4> places{};
  std::size_t next = prefix / 8;
  for (std::size_t& place : places) {
    if (next == 8 && prefix != 96) ++next;
    place = next++;
  }
  return v4_at(bytes, places);
}

bool is_translation_length(unsigned prefix) {
  return prefix == 32 || prefix == 40 || prefix == 48 || prefix == 56 || prefix == 64 ||
         prefix == 96;
}

}  // namespace

std::optional<SpecialBlock> special_block(const IpAddress& address) {
  if (address.is_v4()) {
    for (const V4Row& row : kV4) {
      if (const Cidr block = block_of(row); block.contains(address)) {
        return SpecialBlock{block, row.name};
      }
    }
    return std::nullopt;
  }
  if (const V6Row* row = row_of(address)) return SpecialBlock{block_of(*row), row->name};
  if (block_of(kWellKnownNat64).contains(address)) return std::nullopt;
  if (address.bytes()[0] >> 5U == 1) return std::nullopt;  // 2000::/3, global unicast
  return SpecialBlock{Cidr::of(address, 3), "reserved by the IETF (RFC 4291)"};
}

Readings::Readings(const IpAddress& address, std::span<const Cidr> nat64) {
  add(address);
  if (address.is_v4()) return;
  const auto& bytes = address.bytes();
  const IpAddress last = v4_at(bytes, {12, 13, 14, 15});
  bool is_configured = false;
  for (const Cidr& prefix : nat64) {
    if (!prefix.contains(address) || !is_translation_length(prefix.prefix())) continue;
    add(translated(bytes, prefix.prefix()));
    is_configured = true;
  }
  const V6Row* row = row_of(address);
  if (row == nullptr && block_of(kWellKnownNat64).contains(address)) row = &kWellKnownNat64;
  if (row == nullptr) return;
  switch (row->inside) {
    case Inside::kNothing:
      break;
    case Inside::kLast32Bits:
      add(last);
      break;
    case Inside::kLocalNat64:
      // The length of the prefix is the network's choice. Where nobody told it, both the whole /48
      // and a /96 within are thought of; nothing but zeros is the other's padding.
      if (is_configured) break;
      for (const IpAddress& inner : {translated(bytes, 48), last}) {
        if (inner.v4_value() != 0) add(inner);
      }
      break;
    case Inside::k6to4:
      add(v4_at(bytes, {2, 3, 4, 5}));
      break;
    case Inside::kTeredo:  // the server's, and the client's, stored inverted: RFC 4380 4
      add(v4_at(bytes, {4, 5, 6, 7}));
      add(IpAddress::v4(~last.v4_value()));
      break;
  }
}

void Readings::add(const IpAddress& address) {
  if (std::ranges::find(begin(), end(), address) == end() && count_ < readings_.size()) {
    readings_[count_++] = address;
  }
}

}  // namespace ebbgate::policy
