// From rules in an order, as Squid and tinyproxy have them, to documents without one: the sets of
// what is allowed, and their text.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "analyse/detail/access_sets.h"
#include "policy/problem.h"

namespace ebbgate::analyse::detail {

struct AccessRule {
  bool allows = false;
  Box box;  // what the rule is about; its origin says where the rule stands
};

// What the first rule that matches allows, as boxes that name no order: each allow rule without
// what the deny rules before it took. Nothing where there would be too many.
[[nodiscard]] std::optional<std::vector<Box>> allowed_boxes(const std::vector<AccessRule>& rules);

// Where the boxes came from, for their text and for notes.
struct Source {
  std::string file;
  std::string name;                  // of the documents: `squid`, and `squid-2` and so on
  std::vector<std::string> methods;  // by bit, CONNECT first
};

// One document for each set of clients. Appends notes about what a document cannot say: every host,
// tunnels without clear requests, an exception that a wider entry lets pass.
[[nodiscard]] std::string documents_of(const std::vector<Box>& boxes, const Source& source,
                                       std::vector<policy::PolicyProblem>& notes);

// Text in YAML's double quotes; what is not printable ASCII is escaped.
[[nodiscard]] std::string in_quotes(std::string_view text);

}  // namespace ebbgate::analyse::detail
