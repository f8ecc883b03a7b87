// Whether a ClientHello fits the target that the client was let pass to (semantics 5): a
// ClientHello and that target come in, a pass or a typed refusal comes out.
#pragma once

#include <cstdint>

#include "base/authority.h"
#include "base/result.h"
#include "hello/client_hello.h"

namespace ebbgate::hello {

// What a policy entry says of the server name.
enum class SniRule : std::uint8_t {
  kRequire,   // it has to be there and to be the target's name
  kOptional,  // it may be missing; one that is there has to be the target's name
  kOff,       // it is not looked at
};

enum class SniVerdict : std::uint8_t {
  kPass,
  // The target is an address literal and the client names a server: the name decides nothing here,
  // it must itself be allowed, and resolve to that address.
  kNameToJudge,
};

// In: the hello, the host of the CONNECT (or, in transparent mode, of the decision), and what the
// entry that allowed it says. Out: kPass or kNameToJudge.
// Errors, of Side::kClient: kEchDenied, kSniMissing, kSniMismatch.
// To an address literal a hello without a name passes under every rule: clients send none there
// (RFC 6066 3).
[[nodiscard]] Result<SniVerdict> judge_hello(const ClientHello& hello, const Host& connect_target,
                                             SniRule rule, bool ech_denied);

}  // namespace ebbgate::hello
