#include "policy/handshake.h"

#include <algorithm>

namespace ebbgate::policy {
namespace {

Reason judge(const Terms& terms, const Host& target, const Handshake& handshake) {
  if (terms.tls == TlsRule::kOff) return Reason::kAllowed;
  if (!handshake.is_tls) return Reason::kNotTls;
  if (terms.ech == EchRule::kDeny && handshake.ech) return Reason::kEchDenied;
  if (terms.sni == SniRule::kOff) return Reason::kAllowed;
  if (!handshake.server_name) {
    const bool may_be_missing = terms.sni == SniRule::kOptional || target.address() != nullptr;
    return may_be_missing ? Reason::kAllowed : Reason::kSniMissing;
  }
  const bool is_name = target.name() != nullptr ? *target.name() == *handshake.server_name
                                                : handshake.name_leads_here;
  return is_name ? Reason::kAllowed : Reason::kSniMismatch;
}

}  // namespace

bool expects_client_hello(const Policy& policy, const AdmissionSet& admissions) {
  return std::ranges::none_of(admissions.all(), [&](const Admission& admission) {
    return policy.terms(admission.terms).tls == TlsRule::kOff;
  });
}

Reason judge_handshake(const Policy& policy, const AdmissionSet& admissions, const Host& target,
                       const Handshake& handshake) {
  // Of several refusals the first in the order of Reason, so that entries have no order.
  Reason refusal = Reason::kInternal;
  for (const Admission& admission : admissions.all()) {
    const Reason reason = judge(policy.terms(admission.terms), target, handshake);
    if (reason == Reason::kAllowed) return reason;
    refusal = std::min(refusal, reason);
  }
  return refusal;
}

}  // namespace ebbgate::policy
