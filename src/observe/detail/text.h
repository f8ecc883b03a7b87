// Appending to a line quickly: numbers, addresses, times, and bytes that others chose.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/ip.h"

namespace ebbgate::observe {

void append_number(std::string& out, std::uint64_t number);
// In at least `width` characters, filled with `fill` on the left.
void append_number(std::string& out, std::uint64_t number, std::size_t width, char fill);
void append_address(std::string& out, const IpAddress& address);

// 2026-01-31T12:00:00.000Z (RFC 3339, UTC, milliseconds).
void append_rfc3339(std::string& out, WallTime time);

// Which bytes stand for themselves; all others become %XX (semantics 6). Text is cut after
// kMaxShown octets.
enum class TextKind : std::uint8_t {
  kToken,      // 0x21–0x7e
  kJsonToken,  // the same in a JSON string: '"' and '\' get their backslash
  kJsonProse,  // and a space stays a space
};
void append_text(std::string& out, std::string_view text, TextKind kind);

[[nodiscard]] constexpr std::uint64_t milliseconds(Duration duration) {
  return duration <= Duration::zero() ? 0
                                      : static_cast<std::uint64_t>(duration.count()) / 1'000'000;
}

}  // namespace ebbgate::observe
