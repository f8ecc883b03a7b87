// What became of a request, in the three words that events, metrics and `explain` share.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace ebbgate {

// kReport: the policy would have refused it, and is only being tried out (semantics 11).
enum class Verdict : std::uint8_t { kAllow, kDeny, kReport };

[[nodiscard]] constexpr std::string_view word(Verdict verdict) {
  constexpr std::array<std::string_view, 3> kWords = {"ALLOW", "DENY", "REPORT"};
  return kWords[static_cast<std::size_t>(verdict)];
}

}  // namespace ebbgate
