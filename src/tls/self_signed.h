// A certificate for a server that nobody issues one to, and the authority that its clients are told
// to trust: made in one go, and the authority's key is forgotten at once, so that it can never
// issue another. To renew is to make both anew. ECDSA on P-256, RFC 5280.
#pragma once

#include <string>
#include <vector>

#include "base/clock.h"
#include "base/result.h"

namespace ebbgate::tls {

struct SelfSigned {
  std::string authority_pem;    // for clients; secret it is not
  std::string certificate_pem;  // for the server
  std::string key_pem;
};

// For the DNS names in `names`, of which there is at least one, from an hour before `now` (clocks
// differ) for `lifetime`. Errors: kInternal, with what OpenSSL says.
[[nodiscard]] Result<SelfSigned> make_self_signed(const std::vector<std::string>& names,
                                                  WallTime now, Duration lifetime);

// When the first certificate of a PEM text ends. Errors: kInternal where there is none.
[[nodiscard]] Result<WallTime> expiry_of(const std::string& certificate_pem);

}  // namespace ebbgate::tls
