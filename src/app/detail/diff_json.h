// A difference between two policies for programs, as `diff` and `policy push` print it.
#pragma once

#include <nlohmann/json.hpp>

#include "analyse/policy_diff.h"

namespace ebbgate::app::detail {

// {"same": …, "changes": […], "modes": […]}
[[nodiscard]] nlohmann::ordered_json json_of(const analyse::PolicyDiff& diff);

}  // namespace ebbgate::app::detail
