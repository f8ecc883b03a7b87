#include "deploy/kube_objects.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <set>
#include <utility>

#include "config/yaml_json.h"

namespace ebbgate::deploy {
namespace {

using Json = nlohmann::json;

constexpr std::size_t kMaxShown = 100;  // octets of a value

std::string text_at(const Json& object, const char* key) {
  const auto found = object.find(key);
  return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

const Json& at(const Json& object, const char* key) {
  static const Json kNothing;
  if (!object.is_object()) return kNothing;
  const auto found = object.find(key);
  return found == object.end() ? kNothing : *found;
}

// What others stand on comes first. A namespace's bypass is closed when there is another way, and
// nobody is asked for admission before there is somebody to answer.
std::size_t rank_of(const KubeObject& object) {
  static constexpr std::array<std::string_view, 9> kFirst = {
      "CustomResourceDefinition", "Namespace",   "ServiceAccount", "ClusterRole", "Role",
      "ClusterRoleBinding",       "RoleBinding", "ConfigMap",      "Secret"};
  static constexpr std::array<std::string_view, 2> kLast = {"MutatingWebhookConfiguration",
                                                            "ValidatingWebhookConfiguration"};
  const auto first = std::ranges::find(kFirst, object.kind);
  if (first != kFirst.end()) return static_cast<std::size_t>(first - kFirst.begin());
  constexpr std::size_t kMiddle = kFirst.size();
  if (std::ranges::find(kLast, object.kind) != kLast.end()) return kMiddle + 2;
  if (object.api_version.starts_with("ebbgate.dev/")) return kMiddle + 3;
  const bool is_closing = object.part == KubePart::kNamespaces && object.kind == "NetworkPolicy";
  if (is_closing) return kMiddle + 4;
  return kMiddle + (object.part == KubePart::kDaemonSets ? 1 : 0);
}

Result<KubeObject> object_in(const KubeFile& file, std::string json) {
  const Json parsed = Json::parse(json, nullptr, false);
  KubeObject object{.part = file.part,
                    .api_version = parsed.is_object() ? text_at(parsed, "apiVersion") : "",
                    .kind = parsed.is_object() ? text_at(parsed, "kind") : "",
                    .json = std::move(json)};
  const Json& metadata = at(parsed, "metadata");
  if (metadata.is_object()) {
    object.in_namespace = text_at(metadata, "namespace");
    object.name = text_at(metadata, "name");
  }
  if (object.api_version.empty() || object.kind.empty() || object.name.empty()) {
    return fail(Reason::kInternal, Side::kSelf,
                file.path + ": an object without apiVersion, kind or name");
  }
  return object;
}

// Keys of metadata that the server writes.
bool is_servers(std::string_view key) {
  static const std::set<std::string_view> kKeys = {
      "managedFields", "resourceVersion", "generation", "uid", "creationTimestamp", "selfLink"};
  return kKeys.contains(key);
}

std::string shown(const Json& value) {
  std::string text = value.dump(-1, ' ', false, Json::error_handler_t::replace);
  if (text.size() <= kMaxShown) return text;
  std::size_t end = kMaxShown;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xc0U) == 0x80U) --end;
  return text.substr(0, end) + "... (" + std::to_string(text.size()) + " octets)";
}

// The key by which a list's items are told apart, if they are: as server-side apply does it for
// most lists of Kubernetes' own.
const char* key_of(const Json& one, const Json& other) {
  for (const char* key : {"name", "type", "topologyKey"}) {
    std::size_t items = 0;
    std::set<std::pair<bool, std::string>> seen;
    for (const Json* list : {&one, &other}) {
      for (const Json& each : *list) {
        const std::string text = each.is_object() ? text_at(each, key) : "";
        if (!text.empty()) seen.emplace(list == &one, text);
        ++items;
      }
    }
    if (items != 0 && seen.size() == items) return key;
  }
  return nullptr;
}

class Comparison {
 public:
  explicit Comparison(bool hides) : hides_(hides) {}

  void compare(const Json* before, const Json* after, const std::string& path) {
    if (before != nullptr && after != nullptr) {
      if (*before == *after) return;
      if (before->is_object() && after->is_object()) return compare_maps(*before, *after, path);
      if (before->is_array() && after->is_array()) return compare_lists(*before, *after, path);
    }
    changes.push_back({path, told(before, path), told(after, path)});
  }

