// The plain list: one pattern a line or several with commas between, `#` starts a comment. Text in,
// a document that allows them to everyone out, with every problem of the text at once.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "policy/document.h"

namespace ebbgate::policy {

struct ParsedList {
  Document document;  // of what could be read; not to be used where has_errors(problems)
  std::vector<PolicyProblem> problems;
};

// In: the whole text in UTF-8 (a byte order mark and CRLF are let pass) and the name of its file,
// which becomes the document's name. A list without any entry is an error: it is more often a file
// that was cut than one that means to allow nothing.
[[nodiscard]] ParsedList parse_list(std::string_view text, std::string file);

}  // namespace ebbgate::policy
