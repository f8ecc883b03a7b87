// A policy as a resource of the Kubernetes API. What a person wrote of it goes to the parser as a
// text with a line for each value, and what is wrong comes back with the path of the field: the
// webhook, the status of a resource and `ebbgate check` say the same of it.
#pragma once

#include <cstdint>
#include <expected>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "config/problem.h"

namespace ebbgate::config {

// Which object of the API it is.
struct ResourceId {
  std::string kind = {};          // EgressPolicy, ClusterEgressPolicy
  std::string in_namespace = {};  // empty: a ClusterEgressPolicy
  std::string name = {};
  std::string uid = {};         // of this one; another of the same name, made later, has its own
  std::int64_t generation = 0;  // grows with each change of `spec`

  // `EgressPolicy shop/checkout`: what stands for a file's name.
  [[nodiscard]] std::string str() const;
  bool operator==(const ResourceId&) const = default;
};

struct ResourceProblem {
  policy::Severity severity = policy::Severity::kError;
  std::string where = {};  // `spec.allow[0].hosts[1]`; empty: the whole. Printable
  std::string message = {};
  std::string fix = {};

  // `spec.allow[0].hosts[1]: what is wrong; what to do`.
  [[nodiscard]] std::string str() const;
  bool operator==(const ResourceProblem&) const = default;
};

// What of a resource is policy: all but its status, and of its metadata the name and the namespace.
class ResourceText {
 public:
  // `id` gives what the object leaves out, as those of a list may their kind, and a name where the
  // API is still to choose it. Errors: it is no JSON object, or nested deeper than 100 levels.
  [[nodiscard]] static std::expected<ResourceText, std::string> read(std::string_view json,
                                                                     const ResourceId& id);

  // For parse_documents(). Two resources that say the same have the same text.
  [[nodiscard]] const std::string& text() const { return text_; }

  // Problems of that text, with paths for lines, in their order.
  [[nodiscard]] std::vector<ResourceProblem> located(std::span<const Problem> problems) const;

 private:
  explicit ResourceText(std::string text) : text_(std::move(text)) {}

  std::string text_;
};

}  // namespace ebbgate::config
