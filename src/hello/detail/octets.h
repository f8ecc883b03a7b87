// A cursor over received bytes, big-endian as TLS and the PROXY protocol are. Taking more than is
// left makes it fail for good, so that a parser may check once after several fields.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace ebbgate::hello::detail {

class Octets {
 public:
  explicit constexpr Octets(std::string_view bytes) : left_(bytes) {}

  [[nodiscard]] constexpr bool ok() const { return ok_; }
  [[nodiscard]] constexpr bool empty() const { return left_.empty(); }
  // Whether all was taken, and no more than that.
  [[nodiscard]] constexpr bool finished() const { return ok_ && left_.empty(); }

  // All that is left, not taken.
  [[nodiscard]] constexpr std::string_view rest() const { return left_; }

  constexpr std::string_view take(std::size_t count) {
    if (count > left_.size()) {
      ok_ = false;
      left_ = {};
      return {};
    }
    const std::string_view taken = left_.substr(0, count);
    left_.remove_prefix(count);
    return taken;
  }
  constexpr std::uint8_t u8() { return static_cast<std::uint8_t>(number(1)); }
  constexpr std::uint16_t u16() { return static_cast<std::uint16_t>(number(2)); }
  constexpr std::uint32_t u32() { return number(4); }
  // The content of a vector whose length stands before it in one or two octets.
  constexpr std::string_view vector8() { return take(u8()); }
  constexpr std::string_view vector16() { return take(u16()); }

 private:
  constexpr std::uint32_t number(std::size_t octets) {
    std::uint32_t value = 0;
    for (const char c : take(octets)) value = value << 8 | static_cast<std::uint8_t>(c);
    return value;
  }

  std::string_view left_;
  bool ok_ = true;
};

}  // namespace ebbgate::hello::detail
