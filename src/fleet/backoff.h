// Pauses between attempts at something that will work again some day: of a random length up to a
// bound that doubles, so that a fleet does not come back at once.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>

#include "base/clock.h"

namespace ebbgate::fleet {

class Backoff {
 public:
  explicit Backoff(Duration first = std::chrono::seconds(1),
                   Duration longest = std::chrono::minutes(1))
      : first_(first), longest_(longest), bound_(first) {}

  // `random`: evenly over 64 bits. Out: at least half of the bound.
  [[nodiscard]] Duration next(std::uint64_t random) {
    const Duration half = bound_ / 2;
    bound_ = std::min(2 * bound_, longest_);
    return half + Duration(static_cast<Duration::rep>(
                      random % (static_cast<std::uint64_t>(half.count()) + 1)));
  }
  void reset() { bound_ = first_; }

 private:
  Duration first_;
  Duration longest_;
  Duration bound_;
};

}  // namespace ebbgate::fleet
