#include "config/detail/yaml_writer.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <string_view>

namespace ebbgate::config::detail {
namespace {

using Json = nlohmann::ordered_json;

// Whether every YAML reader takes the text, written without quotes, for that text (YAML 1.1 5.1,
// and its words that are no text).
bool is_plain(std::string_view text) {
  static constexpr std::array<std::string_view, 9> kWords = {"true", "false", "null", "yes", "no",
                                                             "on",   "off",   "y",    "n"};
  const auto is_letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); };
  std::string lower(text);
  std::ranges::transform(lower, lower.begin(), [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
  });
  const bool is_path = text.size() > 4 && text.front() == '.' && is_letter(text[1]);
  return !text.empty() && (is_letter(text.front()) || is_path) && text.back() != ' ' &&
         std::ranges::find(kWords, lower) == kWords.end() && std::ranges::all_of(text, [&](char c) {
           return is_letter(c) || (c >= '0' && c <= '9') ||
                  std::string_view(" -_./,;()").contains(c);
         });
}

std::string scalar(const Json& value) {
  if (value.is_string() && is_plain(value.get_ref<const std::string&>())) {
    return value.get<std::string>();
  }
  return value.dump();  // a string of JSON is one of YAML
}

// `is_inline`: the first line goes on behind `- `.
void write(const Json& value, std::size_t indent, bool is_inline, std::string& out) {
  const std::string blanks(indent, ' ');
  const auto nested = [&](const Json& each, std::size_t deeper) {
    if (each.is_structured() && !each.empty()) {
      out += '\n';
      write(each, indent + deeper, false, out);
    } else {
      out += ' ' + scalar(each) + '\n';
    }
  };
  if (value.is_array()) {
    for (const Json& each : value) {
      out += blanks + "-";
      if (each.is_object() && !each.empty()) {
        out += ' ';
        write(each, indent + 2, true, out);
      } else {
        nested(each, 2);
      }
    }
    return;
  }
  for (const auto& [key, each] : value.items()) {
    out += (is_inline ? "" : blanks) + scalar(key) + ":";
    is_inline = false;
    nested(each, 2);
  }
}

}  // namespace

std::string to_yaml(const Json& value) {
  std::string out;
  write(value, 0, false, out);
  return out;
}

}  // namespace ebbgate::config::detail
