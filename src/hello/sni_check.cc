#include "hello/sni_check.h"

namespace ebbgate::hello {

Result<SniVerdict> judge_hello(const ClientHello& hello, const Host& connect_target, SniRule rule,
                               bool ech_denied) {
  if (hello.ech && ech_denied) {
    return fail(Reason::kEchDenied, Side::kClient, "the ClientHello has encrypted_client_hello");
  }
  if (rule == SniRule::kOff) return SniVerdict::kPass;
  const Hostname* const target = connect_target.name();
  if (target == nullptr) return hello.sni ? SniVerdict::kNameToJudge : SniVerdict::kPass;
  if (!hello.sni) {
    if (rule == SniRule::kOptional) return SniVerdict::kPass;
    return fail(Reason::kSniMissing, Side::kClient,
                "the ClientHello for " + target->str() + " has no server_name");
  }
  if (*hello.sni != *target) {
    return fail(Reason::kSniMismatch, Side::kClient,
                "the ClientHello for " + target->str() + " names " + hello.sni->str());
  }
  return SniVerdict::kPass;
}

}  // namespace ebbgate::hello
