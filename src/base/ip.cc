#include "base/ip.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <algorithm>
#include <charconv>
#include <cstring>

namespace ebbgate {
namespace {

std::optional<std::uint32_t> parse_quad(std::string_view text) {
  std::uint32_t value = 0;
  for (int part = 0; part < 4; ++part) {
    if (part > 0) {
      if (text.empty() || text.front() != '.') return std::nullopt;
      text.remove_prefix(1);
    }
    std::size_t digits = 0;
    std::uint32_t number = 0;
    while (digits < text.size() && digits < 3 && text[digits] >= '0' && text[digits] <= '9') {
      number = number * 10 + static_cast<std::uint32_t>(text[digits] - '0');
      ++digits;
    }
    if (digits == 0 || number > 255 || (digits > 1 && text[0] == '0')) return std::nullopt;
    value = value << 8 | number;
    text.remove_prefix(digits);
  }
  if (!text.empty()) return std::nullopt;
  return value;
}

// Whether the first `prefix` bits of both are the same.
bool same_prefix(const std::array<std::uint8_t, 16>& a, const std::array<std::uint8_t, 16>& b,
                 unsigned prefix) {
  const std::size_t whole = prefix / 8;
  if (std::memcmp(a.data(), b.data(), whole) != 0) return false;
  const unsigned rest = prefix % 8;
  if (rest == 0) return true;
  const auto mask = static_cast<std::uint8_t>(0xff << (8 - rest));
  return ((a[whole] ^ b[whole]) & mask) == 0;
}

// The prefix length within the 16-byte form.
unsigned wide(const IpAddress& address, unsigned prefix) {
  return address.is_v4() ? prefix + 96 : prefix;
}

}  // namespace

IpAddress IpAddress::v4(std::uint32_t host_order) {
  IpAddress address;
  for (int i = 0; i < 4; ++i) {
    address.bytes_[static_cast<std::size_t>(12 + i)] =
        static_cast<std::uint8_t>(host_order >> (24 - 8 * i));
  }
  return address;
}

IpAddress IpAddress::v6(const std::array<std::uint8_t, 16>& bytes) {
  IpAddress address;
  address.bytes_ = bytes;
  address.is_v4_ = false;
  return address;
}

std::optional<IpAddress> IpAddress::parse(std::string_view text) {
  if (text.find(':') == std::string_view::npos) {
    const auto quad = parse_quad(text);
    if (!quad) return std::nullopt;
    return v4(*quad);
  }
  // The C library knows RFC 4291's forms and no zone ids; an embedded quad is checked for leading
  // zeros, which it would accept.
  if (text.size() >= INET6_ADDRSTRLEN) return std::nullopt;
  if (text.find('.') != std::string_view::npos && !parse_quad(text.substr(text.rfind(':') + 1))) {
    return std::nullopt;
  }
  std::array<char, INET6_ADDRSTRLEN> terminated{};
  std::ranges::copy(text, terminated.begin());
  if (std::memchr(text.data(), '\0', text.size()) != nullptr) return std::nullopt;
  std::array<std::uint8_t, 16> bytes{};
  if (::inet_pton(AF_INET6, terminated.data(), bytes.data()) != 1) return std::nullopt;
  return v6(bytes);
}

std::uint32_t IpAddress::v4_value() const {
  return static_cast<std::uint32_t>(bytes_[12]) << 24 |
         static_cast<std::uint32_t>(bytes_[13]) << 16 |
         static_cast<std::uint32_t>(bytes_[14]) << 8 | bytes_[15];
}

IpAddress IpAddress::unmapped() const {
  if (is_v4_ || !same_prefix(bytes_, IpAddress{}.bytes_, 96)) return *this;
  return v4(v4_value());
}

std::string IpAddress::str() const {
  std::array<char, INET6_ADDRSTRLEN> text{};
  if (is_v4_) {
    ::inet_ntop(AF_INET, bytes_.data() + 12, text.data(), text.size());
  } else {
    ::inet_ntop(AF_INET6, bytes_.data(), text.data(), text.size());
  }
  return text.data();
}

std::optional<Cidr> Cidr::parse(std::string_view text) {
  const std::size_t slash = text.find('/');
  const auto address = IpAddress::parse(text.substr(0, slash));
  if (!address) return std::nullopt;
  if (slash == std::string_view::npos) return of(*address);
  const std::string_view length = text.substr(slash + 1);
  unsigned prefix = 0;
  const auto [end, error] = std::from_chars(length.data(), length.data() + length.size(), prefix);
  if (error != std::errc{} || end != length.data() + length.size()) return std::nullopt;
  if (length.size() > 1 && length[0] == '0') return std::nullopt;
  if (prefix > (address->is_v4() ? 32U : 128U)) return std::nullopt;
  const unsigned from = wide(*address, prefix);
  for (unsigned bit = from; bit < 128; ++bit) {
    if ((address->bytes()[bit / 8] >> (7 - bit % 8) & 1) != 0) return std::nullopt;
  }
  return Cidr(*address, prefix);
}

Cidr Cidr::of(const IpAddress& address) {
  return {address, address.is_v4() ? 32U : 128U};
}

Cidr Cidr::of(const IpAddress& address, unsigned prefix) {
  const unsigned from = wide(address, prefix);
  auto bytes = address.bytes();
  for (unsigned i = from / 8; i < 16; ++i) {
    const unsigned kept = i == from / 8 ? from % 8 : 0;
    bytes[i] = static_cast<std::uint8_t>(bytes[i] & (0xff00U >> kept));
  }
  if (address.is_v6()) return {IpAddress::v6(bytes), prefix};
  const std::uint32_t quad = static_cast<std::uint32_t>(bytes[12]) << 24 |
                             static_cast<std::uint32_t>(bytes[13]) << 16 |
                             static_cast<std::uint32_t>(bytes[14]) << 8 | bytes[15];
  return {IpAddress::v4(quad), prefix};
}

bool Cidr::contains(const IpAddress& address) const {
  return address.is_v4() == network_.is_v4() &&
         same_prefix(address.bytes(), network_.bytes(), wide(network_, prefix_));
}

bool Cidr::contains(const Cidr& other) const {
  return other.prefix_ >= prefix_ && contains(other.network_);
}

std::string Cidr::str() const {
  return network_.str() + "/" + std::to_string(prefix_);
}

}  // namespace ebbgate

std::size_t std::hash<ebbgate::IpAddress>::operator()(
    const ebbgate::IpAddress& address) const noexcept {
  std::uint64_t high = 0;
  std::uint64_t low = 0;
  std::memcpy(&high, address.bytes().data(), 8);
  std::memcpy(&low, address.bytes().data() + 8, 8);
  // Fibonacci mixing, so that neighbours in one subnet spread.
  return static_cast<std::size_t>((high ^ (low * 0x9E3779B97F4A7C15ULL)) * 0xBF58476D1CE4E5B9ULL);
}
