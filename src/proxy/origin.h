// From an allowed name to a connected origin: resolve, classify every address, dial only those
// that passed (semantics 3, steps 5 and 6).
#pragma once

#include "base/result.h"
#include "net/stream.h"
#include "net/task.h"
#include "policy/decide.h"
#include "proxy/exchange.h"

namespace ebbgate::proxy {

struct Origin {
  net::Stream stream;
  Endpoint address;
  policy::AdmissionSet admissions;  // those of the decision that admit this address
};

// The addresses of a host: the literal itself, what is remembered, or what the name servers say.
// Errors: kDnsFailed, kDraining.
[[nodiscard]] net::Task<dns::Outcome> addresses_of(Worker& worker, const Host& host,
                                                   Deadline deadline);

// Connects to whom the exchange asks for, whose decision let it pass. Notes the address and the
// time it took in the exchange. Errors: kDnsFailed, kForbiddenAddress (no address passed, be it for
// a deny entry's block), kConnectFailed, kTimedOut, kOverCapacity, kDraining.
[[nodiscard]] net::Task<Result<Origin>> reach(Exchange& exchange);

}  // namespace ebbgate::proxy
