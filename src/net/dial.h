// Happy Eyeballs (RFC 8305, sections 4 and 5): one connection out of several addresses, without
// waiting long for one that does not answer. In go addresses that policy has classified already;
// no other is ever dialed. Out comes a connected Stream and which address it leads to.
#pragma once

#include <chrono>
#include <optional>
#include <vector>

#include "base/authority.h"
#include "base/clock.h"
#include "base/ip.h"
#include "base/result.h"
#include "net/loop.h"
#include "net/stream.h"
#include "net/task.h"

namespace ebbgate::net {

struct DialOptions {
  // How long an attempt has for itself before the next address is tried beside it (RFC 8305,
  // section 5, recommends 250 ms).
  Duration attempt_delay = std::chrono::milliseconds(250);
  // The address to connect from, any where absent. Addresses of the other family are not tried.
  std::optional<IpAddress> local;
};

struct Dialed {
  Stream stream;
  Endpoint remote;  // the address that won
  Duration took;    // since dial() was called
};

// Connects to `port` of one of `addresses`, in their order but for the families taking turns,
// IPv6 first. An attempt that fails starts the next at once; the first that connects wins, and by
// the time dial() returns all others are closed.
// Errors: kConnectFailed where every address failed (or there is none), kTimedOut where the
// deadline came first, both with the addresses that were tried and what each said; kOverCapacity
// of our own side where the process has no descriptor left; kDraining at the hard stop.
[[nodiscard]] Task<Result<Dialed>> dial(Loop& loop, std::vector<IpAddress> addresses, Port port,
                                        Deadline deadline, DialOptions options = {});

}  // namespace ebbgate::net
