// Finds what goes wrong with a NO_PROXY value (semantics 8 and 9): entries that a client reads
// otherwise than was meant, and AWS names that lead nowhere.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace ebbgate::noproxy {

enum class Pitfall : std::uint8_t {
  kBlackHole,    // an AWS name whose VPC endpoint does not exist
  kWildcard,     // `*.`, which curl and Python never match
  kEverything,   // `*`: no client uses the proxy, or some do
  kSpace,        // spaces, which some clients take for part of an entry
  kCidrOnly,     // an address block and nothing for the clients that read none
  kMissingPair,  // `example.com` without `.example.com`, or the other way round
  kPort,         // `host:port`, which curl, Java and partly Python do not read
  kNotAnEntry,   // a URL, a path, an address that is none: nothing reads it
  kBracketPair,  // an IPv6 address without its form in brackets, or the other way round
  kTwice,        // the entry is there already
  kCaseDiffers,  // NO_PROXY and no_proxy are not alike
};

// The word for a pitfall in JSON, such as `black-hole`.
[[nodiscard]] std::string_view word(Pitfall pitfall);

struct Finding {
  Pitfall pitfall;
  std::string entry;  // as it stands in the value
  std::string text;   // what happens, and what to write instead

  bool operator==(const Finding&) const = default;
};

// What is known of the VPC; without a region, every public AWS name counts as one without endpoint.
struct VpcEndpoints {
  std::string region;
  std::vector<std::string> services;  // that exist, as ClusterFacts has them
};

// In order of the entries. Empty: every client reads the value as it was meant.
[[nodiscard]] std::vector<Finding> lint(std::string_view value, const VpcEndpoints& endpoints);

// The two variables as an environment has them; nothing: not set.
[[nodiscard]] std::optional<Finding> lint_case(const std::optional<std::string>& upper,
                                               const std::optional<std::string>& lower);

}  // namespace ebbgate::noproxy
