// What no single value of eks.yaml can know: whether its blocks are private, apart and large
// enough, its zones the region's, its numbers in order, its list of domains a policy. Everything
// is found here, before anything is asked of AWS.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "config/eks.h"
#include "config/settings.h"

namespace ebbgate::deploy {

// The largest text that a parameter of a stack holds, in octets.
inline constexpr std::size_t kMaxAllowlist = 4096;

// Whether instances of that type, such as m7g.large, are of arm64.
[[nodiscard]] bool is_arm64(std::string_view instance_type);

// How many Elastic IPs the template makes: one to spare, since a gateway that drains has its own
// still when its successor claims one.
[[nodiscard]] inline std::size_t address_count(const config::EksGateway& gateway) {
  return gateway.max.value + 1;
}

struct Checked {
  std::vector<config::Problem> problems;
  // The policy that the gateways start with, as documents: `domains` and `bundles` as one, and
  // what the file of `policy` holds. Not to be used where has_errors(problems).
  std::string allowlist;
};

[[nodiscard]] Checked check(const config::EksSettings& settings,
                            const config::ReadFile& read = config::read_file);

}  // namespace ebbgate::deploy
