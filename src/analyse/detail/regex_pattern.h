// Regular expressions over host names that say what a pattern says: `(^|\.)example\.com$`.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "policy/pattern.h"

namespace ebbgate::analyse::detail {

struct RegexMeaning {
  std::vector<policy::Pattern> patterns;
  // The expression matches more: a name that only ends alike or goes on, or any octet for an
  // unescaped dot.
  bool is_less = false;
};

// In: a POSIX extended expression that is searched for in a host name in lower case. Out: nothing
// where no patterns come near it. Alternatives (`(a|b)\.example\.com`) become several patterns.
[[nodiscard]] std::optional<RegexMeaning> patterns_of_regex(std::string_view expression);

}  // namespace ebbgate::analyse::detail
