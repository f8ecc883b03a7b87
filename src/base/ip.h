// IP addresses and CIDR blocks as values. Parsing is strict (RFC 6943 3.1.1: one reading only):
// dotted quads of four decimal numbers without leading zeros, RFC 4291 text without zone ids.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace ebbgate {

class IpAddress {
 public:
  IpAddress() = default;  // 0.0.0.0
  [[nodiscard]] static IpAddress v4(std::uint32_t host_order);
  [[nodiscard]] static IpAddress v6(const std::array<std::uint8_t, 16>& bytes);

  // The address of that text, without brackets; nothing where it is not strictly one.
  [[nodiscard]] static std::optional<IpAddress> parse(std::string_view text);

  [[nodiscard]] bool is_v4() const { return is_v4_; }
  [[nodiscard]] bool is_v6() const { return !is_v4_; }

  // The IPv4 address in host byte order; is_v4() must hold.
  [[nodiscard]] std::uint32_t v4_value() const;
  // The 16 bytes of an IPv6 address; those of ::ffff:a.b.c.d for an IPv4 one.
  [[nodiscard]] const std::array<std::uint8_t, 16>& bytes() const { return bytes_; }

  // An IPv4-mapped address (::ffff:a.b.c.d) as the IPv4 address it stands for; others unchanged.
  [[nodiscard]] IpAddress unmapped() const;

  // RFC 5952 text; IPv4 as a dotted quad.
  [[nodiscard]] std::string str() const;

  auto operator<=>(const IpAddress&) const = default;

 private:
  std::array<std::uint8_t, 16> bytes_{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0, 0, 0, 0};
  bool is_v4_ = true;
};

class Cidr {
 public:
  // `a.b.c.d/n`, `x::y/n`, or an address alone, which stands for itself only. Host bits that are
  // set are an error: `10.1.2.3/8` is a typing mistake more often than a block.
  [[nodiscard]] static std::optional<Cidr> parse(std::string_view text);
  [[nodiscard]] static Cidr of(const IpAddress& address);  // that address only
  // The block of that prefix length that holds the address; 0–32 or 0–128.
  [[nodiscard]] static Cidr of(const IpAddress& address, unsigned prefix);

  [[nodiscard]] bool contains(const IpAddress& address) const;
  [[nodiscard]] bool contains(const Cidr& other) const;
  [[nodiscard]] bool overlaps(const Cidr& other) const {
    return contains(other) || other.contains(*this);
  }
  [[nodiscard]] const IpAddress& network() const { return network_; }
  [[nodiscard]] unsigned prefix() const { return prefix_; }  // 0–32 or 0–128
  [[nodiscard]] std::string str() const;                     // always with its prefix length

  auto operator<=>(const Cidr&) const = default;

 private:
  Cidr(const IpAddress& network, unsigned prefix) : network_(network), prefix_(prefix) {}
  IpAddress network_;
  unsigned prefix_ = 0;
};

}  // namespace ebbgate

template <>
struct std::hash<ebbgate::IpAddress> {
  std::size_t operator()(const ebbgate::IpAddress& address) const noexcept;
};
