// When a source is asked again. Chance is a parameter: a fleet that was started at once must not
// ask at once for ever, and one that met an outage must not end it with a flood.
#pragma once

#include <chrono>
#include <cstdint>

#include "base/clock.h"
#include "config/source_url.h"

namespace ebbgate::source {

struct Schedule {
  Duration interval = std::chrono::seconds(5);      // while all is well
  Duration max_backoff = std::chrono::seconds(60);  // after errors
};

// How often a source of that kind is asked by default. A parameter each 5 s: a change reaches a
// fleet within 10 s, and ten gateways take 2 of the 40 requests a second that an account has. An
// object or a URL each 10 s, a secret, where a request costs money, each 30 s.
[[nodiscard]] Duration default_interval(config::SourceKind kind);

// How long to wait after `failures` failures in a row (0: after a success). Without failures the
// interval, give or take a fifth; with, a length that doubles up to max_backoff (or the interval,
// where that is longer), of which between a half and all is taken. `random`: 64 even bits.
[[nodiscard]] Duration next_pause(const Schedule& schedule, int failures, std::uint64_t random);

}  // namespace ebbgate::source
