// How a refusal after the 200 is told to a TLS client (RFC 8446 6): one fatal alert in the clear,
// which a client understands as long as it has not seen a ServerHello.
#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "base/reason.h"

namespace ebbgate::hello {

enum class AlertDescription : std::uint8_t {
  kAccessDenied = 49,
  kUnrecognizedName = 112,
};

// The record to send: type 21, level fatal. Its version is TLS 1.2's, as RFC 8446 5.1 has it for
// every record but the first ClientHello; before a version is agreed clients check no more of it
// than the 3.
[[nodiscard]] constexpr std::array<char, 7> tls_alert(AlertDescription description) {
  return {21, 3, 3, 0, 2, 2, static_cast<char>(description)};
}

// The alert that tells a refusal for `reason`; nothing where what the client sent was not TLS, so
// that the connection is closed without one.
[[nodiscard]] constexpr std::optional<AlertDescription> alert_for(Reason reason) {
  switch (reason) {
    case Reason::kNotTls:
      return std::nullopt;
    case Reason::kSniMismatch:
    case Reason::kSniMissing:
    case Reason::kSniMalformed:
      return AlertDescription::kUnrecognizedName;
    default:
      return AlertDescription::kAccessDenied;
  }
}

}  // namespace ebbgate::hello
