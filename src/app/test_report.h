// What came of policy tests, and the three forms that other programs read: TAP, JUnit and JSON.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace ebbgate::app {

struct CaseResult {
  std::string file;
  std::string where;  // file:line:column
  std::string name;
  std::vector<std::string> failures;  // sentences; none: it holds
  std::string explanation;            // what the policy said, several lines
};

struct EntryCoverage {
  std::string where;  // file:line:column
  std::string what;   // "allow entry of `.example.com` and 3 more, in ci"
  std::size_t uses = 0;
};

struct TestReport {
  std::vector<CaseResult> cases;
  bool shows_coverage = false;
  std::vector<EntryCoverage> entries;  // in the order of the documents

  [[nodiscard]] std::size_t failed() const;
  [[nodiscard]] std::size_t exercised() const;
};

[[nodiscard]] std::string tap(const TestReport& report);
[[nodiscard]] std::string junit(const TestReport& report);
[[nodiscard]] std::string json(const TestReport& report);

}  // namespace ebbgate::app
