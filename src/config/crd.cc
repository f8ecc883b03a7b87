// The rows of the document's description as a structural schema: each field has a type, nothing
// forbids unknown keys (the API server takes them away), and what a type cannot say is a rule in
// CEL with our own words. CEL's cost is estimated by the server from the longest that a list may
// be, so the lists that hold rules have a bound.
#include "config/crd.h"

#include <nlohmann/json.hpp>
#include <string_view>
#include <utility>
#include <vector>

#include "config/detail/key.h"
#include "config/detail/yaml_writer.h"

namespace ebbgate::config {
namespace {

using Json = nlohmann::ordered_json;
using detail::KeyInfo;
using detail::Shape;

constexpr int kMaxObjects = 10'000;  // of allow and deny; a resource is at most 1.5 MiB anyway
constexpr int kMaxText = 1200;       // octets of an entry

Json text_type() {
  return {{"type", "string"}, {"minLength", 1}, {"maxLength", kMaxText}};
}

Json rule(std::string expression, std::string message) {
  return {{"rule", std::move(expression)}, {"message", std::move(message)}};
}

std::string has(std::string_view key) {
  return "has(self." + std::string(key) + ")";
}

Json atomic_list(Json items) {
  return {{"type", "array"},
          {"minItems", 1},
          {"maxItems", kMaxObjects},
          {"x-kubernetes-list-type", "atomic"},
          {"items", std::move(items)}};
}

Json word_type(std::string_view words) {
  Json choices = Json::array();
  while (!words.empty()) {
    const std::size_t end = std::min(words.find('|'), words.size());
    choices.push_back(words.substr(0, end));
    words.remove_prefix(std::min(end + 1, words.size()));
  }
  return {{"type", "string"}, {"enum", std::move(choices)}};
}

Json port_type() {
  return {{"x-kubernetes-int-or-string", true},
          {"anyOf", {{{"type", "integer"}}, {{"type", "string"}}}},
          {"minimum", 1},
          {"maximum", 65535},
          {"pattern", "^[1-9][0-9]{0,4}(-[1-9][0-9]{0,4})?$"}};
}

class SchemaWriter {
 public:
  explicit SchemaWriter(ResourceScope scope) : scope_(scope) {}

  Json object_of(const std::vector<KeyInfo>& keys) const {
    Json properties = Json::object();
    Json required = Json::array();
    Json rules = Json::array();
    std::string one_of;
    std::string one_of_names;
    for (const KeyInfo& key : keys) {
      if (!is_known(key)) continue;
      Json property = shape_of(key);
      if (!key.doc.empty()) property["description"] = key.doc;
      properties[std::string(key.name)] = std::move(property);
      if (key.is_required) required.push_back(key.name);
      if (!key.needs.empty() && is_to_be_asked(key.needs)) {
        rules.push_back(rule("!" + has(key.name) + " || " + has(key.needs),
                             std::string(key.name) + " needs " + std::string(key.needs)));
      }
      if (!key.is_one_of) continue;
      one_of += (one_of.empty() ? "" : " || ") + has(key.name);
      one_of_names += (one_of_names.empty() ? "" : " or ") + std::string(key.name);
    }
    if (!one_of.empty()) rules.push_back(rule(one_of, "there has to be " + one_of_names));
    Json out{{"type", "object"}};
    if (one_of.empty() && required.empty()) out["minProperties"] = 1;
    if (!required.empty()) out["required"] = std::move(required);
    if (!rules.empty()) out["x-kubernetes-validations"] = std::move(rules);
    out["properties"] = std::move(properties);
    return out;
  }

  // Whether documents of this scope have the key.
  bool is_known(const KeyInfo& key) const {
    if (scope_ == ResourceScope::kNamespaced && key.is_of_cluster) return false;
    return key.later.empty() || key.is_of_pods || key.is_of_resources;
  }

 private:
  // In a namespace its name needs no saying.
  bool is_to_be_asked(std::string_view needed) const {
    return scope_ == ResourceScope::kCluster || needed != "namespace";
  }

  Json shape_of(const KeyInfo& key) const {
    switch (key.shape) {
      case Shape::kText:
        return text_type();
      case Shape::kWord:
        return word_type(key.words);
      case Shape::kTime:
        return {{"type", "string"}, {"format", "date-time"}};
      case Shape::kTexts:
        return atomic_list(text_type());
      case Shape::kPorts:
        return atomic_list(port_type());
      case Shape::kLabels:
        return {{"type", "object"},
                {"minProperties", 1},
                {"x-kubernetes-map-type", "atomic"},
                {"additionalProperties", {{"type", "string"}}}};
      case Shape::kObject:
        return object_of(key.nested());
      case Shape::kObjects:
        return atomic_list(object_of(key.nested()));
      case Shape::kAnything:
        break;
    }
    return {{"type", "object"}};
  }

