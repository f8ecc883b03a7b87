// CONNECT (RFC 9110 9.3.6): the origin is connected, the client told so, its first octets checked
// while they are held back (semantics 5), and both descriptors handed to the worker's RelaySet.
#pragma once

#include "net/task.h"
#include "proxy/exchange.h"
#include "proxy/origin.h"

namespace ebbgate::proxy {

// Opens the tunnel that the exchange's decision let pass; the client's stream is gone afterwards.
[[nodiscard]] net::Task<void> open_tunnel(Exchange& exchange);

// Records that the exchange has become a tunnel and hands both streams over. What either side sent
// already the other one has.
void become_tunnel(Exchange& exchange, Origin origin);

}  // namespace ebbgate::proxy