  std::vector<FieldChange> changes;

 private:
  [[nodiscard]] std::string told(const Json* value, std::string_view path) const {
    if (value == nullptr) return "";
    const bool is_hidden = hides_ && (path.starts_with(".data") || path.starts_with(".stringData"));
    return is_hidden ? "(hidden)" : shown(*value);
  }

  void compare_maps(const Json& before, const Json& after, const std::string& path) {
    std::set<std::string> keys;
    for (const auto& [key, value] : before.items()) keys.insert(key);
    for (const auto& [key, value] : after.items()) keys.insert(key);
    for (const std::string& key : keys) {
      if ((path == ".metadata" && is_servers(key)) || (path.empty() && key == "status")) continue;
      const auto left = before.find(key);
      const auto right = after.find(key);
      std::string field = path;
      field.append(".").append(key);
      compare(left == before.end() ? nullptr : &*left, right == after.end() ? nullptr : &*right,
              field);
    }
  }

  void compare_lists(const Json& before, const Json& after, const std::string& path) {
    if (const char* key = key_of(before, after)) {
      const std::size_t known = changes.size();
      for (const Json& each : before) {
        const auto same = find(after, key, each[key]);
        compare(&each, same, path + "[" + key + "=" + each[key].dump() + "]");
      }
      for (const Json& each : after) {
        if (find(before, key, each[key]) != nullptr) continue;
        compare(nullptr, &each, path + "[" + key + "=" + each[key].dump() + "]");
      }
      if (changes.size() == known) changes.push_back({path, told(&before, path), "another order"});
      return;
    }
    if (before.size() != after.size()) {
      changes.push_back({path, told(&before, path), told(&after, path)});
      return;
    }
    for (std::size_t i = 0; i < before.size(); ++i) {
      compare(&before[i], &after[i], path + "[" + std::to_string(i) + "]");
    }
  }

  static const Json* find(const Json& list, const char* key, const Json& value) {
    for (const Json& each : list) {
      if (each[key] == value) return &each;
    }
    return nullptr;
  }

  bool hides_;
};

Json fields_of(std::string_view object, std::string_view manager) {
  const Json parsed = Json::parse(object, nullptr, false);
  const Json& entries = at(at(parsed, "metadata"), "managedFields");
  if (!entries.is_array()) return {};
  for (const Json& each : entries) {
    if (each.is_object() && text_at(each, "manager") == manager &&
        text_at(each, "operation") == "Apply" && text_at(each, "subresource").empty()) {
      return at(each, "fieldsV1");
    }
  }
  return {};
}

}  // namespace

std::string KubeObject::str() const {
  return kind + " " + (in_namespace.empty() ? "" : in_namespace + "/") + name;
}

Result<std::vector<KubeObject>> objects_of(std::span<const KubeFile> files) {
  std::vector<KubeObject> out;
  for (const KubeFile& file : files) {
    if (!file.path.ends_with(".yaml") || file.path.ends_with("kustomization.yaml")) continue;
    auto documents = config::yaml_as_json(file.text);
    if (!documents) {
      return fail(Reason::kInternal, Side::kSelf, file.path + ": " + documents.error().detail);
    }
    for (std::string& json : *documents) {
      auto object = object_in(file, std::move(json));
      if (!object) return std::unexpected(std::move(object.error()));
      out.push_back(*std::move(object));
    }
  }
  std::vector<KubeObject> ordered;
  for (std::size_t rank = 0; ordered.size() < out.size(); ++rank) {
    for (KubeObject& each : out) {
      if (!each.kind.empty() && rank_of(each) == rank) ordered.push_back(std::exchange(each, {}));
    }
  }
  return ordered;
}

std::vector<FieldChange> changes_between(std::string_view live, std::string_view after) {
  const Json left = Json::parse(live, nullptr, false);
  const Json right = Json::parse(after, nullptr, false);
  const bool is_secret = right.is_object() && text_at(right, "kind") == "Secret";
  Comparison comparison(is_secret);
  comparison.compare(&left, &right, "");
  return std::move(comparison.changes);
}

bool has_same_fields(std::string_view live, std::string_view after, std::string_view manager) {
  return fields_of(live, manager) == fields_of(after, manager);
}

}  // namespace ebbgate::deploy
