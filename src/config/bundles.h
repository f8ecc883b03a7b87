// The bundles that come with the program (bundles/*.yaml, compiled in; docs/bundles.md).
#pragma once

#include <expected>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "config/problem.h"
#include "policy/bundle.h"

namespace ebbgate::config {

// All of them, by name. Parsed once, when first asked for.
[[nodiscard]] const std::vector<policy::Bundle>& builtin_bundles();

// One file of bundles/: its bundle, or everything that is wrong with it. Checked besides the keys:
// every host is a pattern once its parameters have their example values, every parameter is used.
[[nodiscard]] std::expected<policy::Bundle, std::vector<Problem>> parse_bundle(
    std::string_view text, const std::string& file);

// The known bundle that somebody meant who wrote `name`; empty where none is near.
[[nodiscard]] std::string_view nearest_bundle(std::string_view name);

}  // namespace ebbgate::config
