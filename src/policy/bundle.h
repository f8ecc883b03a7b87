// Bundles: named sets of hosts that a service needs, such as `docker-hub`, as versioned data with
// parameters (docs/bundles.md). Text is read elsewhere; here a bundle becomes patterns, and a host
// finds the bundle that has it.
#pragma once

#include <cstdint>
#include <expected>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/authority.h"
#include "policy/pattern.h"

namespace ebbgate::policy {

struct BundleHost {
  // A pattern with its port that may hold {parameter}: `.dkr.ecr.{region}.amazonaws.com:443`.
  std::string host;
  std::string since = {};   // YYYY-MM from which on it is needed, where that is known
  std::string until = {};   // YYYY-MM from which on it is needed no more
  std::string unless = {};  // left out where this parameter is given: a narrower host has it
  bool is_unsure = false;   // no source names it, or the sources disagree
  std::string note = {};

  bool operator==(const BundleHost&) const = default;
};

struct BundleParameter {
  std::string name;
  std::string doc = {};
  std::string example = {};
  bool is_optional = false;  // without it, hosts that name it are left out

  bool operator==(const BundleParameter&) const = default;
};

struct Bundle {
  std::string name;
  std::string version = {};   // the day of its last change, YYYY-MM-DD
  std::string verified = {};  // the day on which it was last compared with what is published of it
  std::string summary = {};
  std::string risk = {};    // whom its hosts let in besides
  std::string caveat = {};  // what it cannot do; empty: nothing known
  std::vector<std::string> sources = {};
  std::vector<BundleParameter> parameters = {};
  std::vector<BundleHost> hosts = {};

  bool operator==(const Bundle&) const = default;
};

// Names and values: {"region", "eu-west-2"}.
using BundleArguments = std::vector<std::pair<std::string, std::string>>;

// A host of a bundle with its parameters filled in.
struct ExpandedHost {
  const BundleHost* host;  // in the bundle
  Pattern pattern;
};

// Whether the patterns keep the ports that the bundle gives them; a deny entry is for every port.
enum class BundlePorts : std::uint8_t { kOwn, kNone };

// The bundle's patterns, in its order. Errors: a parameter that is missing, unknown, given twice,
// or whose value could not stand in a host name (letters, digits and `-`).
[[nodiscard]] std::expected<std::vector<ExpandedHost>, PatternError> expand(
    const Bundle& bundle, const BundleArguments& arguments, BundlePorts ports);

[[nodiscard]] const Bundle* find_bundle(std::span<const Bundle> bundles, std::string_view name);

// How a bundle has a host, whatever the region or the account.
struct BundleMatch {
  const Bundle* bundle;
  const BundleHost* host;
  BundleArguments arguments;  // with which it does
};

// The bundles with a pattern for the name on that port; those that name it exactly come first.
[[nodiscard]] std::vector<BundleMatch> bundles_with(std::span<const Bundle> bundles,
                                                    const Host& host, Port port);

// "the bundle docker-hub has it since 2026-05"; with its parameters where it has some, and what is
// to be known of the host.
[[nodiscard]] std::string describe(const BundleMatch& match);

}  // namespace ebbgate::policy
