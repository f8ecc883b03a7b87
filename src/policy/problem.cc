#include "policy/problem.h"

#include <algorithm>

namespace ebbgate::policy {

std::string str(const std::string& file, const Position& position) {
  std::string text = file;
  if (position.line != 0) text += ":" + std::to_string(position.line);
  if (position.line != 0 && position.column != 0) text += ":" + std::to_string(position.column);
  return text;
}

std::string str(const PolicyProblem& problem) {
  std::string text = str(problem.file, problem.position);
  if (!text.empty()) text += ": ";
  text += problem.severity == Severity::kError ? "error: " : "warning: ";
  text += problem.message;
  if (!problem.fix.empty()) text += "; " + problem.fix;
  return text;
}

bool has_errors(std::span<const PolicyProblem> problems) {
  return std::ranges::any_of(
      problems, [](const PolicyProblem& problem) { return problem.severity == Severity::kError; });
}

}  // namespace ebbgate::policy
