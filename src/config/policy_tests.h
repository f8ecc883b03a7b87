// The file of `ebbgate test` (docs/explain.md): what a policy has to say to certain
// requests. Text in, cases out, with every problem of the text at once.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/reason.h"
#include "config/problem.h"
#include "policy/inquiry.h"

namespace ebbgate::config {

struct PolicyCase {
  std::string name;  // the target where the file gives none
  policy::Position position = {};
  policy::Inquiry inquiry;
  std::optional<WallTime> at;  // when it is asked; absent: now
  policy::Verdict expect = policy::Verdict::kDeny;
  std::optional<Reason> reason;
  std::string rule;      // the pattern that has to decide; empty: any
  std::string document;  // the document that has to decide; empty: any
};

struct PolicyTests {
  std::string file;
  std::vector<std::string> policies;  // as --policy takes them; relative ones to the file's folder
  std::vector<PolicyCase> cases;
  std::vector<Problem> problems;  // where there are any, the rest is not to be used
};

[[nodiscard]] PolicyTests parse_policy_tests(std::string_view text, const std::string& file);

}  // namespace ebbgate::config
