// Points in time as logs and people write them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace ebbgate::analyse {

// Milliseconds since 1970 of an RFC 3339 date-time (`2026-01-31T12:00:00.5Z`, `…+02:00`); nothing
// where it is none. The day of the month is checked up to 31.
[[nodiscard]] std::optional<std::int64_t> parse_rfc3339(std::string_view text);

// `7d`, `24h`, `90m` (that long before `now`), `2026-01-31` (its beginning, UTC), or RFC 3339.
[[nodiscard]] std::optional<std::int64_t> parse_since(std::string_view text, std::int64_t now);

// `2026-01-31T12:00:00Z`; the fraction is cut.
[[nodiscard]] std::string rfc3339(std::int64_t milliseconds);
// `2026-01-31`
[[nodiscard]] std::string date(std::int64_t milliseconds);

}  // namespace ebbgate::analyse
