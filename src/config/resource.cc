#include "config/resource.h"

#include <algorithm>
#include <cstddef>
#include <map>
#include <nlohmann/json.hpp>
#include <utility>

#include "base/escape.h"

namespace ebbgate::config {
namespace {

// Not the ordered kind, so that the order in which a resource has its keys does not matter.
using Json = nlohmann::json;

constexpr int kMaxDepth = 100;  // nothing of Kubernetes is as deep, and what walks over it recurses

std::string json_string(std::string_view text) {
  return Json(text).dump(-1, ' ', false, Json::error_handler_t::replace);
}

// Writes a value with a line for each that it holds.
void write(const Json& value, std::string& out) {
  if (!value.is_structured() || value.empty()) {
    out += value.dump(-1, ' ', false, Json::error_handler_t::replace);
    return;
  }
  out += value.is_object() ? "{\n" : "[\n";
  bool is_first = true;
  for (const auto& [key, child] : value.items()) {
    if (!std::exchange(is_first, false)) out += ",\n";
    if (value.is_object()) out += json_string(key) + ": ";
    write(child, out);
  }
  out += value.is_object() ? "\n}" : "\n]";
}

// The paths of the values that begin or end on the lines of `paths`, which write() would give them.
class Paths {
 public:
  using ByLine = std::map<std::uint32_t, std::string>;

  explicit Paths(ByLine& paths) : paths_(paths) {}
  void find(const Json& root) { visit(root); }

 private:
  void note() {
    if (const auto wanted = paths_.find(line_); wanted != paths_.end()) wanted->second = path_;
  }

  void visit(const Json& value) {
    note();
    if (!value.is_structured() || value.empty()) return;
    const std::size_t size = path_.size();
    std::size_t index = 0;
    for (const auto& [key, child] : value.items()) {
      ++line_;
      if (value.is_object()) {
        path_ += (path_.empty() ? "" : ".") + key;
      } else {
        path_ += "[" + std::to_string(index++) + "]";
      }
      visit(child);
      path_.resize(size);
    }
    ++line_;
    note();
  }

  ByLine& paths_;
  std::string path_;
  std::uint32_t line_ = 1;
};

bool is_too_deep(const Json& value, int left) {
  if (!value.is_structured()) return false;
  return left == 0 || std::ranges::any_of(
                          value, [&](const Json& child) { return is_too_deep(child, left - 1); });
}

const Json* member_of(const Json& from, const char* key) {
  const auto found = from.find(key);
  return found == from.end() || found->is_null() ? nullptr : &*found;
}

}  // namespace

std::string ResourceId::str() const {
  return kind + " " + (in_namespace.empty() ? "" : in_namespace + "/") + name;
}

std::string ResourceProblem::str() const {
  std::string out = where.empty() ? message : where + ": " + message;
  if (!fix.empty()) out += "; " + fix;
  return out;
}

std::expected<ResourceText, std::string> ResourceText::read(std::string_view json,
                                                            const ResourceId& id) {
  Json object;
  try {
    object = Json::parse(json);
  } catch (const Json::exception&) {
    return std::unexpected("it is no JSON");
  }
  if (!object.is_object()) return std::unexpected("it is no JSON object");
  if (is_too_deep(object, kMaxDepth)) return std::unexpected("it is nested too deep");
  object.erase("status");
  Json metadata = Json::object();
  if (const auto given = object.find("metadata"); given != object.end() && given->is_object()) {
    for (const char* key : {"name", "namespace"}) {
      if (const Json* value = member_of(*given, key)) metadata[key] = *value;
    }
  }
  const auto supply = [](Json& to, const char* key, const std::string& value) {
    if (!to.contains(key) && !value.empty()) to[key] = value;
  };
  supply(metadata, "name", id.name);
  supply(metadata, "namespace", id.in_namespace);
  object["metadata"] = std::move(metadata);
  supply(object, "kind", id.kind);
  std::string text;
  write(object, text);
  return ResourceText(std::move(text));
}

std::vector<ResourceProblem> ResourceText::located(std::span<const Problem> problems) const {
  Paths::ByLine paths;
  for (const Problem& problem : problems) {
    if (problem.position.line > 0) paths.try_emplace(problem.position.line);
  }
  if (!paths.empty()) Paths(paths).find(Json::parse(text_));
  std::vector<ResourceProblem> out;
  out.reserve(problems.size());
  for (const Problem& problem : problems) {
    const auto path = paths.find(problem.position.line);
    out.push_back({.severity = problem.severity,
                   .where = path == paths.end() ? std::string() : escaped(path->second),
                   .message = problem.message,
                   .fix = problem.fix});
  }
  return out;
}

}  // namespace ebbgate::config
