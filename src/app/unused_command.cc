#include "app/unused_command.h"

#include <cstdio>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "analyse/time_text.h"
#include "analyse/unused.h"
#include "app/exit_code.h"
#include "app/log_input.h"
#include "app/own_flags.h"
#include "base/clock.h"
#include "base/escape.h"

namespace ebbgate::app {
namespace {

using Json = nlohmann::ordered_json;

constexpr const char* kHelp = R"(usage: ebbgate unused POLICY LOG... [FLAGS]

The hosts of a policy that no request in the logs matched: without them, each of these requests
would be decided as it was. POLICY is a file or a directory; LOG is JSON lines or Squid's format,
plain or gzip, - for standard input.

Examples:
  ebbgate unused policy.yaml access.json access.json.*.gz --days 30
  ebbgate unused hosts.list /var/log/squid/access.log --format json

Flags:
  --days N             Only the last N days count; default: all of the log.
  --exit-code          Exit with 1 where something is unused.
  --format text|json   What to print; default: text.
  --help               This text.
  and the flags of `ebbgate run` that say what a policy means, such as --allow-port.

Exit codes: 0 fine, 1 a log could not be read (or see --exit-code), 2 usage, 3 an invalid policy.
)";

constexpr std::int64_t kDay = std::int64_t{24} * 3600 * 1000;  // milliseconds

struct Options {
  std::size_t days = 0;  // 0: all
  bool has_exit_code = false;
  std::string format = "text";
};

// How many days the log is too short; 0 where it is not.
std::int64_t missing_days(const analyse::Usage::Report& report, std::int64_t since) {
  if (since == 0 || report.span.is_empty || report.span.first <= since) return 0;
  return (report.span.first - since + kDay - 1) / kDay;
}

std::string text_of(const policy::Policy& policy, const analyse::Usage::Report& report,
                    std::int64_t since, const LogInput& input) {
  std::string out;
  for (const policy::PatternId id : report.unused) {
    const policy::Citation citation = policy.cite(id);
    out += escaped_prose(citation.where()) + ": " + (citation.denies ? "deny " : "allow ") +
           citation.pattern + " is not used\n";
  }
  out += std::to_string(report.unused.size()) + " of " + std::to_string(report.patterns) +
         (report.patterns == 1 ? " host is" : " hosts are") + " not used by " +
         std::to_string(report.requests) + " requests";
  if (!report.span.is_empty) {
    out += ", " + analyse::rfc3339(std::max(report.span.first, since)) + " to " +
           analyse::rfc3339(report.span.last);
  }
  out += " (" + summary(input.counts) + ")\n";
  if (missing_days(report, since) > 0) {
    out += "warning: the log begins only at " + analyse::rfc3339(report.span.first) +
           ": what was used before is not known\n";
  }
  return out;
}

std::string json_of(const policy::Policy& policy, const analyse::Usage::Report& report,
                    std::int64_t since, const LogInput& input) {
  Json unused = Json::array();
  for (const policy::PatternId id : report.unused) {
    const policy::Citation citation = policy.cite(id);
    Json row{{"document", citation.document},
             {"file", citation.file},
             {"line", citation.position.line},
             {"column", citation.position.column},
             {"entry", citation.denies ? "deny" : "allow"},
             {"pattern", citation.pattern}};
    if (!citation.entry->owner.empty()) row["owner"] = citation.entry->owner;
    unused.push_back(std::move(row));
  }
  Json out{{"unused", std::move(unused)},
           {"hosts", report.patterns},
           {"requests", report.requests},
           {"lines", input.counts.lines},
           {"unreadable", input.counts.unreadable}};
  if (!report.span.is_empty) {
    out["logBegins"] = analyse::rfc3339(report.span.first);
    out["logEnds"] = analyse::rfc3339(report.span.last);
  }
  out["logIsTooShort"] = missing_days(report, since) > 0;
  return out.dump(2, ' ', false, Json::error_handler_t::replace) + '\n';
}

}  // namespace

int run_unused(std::span<const char* const> words) {
  Options options;
  const std::vector<OwnFlag> own = {count_flag("days", options.days),
                                    switch_flag("exit-code", options.has_exit_code),
                                    format_flag(options.format)};
  CommandLine line = read_command_line(words, own);
  if (line.help) {
    std::fputs(kHelp, stdout);
    return kFine;
  }
  if (line.operands.size() < 2) {
    line.problems.push_back({.file = {}, .message = "a policy and a log are needed", .fix = {}});
    line.validity = config::Validity::kUsage;
  }
  if (options.days > 36'500) {
    line.problems.push_back({.file = "--days", .message = "it is more than a century", .fix = {}});
    line.validity = config::Validity::kUsage;
  }
  if (line.validity != config::Validity::kValid) return complain("unused", line);
  const auto policy = load_policy_at(line.settings, line.operands.front());
  if (policy == nullptr) return kInvalid;

  const std::int64_t now = milliseconds_of(SystemClock().wall());
  const std::int64_t since =
      options.days == 0 ? 0 : now - static_cast<std::int64_t>(options.days) * kDay;
  analyse::Usage usage(*policy, since, {}, random_seed());
  const LogInput input = read_logs("unused", std::span(line.operands).subspan(1),
                                   [&](const analyse::LogEvent& event) { usage.add(event); });
  const analyse::Usage::Report report = usage.report();
  const auto& shown = options.format == "json" ? json_of : text_of;
  std::fputs(shown(*policy, report, since, input).c_str(), stdout);
  if (!input.is_readable) return kFailed;
  return options.has_exit_code && !report.unused.empty() ? kFailed : kFine;
}

}  // namespace ebbgate::app
