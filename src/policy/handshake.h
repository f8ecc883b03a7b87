// What the client's first bytes must be (semantics 5), judged by the terms of the entries that
// admitted the request. Facts about the bytes in, a reason out; src/hello reads the bytes.
#pragma once

#include <optional>

#include "base/authority.h"
#include "base/reason.h"
#include "policy/decide.h"

namespace ebbgate::policy {

struct Handshake {
  bool is_tls = false;
  std::optional<Hostname> server_name;  // the SNI
  bool ech = false;                     // the extension is there; GREASE looks the same
  // For a target that is an address: decide() allows server_name, and it resolves to that address.
  bool name_leads_here = false;
};

// Whether the client speaks first and with TLS in every admission: if not, nothing is held back.
[[nodiscard]] bool expects_client_hello(const Policy& policy, const AdmissionSet& admissions);

// kAllowed where one admission lets the handshake pass as it is; else kNotTls, kSniMissing,
// kSniMismatch or kEchDenied.
[[nodiscard]] Reason judge_handshake(const Policy& policy, const AdmissionSet& admissions,
                                     const Host& target, const Handshake& handshake);

}  // namespace ebbgate::policy