  ResourceScope scope_;
};

Json described(Json type, std::string_view text) {
  type["description"] = text;
  return type;
}

// `spec`, and that it says anything: the rule of the parser's read_spec().
Json spec_of(ResourceScope scope) {
  for (const KeyInfo& key : detail::document_key_infos()) {
    if (key.name != "spec") continue;
    Json spec = SchemaWriter(scope).object_of(key.nested());
    std::string says = "has(self.allow) || has(self.deny)";
    if (scope == ResourceScope::kCluster) {
      says += " || has(self.delegate) || (has(self.mode) && self.mode == 'report')";
    }
    spec["x-kubernetes-validations"].push_back(
        rule(says, "spec neither allows nor denies anything"));
    return described(std::move(spec), key.doc);
  }
  return {};
}

// What the gateways write; conditions as in meta/v1, Condition.
Json status() {
  const auto text = [](int most) { return Json{{"type", "string"}, {"maxLength", most}}; };
  const auto count = [](std::string_view what) {
    return described({{"type", "integer"}, {"format", "int32"}, {"minimum", 0}}, what);
  };
  const Json generation{{"type", "integer"}, {"format", "int64"}, {"minimum", 0}};
  Json condition{{"type", "object"},
                 {"required", {"type", "status", "lastTransitionTime", "reason", "message"}},
                 {"properties",
                  {{"type", text(316)},
                   {"status", {{"type", "string"}, {"enum", {"True", "False", "Unknown"}}}},
                   {"observedGeneration", generation},
                   {"lastTransitionTime", {{"type", "string"}, {"format", "date-time"}}},
                   {"reason", text(1024)},
                   {"message", text(32768)}}}};
  Json problem{{"type", "object"},
               {"required", {"message"}},
               {"properties",
                {{"severity", word_type("warning|error")},
                 {"where", described(text(256), "As in spec.allow[3].hosts[0].")},
                 {"message", text(1024)},
                 {"fix", described(text(1024), "What to write instead.")}}}};
  return {{"type", "object"},
          {"description", "What has become of it."},
          {"properties",
           {{"observedGeneration", described(generation, "Of the spec that this is about.")},
            {"gateways", count("How many gateways go by it.")},
            {"allow", count("Entries of allow that count, be it in part.")},
            {"deny", count("Entries of deny that count.")},
            {"conditions",
             {{"type", "array"},
              {"maxItems", 16},
              {"x-kubernetes-list-type", "map"},
              {"x-kubernetes-list-map-keys", {"type"}},
              {"description",
               "Accepted: it is valid, and what it says counts. Programmed: every "
               "gateway goes by it."},
              {"items", std::move(condition)}}},
            {"problems",
             {{"type", "array"},
              {"maxItems", 100},
              {"x-kubernetes-list-type", "atomic"},
              {"description", "What is wrong with it, or does not count."},
              {"items", std::move(problem)}}}}}};
}

Json column(std::string_view name, std::string_view type, std::string_view path,
            std::string_view doc = {}) {
  Json out{{"name", name}, {"type", type}, {"jsonPath", path}};
  if (!doc.empty()) out["description"] = doc;
  return out;
}

Json columns_of(ResourceScope scope) {
  Json columns = Json::array();
  if (scope == ResourceScope::kCluster) {
    columns.push_back(column("Mode", "string", ".spec.mode", "report: decides, but lets pass."));
  }
  const auto condition = [](std::string_view type) {
    return ".status.conditions[?(@.type==\"" + std::string(type) + "\")].status";
  };
  columns.push_back(column("Allow", "integer", ".status.allow", "Entries that count."));
  columns.push_back(column("Deny", "integer", ".status.deny", "Entries that count."));
  columns.push_back(column("Accepted", "string", condition("Accepted")));
  columns.push_back(column("Programmed", "string", condition("Programmed")));
  columns.push_back(column("Age", "date", ".metadata.creationTimestamp"));
  return columns;
}

}  // namespace

std::string custom_resource_definition(ResourceScope scope) {
  const bool is_cluster = scope == ResourceScope::kCluster;
  const std::string kind = is_cluster ? "ClusterEgressPolicy" : "EgressPolicy";
  const std::string singular = is_cluster ? "clusteregresspolicy" : "egresspolicy";
  const std::string plural = is_cluster ? "clusteregresspolicies" : "egresspolicies";
  Json root{{"type", "object"},
            {"description", is_cluster ? "What may be reached from this cluster, by whom and how."
                                       : "What the pods of this namespace may reach, within what "
                                         "ClusterEgressPolicies delegate to it."},
            {"required", {"spec"}},
            {"properties",
             {{"apiVersion", {{"type", "string"}}},
              {"kind", {{"type", "string"}}},
              {"metadata", {{"type", "object"}}},
              {"spec", spec_of(scope)},
              {"status", status()}}}};
  Json version{{"name", "v1alpha1"},
               {"served", true},
               {"storage", true},
               {"subresources", {{"status", Json::object()}}},
               {"additionalPrinterColumns", columns_of(scope)},
               {"schema", {{"openAPIV3Schema", std::move(root)}}}};
  const Json crd{
      {"apiVersion", "apiextensions.k8s.io/v1"},
      {"kind", "CustomResourceDefinition"},
      {"metadata",
       {{"name", plural + ".ebbgate.dev"}, {"labels", {{"app.kubernetes.io/name", "ebbgate"}}}}},
      {"spec",
       {{"group", "ebbgate.dev"},
        {"scope", is_cluster ? "Cluster" : "Namespaced"},
        {"names",
         {{"kind", kind},
          {"listKind", kind + "List"},
          {"plural", plural},
          {"singular", singular},
          {"shortNames", {is_cluster ? "cegp" : "egp"}},
          {"categories", {"ebbgate"}}}},
        {"versions", Json::array({std::move(version)})}}}};
  return "# Made by `ebbgate kube manifests` from the description of the policy language.\n" +
         detail::to_yaml(crd);
}

}  // namespace ebbgate::config
