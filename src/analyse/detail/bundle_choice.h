// Which bundles say what was seen.
#pragma once

#include <cstddef>
#include <span>
#include <utility>
#include <vector>

#include "base/authority.h"
#include "policy/bundle.h"

namespace ebbgate::analyse::detail {

struct BundleChoice {
  const policy::Bundle* bundle = nullptr;
  policy::BundleArguments arguments;
  std::vector<std::size_t> seen;  // indices of what it covers and no choice before it does
};

// A bundle is chosen where at least half of the hosts that it is sure of were seen, with the most
// precise parameters that they tell; the one that covers most comes first.
[[nodiscard]] std::vector<BundleChoice> choose_bundles(std::span<const policy::Bundle> bundles,
                                                       std::span<const std::pair<Host, Port>> seen);

}  // namespace ebbgate::analyse::detail
