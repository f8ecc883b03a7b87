// A length of time as flags and settings write it, for flags that are read elsewhere.
#pragma once

#include <expected>
#include <string>
#include <string_view>

#include "base/clock.h"

namespace ebbgate::config {

// A number and `ms`, `s`, `m` or `h`, or `0`; ten years at most. Error: what is wrong and what to
// write, in one clause.
[[nodiscard]] std::expected<Duration, std::string> read_duration(std::string_view text);

}  // namespace ebbgate::config
