// A block of addresses as a key of the pattern index: family, prefix length, 16 bytes. It begins
// with a byte that no name has, so that names and blocks share one table.
#pragma once

#include <array>
#include <cstring>
#include <string_view>

#include "base/ip.h"

namespace ebbgate::policy::detail {

class AddressKey {
 public:
  explicit AddressKey(const Cidr& block) {
    bytes_[0] = block.network().is_v4() ? '\4' : '\6';
    bytes_[1] = static_cast<char>(block.prefix());
    std::memcpy(bytes_.data() + 2, block.network().bytes().data(), 16);
  }
  [[nodiscard]] std::string_view view() const { return {bytes_.data(), bytes_.size()}; }

 private:
  std::array<char, 18> bytes_;
};

// The block that an AddressKey was made of.
[[nodiscard]] inline Cidr block_of(std::string_view key) {
  std::array<std::uint8_t, 16> bytes{};
  std::memcpy(bytes.data(), key.data() + 2, bytes.size());
  const IpAddress v6 = IpAddress::v6(bytes);
  return Cidr::of(key[0] == '\4' ? IpAddress::v4(v6.v4_value()) : v6,
                  static_cast<unsigned char>(key[1]));
}

}  // namespace ebbgate::policy::detail
