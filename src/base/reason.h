// Why a request was let pass, refused, or ended: the closed set that the log, the metrics, the
// client's answer and `explain` all show. A reason is made once, where it is known, and carried
// as it is. docs/reasons.md has a section for each word.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

namespace ebbgate {

enum class Reason : std::uint8_t {
  kAllowed,
  // Refused by policy.
  kNotAllowed,
  kDeniedByRule,
  kPortNotAllowed,
  kForbiddenAddress,
  kSniMismatch,
  kSniMissing,
  kSniMalformed,
  kNotTls,
  kEchDenied,
  kExpired,
  kSubjectRequired,
  kSubjectAmbiguous,
  kNoPolicy,
  kPolicyInvalid,
  kPolicyTooOld,
  // Refused for what the request is.
  kMalformedRequest,
  kHeadTooLarge,
  kHeadTimedOut,
  kLoop,
  kNotAClient,
  kProxyProtocolInvalid,
  // Refused for want of room.
  kOverLimit,
  kOverCapacity,
  kDraining,
  // The origin's side.
  kDnsFailed,
  kConnectFailed,
  kTimedOut,
  kOriginInvalid,
  // How a tunnel or an exchange that was let pass came to end.
  kClientClosed,
  kOriginClosed,
  kIdleTimeout,
  kTunnelTimeout,
  kPolicyChanged,
  kAuditStalled,
  kInternal,
};

// One row of the table: the word, the HTTP status of an answer that this reason causes (0: the
// connection is closed without one), and whether `mode: report` may relax it (semantics 11).
struct ReasonInfo {
  Reason reason;
  std::string_view word;
  std::uint16_t status;
  bool relaxable;
  std::string_view summary;  // one clause, completes "the request was refused because …"
};

inline constexpr std::array kReasons = {
    ReasonInfo{Reason::kAllowed, "allowed", 200, false, "it is allowed"},
    ReasonInfo{Reason::kNotAllowed, "not-allowed", 403, true, "no entry of the policy allows it"},
    ReasonInfo{Reason::kDeniedByRule, "denied-by-rule", 403, true,
               "a deny entry of the policy names it"},
    ReasonInfo{Reason::kPortNotAllowed, "port-not-allowed", 403, true,
               "the name is allowed, but not on this port"},
    ReasonInfo{Reason::kForbiddenAddress, "forbidden-address", 403, false,
               "the name leads only to addresses that are never dialed"},
    ReasonInfo{Reason::kSniMismatch, "sni-mismatch", 403, true,
               "the TLS server name is not the name that was asked for"},
    ReasonInfo{Reason::kSniMissing, "sni-missing", 403, true,
               "the TLS handshake carries no server name"},
    ReasonInfo{Reason::kSniMalformed, "sni-malformed", 403, true,
               "the TLS ClientHello cannot be read as RFC 8446 has it"},
    ReasonInfo{Reason::kNotTls, "not-tls", 403, true,
               "what the client sent is not the TLS that the policy expects"},
    ReasonInfo{Reason::kEchDenied, "ech-denied", 403, false,
               "the policy forbids Encrypted ClientHello here"},
    ReasonInfo{Reason::kExpired, "expired", 403, true, "the entry that allowed it has expired"},
    ReasonInfo{Reason::kSubjectRequired, "subject-required", 407, false,
               "the gateway has to know who is asking"},
    ReasonInfo{Reason::kSubjectAmbiguous, "subject-ambiguous", 403, false,
               "several pods claim the client's address"},
    ReasonInfo{Reason::kNoPolicy, "no-policy", 403, false, "the gateway has no policy yet"},
    ReasonInfo{Reason::kPolicyInvalid, "policy-invalid", 403, false,
               "a policy of the client's namespace is invalid and never was valid"},
    ReasonInfo{Reason::kPolicyTooOld, "policy-too-old", 403, false,
               "the source of the policy was not heard of for too long"},
    ReasonInfo{Reason::kMalformedRequest, "malformed-request", 400, false,
               "the request breaks the protocol"},
    ReasonInfo{Reason::kHeadTooLarge, "head-too-large", 431, false,
               "the request head is larger than the limit"},
    ReasonInfo{Reason::kHeadTimedOut, "head-timed-out", 408, false,
               "the request head did not arrive in time"},
    ReasonInfo{Reason::kLoop, "loop", 403, false, "the request would come back to the gateway"},
    ReasonInfo{Reason::kNotAClient, "not-a-client", 0, false,
               "the address is not one of the gateway's clients"},
    ReasonInfo{Reason::kProxyProtocolInvalid, "proxy-protocol-invalid", 0, false,
               "the PROXY protocol header is missing or broken"},
    ReasonInfo{Reason::kOverLimit, "over-limit", 429, false,
               "the client has as many connections as it may have"},
    ReasonInfo{Reason::kOverCapacity, "over-capacity", 503, false,
               "the gateway has as many connections as it may have"},
    ReasonInfo{Reason::kDraining, "draining", 503, false, "the gateway is shutting down"},
    ReasonInfo{Reason::kDnsFailed, "dns-failed", 502, false, "the name did not resolve"},
    ReasonInfo{Reason::kConnectFailed, "connect-failed", 502, false,
               "no address of the origin took the connection"},
    ReasonInfo{Reason::kTimedOut, "timed-out", 504, false,
               "what was waited for did not come in time"},
    ReasonInfo{Reason::kOriginInvalid, "origin-invalid", 502, false,
               "the origin's answer breaks the protocol"},
    ReasonInfo{Reason::kClientClosed, "client-closed", 0, false, "the client closed"},
    ReasonInfo{Reason::kOriginClosed, "origin-closed", 502, false, "the origin closed"},
    ReasonInfo{Reason::kIdleTimeout, "idle-timeout", 504, false, "nothing moved for too long"},
    ReasonInfo{Reason::kTunnelTimeout, "tunnel-timeout", 0, false,
               "the tunnel lived as long as it may"},
    ReasonInfo{Reason::kPolicyChanged, "policy-changed", 0, false,
               "the policy in force no longer allows it"},
    ReasonInfo{Reason::kAuditStalled, "audit-stalled", 0, false,
               "the refusal could not be recorded in time"},
    ReasonInfo{Reason::kInternal, "internal", 500, false, "the gateway failed"},
};

[[nodiscard]] constexpr const ReasonInfo& info(Reason reason) {
  return kReasons[static_cast<std::size_t>(reason)];
}
[[nodiscard]] constexpr std::string_view word(Reason reason) {
  return info(reason).word;
}

// The reason of that word; nothing where the word is none of the set.
[[nodiscard]] constexpr std::optional<Reason> reason_of(std::string_view word) {
  for (const ReasonInfo& row : kReasons) {
    if (row.word == word) return row.reason;
  }
  return std::nullopt;
}

namespace detail {
consteval bool reasons_are_in_order() {
  for (std::size_t i = 0; i < kReasons.size(); ++i) {
    if (kReasons[i].reason != static_cast<Reason>(i)) return false;
  }
  return true;
}
static_assert(reasons_are_in_order() &&
              kReasons.size() == static_cast<std::size_t>(Reason::kInternal) + 1);
}  // namespace detail

}  // namespace ebbgate
