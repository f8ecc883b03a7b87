#include "app/test_command.h"

#include <cstdio>
#include <fstream>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "app/exit_code.h"
#include "app/options.h"
#include "app/policy_loader.h"
#include "app/test_report.h"
#include "base/clock.h"
#include "base/escape.h"
#include "config/arguments.h"
#include "config/bundles.h"
#include "config/load_policy.h"
#include "config/policy_tests.h"
#include "config/settings.h"

namespace ebbgate::app {
namespace {

constexpr const char* kHelp = R"(usage: ebbgate test FILE... [FLAGS]

Unit tests of a policy: each FILE has cases of what has to be allowed and what refused, and names
the policies that they are about (relative to itself). With flags of `ebbgate run` that name a
policy, such as --policy, that one is judged instead.

Example of a file:
  policy: [policy.yaml]
  cases:
    - {target: "registry-1.docker.io:443", from: 10.64.8.3, expect: allow, rule: .docker.io}
    - {target: "gist.github.com", expect: deny, reason: denied-by-rule}

Example:
  ebbgate test tests/*.yaml --coverage --junit report.xml

Flags:
  --format tap|junit|json  What to print; default: tap.
  --junit FILE             Write a JUnit report to FILE, too.
  --coverage               Name the entries of the policies that decided no case.
  --help                   This text.
  and each flag of `ebbgate run`; see `ebbgate run --help`.

Exit codes: 0 every case holds, 1 one does not, 2 usage, 3 a file or a policy is invalid.
)";

struct Options {
  std::string format = "tap";
  std::string junit_file;
  bool coverage = false;
};

std::string quoted(std::string_view text) {
  return "`" + std::string(text) + "`";
}

// What the case expected and the policy did not say.
std::vector<std::string> failures_of(const config::PolicyCase& expected,
                                     const policy::Finding& finding) {
  std::vector<std::string> failures;
  const auto want = [&](std::string_view what, std::string_view wanted, std::string_view found) {
    if (wanted == found) return;
    failures.push_back("expected the " + std::string(what) + " " + quoted(wanted) + ", found " +
                       (found.empty() ? "none" : quoted(found)));
  };
  want("verdict", word(expected.expect), word(finding.verdict));
  if (expected.reason) want("reason", word(*expected.reason), word(finding.reason));
  const policy::Citation* matched = finding.matched ? &*finding.matched : nullptr;
  if (!expected.rule.empty()) {
    want("rule", expected.rule, matched != nullptr ? std::string_view(matched->pattern) : "");
  }
  if (!expected.document.empty()) {
    want("document", expected.document, matched != nullptr ? matched->document : "");
  }
  return failures;
}

// How often each entry decided, over all files; entries are told apart by where they stand.
class Coverage {
 public:
  void add(const policy::Policy& policy) {
    for (const policy::Document& document : policy.documents()) {
      add(document, document.allow, "allow");
      add(document, document.deny, "deny");
    }
  }
  void used(const policy::Entry* entry) {
    const auto found = by_entry_.find(entry);
    if (found != by_entry_.end()) ++entries_[found->second].uses;
  }
  // The policy of the entries is gone.
  void forget() { by_entry_.clear(); }
  [[nodiscard]] std::vector<EntryCoverage> take() { return std::move(entries_); }

 private:
  void add(const policy::Document& document, const std::vector<policy::Entry>& entries,
           std::string_view kind) {
    for (const policy::Entry& entry : entries) {
      std::string what = std::string(kind) + " entry of ";
      if (entry.bundle) {
        what += "the bundle " + entry.bundle->name;
      } else {
        what += quoted(entry.hosts[0].str());
        if (entry.hosts.size() > 1)
          what += " and " + std::to_string(entry.hosts.size() - 1) + " more";
      }
      what += ", in " + document.name;
      std::string where = policy::str(document.file, entry.position);
      const auto [known, is_new] = by_text_.try_emplace(where + what, entries_.size());
      if (is_new) entries_.push_back({.where = std::move(where), .what = std::move(what)});
      by_entry_[&entry] = known->second;
    }
  }

  std::vector<EntryCoverage> entries_;
  std::map<std::string, std::size_t> by_text_;
  std::map<const policy::Entry*, std::size_t> by_entry_;
};

// Judges the cases of one file; false where its policy is invalid, after saying so.
bool judge(const config::PolicyTests& tests, config::Settings settings, TestReport& report,
           Coverage& coverage) {
  if (!names_a_policy(settings)) settings.policies = tests.policies;
  const config::LoadedPolicy loaded = config::look_at_policy(settings);
  if (loaded.policy == nullptr) {
    std::fputs(config::str(loaded.problems).c_str(), stderr);
    return false;
  }
  coverage.add(*loaded.policy);
  const policy::AddressGuard guard(guard_settings(settings, settings.listen));
  const WallTime now = SystemClock().wall();
  for (const config::PolicyCase& each : tests.cases) {
    const policy::Finding finding = policy::answer(
        *loaded.policy, guard, each.inquiry, each.at.value_or(now), config::builtin_bundles());
    if (finding.matched) coverage.used(finding.matched->entry);
    for (const policy::Step& step : finding.steps) {
      if (step.name == "addresses" && step.matched) coverage.used(step.matched->entry);
    }
    report.cases.push_back({.file = tests.file,
                            .where = policy::str(tests.file, each.position),
                            .name = each.name,
                            .failures = failures_of(each, finding),
                            .explanation = policy::text(finding)});
  }
  coverage.forget();
  return true;
}

int refuse(const std::string& message) {
  std::fprintf(stderr, "ebbgate test: %s\n", escaped_prose(message).c_str());
  return kUsage;
}

}  // namespace

int run_test(std::span<const char* const> words) {
  std::vector<config::FlagSyntax> flags(config::run_flags().begin(), config::run_flags().end());
  flags.push_back({"format"});
  flags.push_back({"junit"});
  flags.push_back({"coverage", config::FlagValue::kNone});
  config::Arguments arguments = config::split_arguments(words, flags);
  if (arguments.help) {
    std::fputs(kHelp, stdout);
    return kFine;
  }
  Options options;
  std::erase_if(arguments.flags, [&](const config::Flag& flag) {
    if (flag.name == "format") {
      options.format = flag.value;
    } else if (flag.name == "junit") {
      options.junit_file = flag.value;
    } else if (flag.name == "coverage") {
      options.coverage = flag.value == "true";
    } else {
      return false;
    }
    return true;
  });
  const std::vector<std::string> files = std::exchange(arguments.operands, {});
  if (arguments.problems.empty()) {
    if (files.empty()) return refuse("name a file of cases; `ebbgate test --help` shows one");
    if (options.format != "tap" && options.format != "junit" && options.format != "json") {
      return refuse("--format is tap, junit or json");
    }
  }
  const config::LoadedSettings settings = config::load_settings(arguments);
  if (settings.validity != config::Validity::kValid) {
    std::fputs(config::str(settings.problems).c_str(), stderr);
    return settings.validity == config::Validity::kUsage ? kUsage : kInvalid;
  }

  TestReport report{.cases = {}, .shows_coverage = options.coverage, .entries = {}};
  Coverage coverage;
  bool is_valid = true;
  for (const std::string& file : files) {
    const auto text = config::read_file(file);
    if (!text) return refuse(file + ": " + text.error());
    config::PolicyTests tests = config::parse_policy_tests(*text, file);
    if (tests.problems.empty() && tests.policies.empty() && !names_a_policy(settings.settings)) {
      tests.problems.push_back({.file = file,
                                .message = "no policy is named",
                                .fix = "add `policy: [FILE]`, or give --policy"});
    }
    if (!tests.problems.empty()) {
      std::fputs(config::str(tests.problems).c_str(), stderr);
      is_valid = false;
    } else if (!judge(tests, settings.settings, report, coverage)) {
      is_valid = false;
    }
  }
  if (!is_valid) return kInvalid;
  report.entries = coverage.take();
  const std::string out = options.format == "junit"  ? junit(report)
                          : options.format == "json" ? json(report)
                                                     : tap(report);
  std::fputs(out.c_str(), stdout);
  if (!options.junit_file.empty()) {
    std::ofstream file(options.junit_file);
    file << junit(report);
    if (!file.flush()) return refuse("cannot write " + options.junit_file);
  }
  return report.failed() == 0 ? kFine : kFailed;
}

}  // namespace ebbgate::app
