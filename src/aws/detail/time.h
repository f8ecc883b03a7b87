// Points in time as AWS and HTTP write them. Fractions of a second are cut.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"

namespace ebbgate::aws::detail {

[[nodiscard]] std::string basic_iso8601(WallTime when);  // 20260131T120000Z, as signatures have it
[[nodiscard]] std::string iso8601(WallTime when);        // 2026-01-31T12:00:00Z
// `2026-01-31T12:00:00Z`, with a fraction perhaps, or an offset; nothing where it is none.
[[nodiscard]] std::optional<WallTime> parse_iso8601(std::string_view text);
// RFC 9110 5.6.7, the one form that senders use: `Sun, 06 Nov 1994 08:49:37 GMT`.
[[nodiscard]] std::optional<WallTime> parse_http_date(std::string_view text);

}  // namespace ebbgate::aws::detail
