#include "app/learn_command.h"

#include <cstdio>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "analyse/learn.h"
#include "analyse/time_text.h"
#include "app/exit_code.h"
#include "app/log_input.h"
#include "app/own_flags.h"
#include "base/clock.h"
#include "base/escape.h"
#include "config/bundles.h"
#include "config/document_yaml.h"

namespace ebbgate::app {
namespace {

constexpr const char* kHelp = R"(usage: ebbgate learn LOG... [FLAGS]

The smallest policy that covers what logs have seen, on standard output, with the evidence for each
entry as comments: bundles first, then exact names, then a suffix where enough names speak for it
and nobody else can have names under it. LOG is JSON lines or Squid's format, plain or gzip; - is
standard input. It takes what passed, in report mode or by the policy; not what the policy refused,
nor names that do not exist.

Examples:
  ebbgate learn access.json > learned.yaml && ebbgate check learned.yaml
  ebbgate learn /var/log/squid/access.log* --since 30d --min-count 3 --from 10.64.8.0/22

Flags:
  --since WHEN         Only what came after: 7d, 24h, 2026-01-31, or a time as RFC 3339 has it.
  --from CIDR          Only these clients; the document is for them then. May be repeated.
  --min-count N        Only hosts with at least so many requests; default: 1.
  --report-only        Only what passed because of report mode: what the policy lacks.
  --include-denied     Also what the policy refused.
  --suffix-names N     How many names speak for a suffix; default: 10, 0: never a suffix.
  --known FILE         A policy whose patterns are preferred. May be repeated.
  --no-bundles         Do not use the bundles that come with the program.
  --name NAME          metadata.name of the document; default: learned.
  --help               This text.

Exit codes: 0 fine, 1 a log could not be read or holds nothing to learn, 2 usage, 3 --known is
invalid.
)";

struct Options {
  analyse::LearnOptions learn;
  std::vector<std::string> known;
  bool no_bundles = false;
};

std::vector<OwnFlag> flags_of(Options& options, std::int64_t now) {
  using config::FlagValue;
  analyse::LearnOptions& learn = options.learn;
  return {
      {"since", FlagValue::kRequired,
       [&learn, now](const std::string& value) {
         const auto since = analyse::parse_since(value, now);
         if (since) learn.since = *since;
         return since ? "" : "write 7d, 24h, 2026-01-31 or 2026-01-31T12:00:00Z";
       }},
      {"from", FlagValue::kRequired,
       [&learn](const std::string& value) {
         const auto block = Cidr::parse(value);
         if (block) learn.from.push_back(*block);
         return block ? "" : "it is no address block";
       }},
      {"known", FlagValue::kRequired,
       [&options](const std::string& value) {
         options.known.push_back(value);
         return "";
       }},
      {"name", FlagValue::kRequired,
       [&learn](const std::string& value) {
         learn.name = value;
         return "";
       }},
      count_flag("min-count", learn.min_count),
      count_flag("suffix-names", learn.names_for_suffix),
      switch_flag("report-only", learn.only_reported),
      switch_flag("include-denied", learn.include_denied),
      switch_flag("no-bundles", options.no_bundles),
  };
}

}  // namespace

int run_learn(std::span<const char* const> words) {
  Options options;
  CommandLine line =
      read_command_line(words, flags_of(options, milliseconds_of(SystemClock().wall())));
  if (line.help) {
    std::fputs(kHelp, stdout);
    return kFine;
  }
  if (line.operands.empty()) {
    line.problems.push_back({.file = {}, .message = "a log is needed", .fix = {}});
    line.validity = config::Validity::kUsage;
  }
  if (line.validity != config::Validity::kValid) return complain("learn", line);
  std::vector<std::shared_ptr<const policy::Policy>> known;
  for (const std::string& path : options.known) {
    known.push_back(load_policy_at(line.settings, path));
    if (known.back() == nullptr) return kInvalid;
    options.learn.known.push_back({path, known.back().get()});
  }
  if (!options.no_bundles) options.learn.bundles = config::builtin_bundles();

  analyse::Learner learner(options.learn, {}, random_seed());
  const LogInput input = read_logs("learn", line.operands,
                                   [&](const analyse::LogEvent& event) { learner.add(event); });
  const analyse::Learned learned = learner.learn();
  std::fprintf(stderr, "ebbgate learn: %s\n", summary(input.counts).c_str());
  if (learned.entries.empty()) {
    std::fputs("ebbgate learn: there is nothing to learn in it\n", stderr);
    return kFailed;
  }
  const std::string yaml = analyse::to_yaml(learned, options.learn);
  const config::ParsedDocuments parsed = config::parse_documents(yaml, "learned");
  if (policy::has_errors(parsed.problems)) {  // of --name
    std::fputs(config::str(parsed.problems).c_str(), stderr);
    return kUsage;
  }
  std::fputs(yaml.c_str(), stdout);
  return input.is_readable ? kFine : kFailed;
}

}  // namespace ebbgate::app
