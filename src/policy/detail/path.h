// Whether a request's path lies under a prefix of the policy, however the origin may come to read
// it: percent-encoded, with dot segments, doubled slashes, backslashes or path parameters
// (RFC 3986 6.2.2 and 3.3).
#pragma once

#include <string_view>

namespace ebbgate::policy::detail {

// For allow: the path lies under the prefix by every reading. A path that has dot segments, in
// whatever encoding, never does.
[[nodiscard]] bool is_surely_under(std::string_view path, std::string_view prefix);

// For deny: some reading of the path lies under the prefix.
[[nodiscard]] bool may_be_under(std::string_view path, std::string_view prefix);

}  // namespace ebbgate::policy::detail
