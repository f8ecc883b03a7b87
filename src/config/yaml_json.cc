#include "config/yaml_json.h"

#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>
#include <optional>

namespace ebbgate::config {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::size_t kMaxNodes = 100'000;
constexpr std::size_t kMaxDepth = 64;

[[nodiscard]] Json plain(const std::string& text) {
  if (text.empty() || text == "~" || text == "null" || text == "Null" || text == "NULL") return {};
  if (text == "true" || text == "True" || text == "TRUE") return true;
  if (text == "false" || text == "False" || text == "FALSE") return false;
  const bool is_number = std::ranges::all_of(
      text, [](char c) { return (c >= '0' && c <= '9') || std::string_view("+-.eE").contains(c); });
  if (!is_number) return text;
  const char* const end = text.data() + text.size();
  const char* const begin = text.data() + (text.front() == '+' ? 1 : 0);
  std::int64_t whole = 0;
  if (const auto read = std::from_chars(begin, end, whole);
      read.ec == std::errc{} && read.ptr == end)
    return whole;
  double real = 0;
  if (const auto read = std::from_chars(begin, end, real);
      read.ec == std::errc{} && read.ptr == end)
    return real;
  return text;
}

class Converter {
 public:
  [[nodiscard]] std::optional<Json> convert(const YAML::Node& node, std::size_t depth) {
    if (++nodes_ > kMaxNodes || depth > kMaxDepth) return refuse(node, "there is too much of it");
    switch (node.Type()) {
      case YAML::NodeType::Undefined:
      case YAML::NodeType::Null:
        return Json();
      case YAML::NodeType::Scalar:
        if (node.Tag() == "!") return Json(node.Scalar());  // it is quoted, or a block
        if (node.Tag() != "?") return refuse(node, "a tag");
        return plain(node.Scalar());
      case YAML::NodeType::Sequence:
        return list(node, depth);
      case YAML::NodeType::Map:
        return map(node, depth);
    }
    return Json();
  }

  [[nodiscard]] const std::string& fault() const { return fault_; }

 private:
  std::optional<Json> refuse(const YAML::Node& node, std::string_view what) {
    const int line = node.Mark().is_null() ? 0 : node.Mark().line + 1;
    fault_ = "line " + std::to_string(line) + ": " + std::string(what);
    return std::nullopt;
  }

  std::optional<Json> list(const YAML::Node& node, std::size_t depth) {
    Json out = Json::array();
    for (const YAML::Node& each : node) {
      auto value = convert(each, depth + 1);
      if (!value) return std::nullopt;
      out.push_back(*std::move(value));
    }
    return out;
  }

  std::optional<Json> map(const YAML::Node& node, std::size_t depth) {
    Json out = Json::object();
    for (const auto& member : node) {
      const YAML::Node& key = member.first;
      const YAML::Node& each = member.second;
      if (!key.IsScalar()) return refuse(key, "a key that is no text");
      if (key.Scalar() == "<<") return refuse(key, "a merge key");
      if (out.contains(key.Scalar())) return refuse(key, "a key that was there before");
      auto value = convert(each, depth + 1);
      if (!value) return std::nullopt;
      out[key.Scalar()] = *std::move(value);
    }
    return out;
  }

  std::size_t nodes_ = 0;
  std::string fault_;
};

}  // namespace

Result<std::vector<std::string>> yaml_as_json(std::string_view text) {
  std::vector<YAML::Node> documents;
  try {  // yaml-cpp's only way to say it
    documents = YAML::LoadAll(std::string(text));
  } catch (const YAML::Exception& fault) {
    return fail(Reason::kMalformedRequest, Side::kSelf,
                "line " + std::to_string(fault.mark.line + 1) + ": " + fault.msg);
  }
  std::vector<std::string> out;
  Converter converter;
  for (const YAML::Node& each : documents) {
    const auto json = converter.convert(each, 0);
    if (!json) return fail(Reason::kMalformedRequest, Side::kSelf, converter.fault());
    if (!json->is_null()) {
      out.push_back(json->dump(-1, ' ', false, Json::error_handler_t::replace));
    }
  }
  return out;
}

}  // namespace ebbgate::config
