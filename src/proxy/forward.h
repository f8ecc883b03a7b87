// One request in the clear (RFC 9110 7, RFC 9112): its head and body go to the origin, the response
// comes back, both as they stream, and the origin connection is kept for the next.
#pragma once

#include <optional>

#include "http/request_head.h"
#include "net/task.h"
#include "proxy/exchange.h"
#include "proxy/origin.h"

namespace ebbgate::proxy {

// An origin connection that only this client's connection uses: one that a tunnel to port 80 opened
// already, or one that Negotiate or NTLM has bound to who authenticated over it.
struct OwnOrigin {
  std::optional<Origin> origin;
  OriginKey key;
  bool is_bound = false;
};

// Whom the exchange's origin connection may serve again.
[[nodiscard]] OriginKey origin_key(const Exchange& exchange);

// Forwards the request that the exchange's decision let pass, and records how it ended. Out:
// whether the client's connection takes another request; if not it is closed, or has become a
// tunnel.
[[nodiscard]] net::Task<bool> forward(Exchange& exchange, const http::RequestHead& head,
                                      OwnOrigin& own);

}  // namespace ebbgate::proxy
