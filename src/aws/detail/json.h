// JSON as AWS answers with it: parsed without exceptions, within limits, and read so that a value
// of another type is the same as none.
#pragma once

#include <nlohmann/json.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace ebbgate::aws::detail {

using Json = nlohmann::json;

inline constexpr std::size_t kMaxJsonOctets = std::size_t{4} << 20;
inline constexpr std::size_t kMaxJsonDepth = 32;
inline constexpr std::size_t kMaxJsonValues = 400'000;

// Nothing: no JSON object in UTF-8, or beyond a limit above.
[[nodiscard]] std::optional<Json> parse_json(std::string_view text);
// For a request's body; octets that are not UTF-8 become U+FFFD.
[[nodiscard]] std::string to_text(const Json& json);

// The value at `key`; null where `json` is no object or has none.
[[nodiscard]] const Json* at(const Json& json, std::string_view key);
[[nodiscard]] std::string text_at(const Json& json, std::string_view key);
[[nodiscard]] std::optional<std::int64_t> integer_at(const Json& json, std::string_view key);
[[nodiscard]] bool is_true_at(const Json& json, std::string_view key);
// The strings of the array there.
[[nodiscard]] std::vector<std::string> texts_at(const Json& json, std::string_view key);

}  // namespace ebbgate::aws::detail
