#include "aws/detail/json.h"

namespace ebbgate::aws::detail {
namespace {

// The parser of the library has no limits; strings are skipped as it would read them.
[[nodiscard]] bool is_within_limits(std::string_view text) {
  std::size_t depth = 0;
  std::size_t values = 1;
  bool is_in_string = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (is_in_string) {
      if (c == '\\') ++i;
      if (c == '"') is_in_string = false;
      continue;
    }
    if (c == '"') is_in_string = true;
    if ((c == '[' || c == '{') && (++depth > kMaxJsonDepth || ++values > kMaxJsonValues)) {
      return false;
    }
    if (c == ',' && ++values > kMaxJsonValues) return false;
    if ((c == ']' || c == '}') && depth > 0) --depth;
  }
  return true;
}

}  // namespace

std::optional<Json> parse_json(std::string_view text) {
  if (text.size() > kMaxJsonOctets || !is_within_limits(text)) return std::nullopt;
  Json json = Json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (!json.is_object()) return std::nullopt;
  return json;
}

std::string to_text(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

const Json* at(const Json& json, std::string_view key) {
  if (!json.is_object()) return nullptr;
  const auto found = json.find(key);
  return found == json.end() ? nullptr : &*found;
}

std::string text_at(const Json& json, std::string_view key) {
  const Json* value = at(json, key);
  return value == nullptr || !value->is_string() ? std::string() : value->get<std::string>();
}

std::optional<std::int64_t> integer_at(const Json& json, std::string_view key) {
  const Json* value = at(json, key);
  if (value == nullptr || !value->is_number_integer()) return std::nullopt;
  return value->get<std::int64_t>();
}

bool is_true_at(const Json& json, std::string_view key) {
  const Json* value = at(json, key);
  return value != nullptr && value->is_boolean() && value->get<bool>();
}

std::vector<std::string> texts_at(const Json& json, std::string_view key) {
  std::vector<std::string> texts;
  const Json* value = at(json, key);
  if (value == nullptr || !value->is_array()) return texts;
  for (const Json& each : *value) {
    if (each.is_string()) texts.push_back(each.get<std::string>());
  }
  return texts;
}

}  // namespace ebbgate::aws::detail
