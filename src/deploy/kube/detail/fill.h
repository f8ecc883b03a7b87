// The marks by which a file of deploy/kubernetes is a template, too, and stays one that kustomize
// reads: a comment at the end of a line that holds a default.
//   image: ebbgate:0.1.0 # answer: image      the default becomes the answer
//   - 10.64.0.0/16 # each: vpc-cidr           the line comes once for each answer
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace ebbgate::deploy::detail {

struct Mark {
  std::string fallback;              // what stands in the file
  std::vector<std::string> answers;  // one for `answer`
};
using Marks = std::map<std::string, Mark, std::less<>>;

// The text with its marks filled in and taken away. Every mark of the text has to be known.
[[nodiscard]] std::string filled(std::string_view text, const Marks& marks);

// The text with each occurrence of `from` replaced.
[[nodiscard]] std::string replaced(std::string_view text, std::string_view from,
                                   std::string_view to);

}  // namespace ebbgate::deploy::detail
