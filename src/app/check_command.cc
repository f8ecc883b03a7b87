#include "app/check_command.h"

#include <algorithm>
#include <cstdio>
#include <iterator>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "app/exit_code.h"
#include "base/clock.h"
#include "config/arguments.h"
#include "config/document_yaml.h"
#include "config/load_policy.h"
#include "config/settings.h"

namespace ebbgate::app {
namespace {

using config::Problem;

constexpr const char* kHelp = R"(usage: ebbgate check [FLAGS] [FILE|DIR...]

Whether `ebbgate run` would start: reads its flags, the file of --config and the policies that they
name, says everything that is wrong with file, line, column and what to write instead, and stops.
FILE and DIR are policies, as --policy takes them; a document whose metadata names a namespace is
checked as the resource that `kubectl apply` makes of it, within what the others delegate to it.

Examples:
  ebbgate check policy.yaml
  ebbgate check --config /etc/ebbgate/config.yaml --format json
  ebbgate check manifests/policies/

Flags:
  --format text|json   What to print; default: text.
  --schema             Print the JSON Schema of policy documents, for editors, and stop.
  --help               This text.
  and each flag of `ebbgate run`; see `ebbgate run --help`.

Exit codes: 0 it would start (perhaps with warnings), 2 usage, 3 invalid.
)";

// What is to be said.
struct Report {
  std::vector<Problem> problems;
  config::LoadedPolicy loaded;

  [[nodiscard]] bool is_valid() const { return loaded.policy != nullptr; }
  [[nodiscard]] std::size_t count(policy::Severity severity) const {
    return static_cast<std::size_t>(std::ranges::count(problems, severity, &Problem::severity));
  }
};

std::string counted(std::size_t count, std::string_view word) {
  return std::to_string(count) + " " + std::string(word) + (count == 1 ? "" : "s");
}

std::string text_of(const Report& report) {
  const std::size_t errors = report.count(policy::Severity::kError);
  const std::size_t warnings = report.count(policy::Severity::kWarning);
  std::string out = config::str(report.problems);
  if (report.is_valid()) {
    out += "fine: " + counted(report.loaded.policy->documents().size(), "document") + " with " +
           std::to_string(report.loaded.policy->pattern_count()) +
           (report.loaded.policy->pattern_count() == 1 ? " host" : " hosts") + ", version " +
           report.loaded.version;
  } else {
    out += "invalid: " + counted(errors, "error");
  }
  if (warnings > 0) out += ", " + counted(warnings, "warning");
  return out + '\n';
}

std::string json_of(const Report& report) {
  using Json = nlohmann::ordered_json;
  Json problems = Json::array();
  for (const Problem& problem : report.problems) {
    const bool is_error = problem.severity == policy::Severity::kError;
    Json row{{"severity", is_error ? "error" : "warning"}};
    if (!problem.file.empty()) row["file"] = problem.file;
    if (problem.position.line > 0) row["line"] = problem.position.line;
    if (problem.position.column > 0) row["column"] = problem.position.column;
    row["message"] = problem.message;
    if (!problem.fix.empty()) row["fix"] = problem.fix;
    problems.push_back(std::move(row));
  }
  Json out{{"valid", report.is_valid()}};
  if (report.is_valid()) {
    out["version"] = report.loaded.version;
    out["hosts"] = report.loaded.policy->pattern_count();
    Json documents = Json::array();
    for (const policy::Document& document : report.loaded.policy->documents()) {
      documents.push_back({{"name", document.name}, {"file", document.file}});
    }
    out["documents"] = std::move(documents);
  }
  out["errors"] = report.count(policy::Severity::kError);
  out["warnings"] = report.count(policy::Severity::kWarning);
  out["problems"] = std::move(problems);
  // File names may hold any octet.
  return out.dump(2, ' ', false, Json::error_handler_t::replace) + '\n';
}

int complain(std::span<const Problem> problems) {
  std::fputs(config::str(problems).c_str(), stderr);
  std::fputs("`ebbgate check --help` lists the flags\n", stderr);
  return kUsage;
}

}  // namespace

int run_check(std::span<const char* const> words) {
  std::vector<config::FlagSyntax> flags(config::run_flags().begin(), config::run_flags().end());
  flags.push_back({"format"});
  flags.push_back({"schema", config::FlagValue::kNone});
  config::Arguments arguments = config::split_arguments(words, flags);
  if (arguments.help) {
    std::fputs(kHelp, stdout);
    return kFine;
  }
  std::string format = "text";
  bool wants_schema = false;
  for (const config::Flag& flag : arguments.flags) {
    if (flag.name == "format") format = flag.value;
    if (flag.name == "schema") wants_schema = true;
  }
  if (format != "text" && format != "json") {
    arguments.problems.push_back({.file = "--format",
                                  .message = "it is neither text nor json",
                                  .fix = "write --format json, or leave it out"});
  }
  std::erase_if(arguments.flags, [](const config::Flag& flag) {
    return flag.name == "format" || flag.name == "schema";
  });
  for (const std::string& path : arguments.operands) arguments.flags.push_back({"policy", path});

  config::LoadedSettings settings = config::load_settings(arguments);
  if (settings.validity == config::Validity::kUsage) return complain(settings.problems);
  if (wants_schema) {
    std::fputs(config::json_schema().c_str(), stdout);
    return kFine;
  }
  Report report{.problems = std::move(settings.problems), .loaded = {}};
  if (settings.validity == config::Validity::kValid) {
    report.loaded = config::look_at_policy(settings.settings);
    std::ranges::move(report.loaded.problems, std::back_inserter(report.problems));
    if (report.is_valid()) {
      std::ranges::move(config::expiry_warnings(*report.loaded.policy, SystemClock().wall()),
                        std::back_inserter(report.problems));
    }
  }
  std::fputs((format == "json" ? json_of(report) : text_of(report)).c_str(), stdout);
  return report.is_valid() ? kFine : kInvalid;
}

}  // namespace ebbgate::app
