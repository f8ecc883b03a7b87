// What a plan costs in a month, about: a small table of list prices. It is an estimate to compare
// plans by, not a bill; what depends on use is named and not counted.
#pragma once

#include <string>
#include <vector>

#include "config/eks.h"

namespace ebbgate::deploy {

struct CostLine {
  std::string what;      // "2 gateways (c7g.medium)"
  double monthly = 0;    // US dollars
  bool is_known = true;  // false: no price in the table; nothing is counted
};

struct Cost {
  std::vector<CostLine> lines;
  double monthly = 0;                 // the sum of what is known
  std::vector<std::string> excluded;  // what depends on use
  std::string source;                 // where the prices are from, and of when
};

[[nodiscard]] Cost estimate(const config::EksSettings& settings);

}  // namespace ebbgate::deploy
