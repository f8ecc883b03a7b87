// For the tests of this folder: policies and events in one line each.
#pragma once

#include <algorithm>
#include <expected>
#include <memory>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "analyse/log_event.h"
#include "analyse/log_reader.h"
#include "config/document_yaml.h"
#include "policy/list.h"
#include "policy/policy.h"

namespace ebbgate::analyse::detail {

inline std::shared_ptr<const policy::Policy> policy_of(std::vector<policy::Document> documents) {
  auto compiled = policy::Policy::compile(std::move(documents));
  if (!compiled.policy) throw std::invalid_argument(policy::str(compiled.problems.front()));
  return compiled.policy;
}

// A plain list.
inline std::shared_ptr<const policy::Policy> listed(std::string_view text) {
  auto parsed = policy::parse_list(text, "list");
  if (policy::has_errors(parsed.problems)) {
    throw std::invalid_argument(policy::str(parsed.problems.front()));
  }
  std::vector<policy::Document> documents;
  documents.push_back(std::move(parsed.document));
  return policy_of(std::move(documents));
}

// Documents as YAML.
inline std::shared_ptr<const policy::Policy> parsed(const std::string& text) {
  auto documents = config::parse_documents(text, "yaml", {.later_identities = true});
  if (policy::has_errors(documents.problems)) {
    throw std::invalid_argument(policy::str(documents.problems.front()) + "\n" + text);
  }
  return policy_of(std::move(documents.documents));
}

// `spec` of one document, in flow style.
inline std::shared_ptr<const policy::Policy> spec(const std::string& text) {
  return parsed(
      "apiVersion: ebbgate.dev/v1alpha1\nkind: EgressPolicy\nmetadata: {name: p}\nspec: " + text +
      "\n");
}

// A source that gives at most `step` octets at once.
inline ReadSome source_of(std::string_view text, std::size_t step = 1 << 20) {
  return [text, step](std::span<char> space) mutable -> std::expected<std::size_t, std::string> {
    const std::size_t size = std::min({text.size(), space.size(), step});
    text.substr(0, size).copy(space.data(), size);
    text.remove_prefix(size);
    return size;
  };
}

}  // namespace ebbgate::analyse::detail
