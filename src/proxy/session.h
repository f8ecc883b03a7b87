// A client connection from its first octet to its last: introduce → head → subject → decision →
// (tunnel | forward) → record. This file tells the whole story; each step has a file of its own.
#pragma once

#include "base/authority.h"
#include "net/owned_fd.h"
#include "net/task.h"
#include "proxy/client.h"
#include "proxy/forward.h"

namespace ebbgate::proxy {

// Serves an accepted connection until it is closed or has become a tunnel of the worker's.
[[nodiscard]] net::Task<void> serve_client(Worker& worker, net::OwnedFd fd, Endpoint from,
                                           std::size_t listener);

// Serves the requests of one connection, one after the other. `inside` is the authority of the
// CONNECT in whose tunnel the client speaks HTTP (to port 80), and every Host has to be its host;
// nothing on a listener that clients know as a proxy. `own` may be connected already.
[[nodiscard]] net::Task<void> serve_requests(Client& client, std::optional<Authority> inside,
                                             OwnOrigin own);

}  // namespace ebbgate::proxy
