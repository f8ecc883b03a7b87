// Octets as this folder looks at them: digests, UTF-8, lines, dates.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace ebbgate::source::detail {

// SHA-256 in 64 lower-case hexadecimal digits.
[[nodiscard]] std::string sha256_hex(std::string_view octets);

// Whether it is well-formed UTF-8 (RFC 3629) without NUL.
[[nodiscard]] bool is_utf8_text(std::string_view octets);

// Up to the next line's end, without it; `text` begins after it from then on.
[[nodiscard]] std::string_view take_line(std::string_view& text);
[[nodiscard]] std::string_view trimmed(std::string_view text);

// Decimal digits only, of a number from 0 to 2^63-1.
[[nodiscard]] std::optional<std::int64_t> parse_number(std::string_view text);

// `Tue, 24 Nov 2026 10:00:00 GMT` (RFC 9110 5.6.7, the form that is sent today) as seconds since
// the epoch.
[[nodiscard]] std::optional<std::int64_t> parse_http_date(std::string_view text);

}  // namespace ebbgate::source::detail
