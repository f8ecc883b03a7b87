// What is wrong with a policy, for the person who wrote it: where, what, and what to write instead.
// Every stage that reads a policy (YAML, plain lists, flags, compilation) reports with this type.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace ebbgate::policy {

// A place in a file; lines and columns count from 1, 0 stands for "the whole".
struct Position {
  std::uint32_t line = 0;
  std::uint32_t column = 0;
  auto operator<=>(const Position&) const = default;
};

// `file:line:column`, without the parts that are 0.
[[nodiscard]] std::string str(const std::string& file, const Position& position);

enum class Severity : std::uint8_t { kWarning, kError };

struct PolicyProblem {
  Severity severity = Severity::kError;
  std::string file;
  Position position = {};
  std::string message;   // a sentence without its full stop; shows bytes of the file escaped
  std::string fix = {};  // what to do about it, an imperative; may be empty

  bool operator==(const PolicyProblem&) const = default;
};

// One line: `file:3:5: error: what is wrong; what to do`.
[[nodiscard]] std::string str(const PolicyProblem& problem);

[[nodiscard]] bool has_errors(std::span<const PolicyProblem> problems);

}  // namespace ebbgate::policy
