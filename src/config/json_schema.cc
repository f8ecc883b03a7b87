// The document's description as a JSON Schema, for editors and for the Kubernetes resource.
#include <nlohmann/json.hpp>

#include "config/detail/key.h"
#include "config/document_yaml.h"

namespace ebbgate::config {
namespace {

using Json = nlohmann::ordered_json;
using detail::KeyInfo;
using detail::Shape;

Json object_of(const std::vector<KeyInfo>& keys);

Json list_of(Json items) {
  return {{"type", "array"}, {"minItems", 1}, {"items", std::move(items)}};
}

Json port_or_range() {
  return {{"anyOf",
           {{{"type", "integer"}, {"minimum", 1}, {"maximum", 65535}},
            {{"type", "string"}, {"pattern", "^[1-9][0-9]{0,4}(-[1-9][0-9]{0,4})?$"}}}}};
}

Json words_of(std::string_view words) {
  Json out = Json::array();
  while (!words.empty()) {
    const std::size_t end = std::min(words.find('|'), words.size());
    out.push_back(words.substr(0, end));
    words.remove_prefix(std::min(end + 1, words.size()));
  }
  return {{"enum", std::move(out)}};
}

Json shape_of(const KeyInfo& key) {
  switch (key.shape) {
    case Shape::kText:
      return {{"type", "string"}, {"minLength", 1}};
    case Shape::kWord:
      return words_of(key.words);
    case Shape::kTime:
      return {{"type", "string"}, {"format", "date-time"}};
    case Shape::kTexts:
      return list_of({{"type", "string"}, {"minLength", 1}});
    case Shape::kPorts:
      return list_of(port_or_range());
    case Shape::kLabels:
      return {{"type", "object"}, {"additionalProperties", {{"type", "string"}}}};
    case Shape::kObject:
      return object_of(key.nested());
    case Shape::kObjects:
      return list_of(object_of(key.nested()));
    case Shape::kAnything:
      return Json::object();
  }
  return Json::object();
}

Json object_of(const std::vector<KeyInfo>& keys) {
  Json properties = Json::object();
  Json required = Json::array();
  Json one_of = Json::array();
  Json needs = Json::object();
  for (const KeyInfo& key : keys) {
    if (!key.later.empty()) continue;
    Json property = shape_of(key);
    if (!key.doc.empty()) property["description"] = key.doc;
    properties[std::string(key.name)] = std::move(property);
    if (key.is_required) required.push_back(key.name);
    if (key.is_one_of) one_of.push_back({{"required", {key.name}}});
    if (!key.needs.empty()) needs[std::string(key.name)] = {key.needs};
  }
  Json out{{"type", "object"}, {"additionalProperties", false}};
  if (!one_of.empty()) {
    out["anyOf"] = std::move(one_of);
  } else if (required.empty()) {
    out["minProperties"] = 1;
  }
  if (!required.empty()) out["required"] = std::move(required);
  if (!needs.empty()) out["dependentRequired"] = std::move(needs);
  out["properties"] = std::move(properties);
  return out;
}

}  // namespace

std::string json_schema() {
  Json schema{{"$schema", "https://json-schema.org/draft/2020-12/schema"},
              {"title", "Ebbgate EgressPolicy"}};
  schema.update(object_of(detail::document_key_infos()));
  return schema.dump(2) + '\n';
}

}  // namespace ebbgate::config
