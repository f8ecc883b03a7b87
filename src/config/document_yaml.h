// The YAML form of policies (docs/policy.md): text in, documents out, with every problem of the
// text at once. JSON is YAML, so a parameter's value or a resource of the Kubernetes API reads too.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "config/problem.h"
#include "policy/document.h"

namespace ebbgate::config {

struct DocumentOptions {
  // Whether `user`, `certificate` and the fields of pods may stand in `subjects`: only where
  // something tells the gateway these of a client.
  bool later_identities = false;
  // Of these the fields of pods only: something tells the gateway which pod asks.
  bool pods_in_subjects = false;
  // The text is what the Kubernetes API says: an EgressPolicy has a namespace, and only the keys
  // that a namespace may use (semantics 11); subjects may be pods.
  bool are_resources = false;
  // So does each document whose metadata names a namespace, as in the files that people apply.
  bool may_be_resources = false;
};

struct ParsedDocuments {
  std::vector<policy::Document> documents;  // not to be used where has_errors(problems)
  std::vector<Problem> problems;
};

// In: UTF-8 text of documents with `---` between, and the name of the file, for the positions.
// Refused: what is not YAML, anchors, aliases and tags, keys given twice, more than 32 levels or
// 16 MiB, unknown keys, empty lists, values of another type, keys of later releases (by name).
// Documents without content are skipped; a text of nothing else is an error.
[[nodiscard]] ParsedDocuments parse_documents(std::string_view text, const std::string& file,
                                              const DocumentOptions& options = {});

// A JSON Schema (2020-12) of one document, from the description that the parser works by.
[[nodiscard]] std::string json_schema();

}  // namespace ebbgate::config
