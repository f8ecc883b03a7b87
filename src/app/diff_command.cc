#include "app/diff_command.h"

#include <algorithm>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "analyse/policy_diff.h"
#include "analyse/replay.h"
#include "analyse/time_text.h"
#include "app/detail/diff_json.h"
#include "app/exit_code.h"
#include "app/log_input.h"
#include "app/options.h"
#include "app/own_flags.h"
#include "base/clock.h"
#include "base/escape.h"

namespace ebbgate::app {
namespace {

using Json = nlohmann::ordered_json;

constexpr const char* kHelp = R"(usage: ebbgate diff OLD NEW [--replay] [LOG...] [FLAGS]

What a change of policy means: what NEW lets pass that OLD did not, and the other way round. Moving,
splitting or sorting entries is no change. OLD and NEW are each a file or a directory, as --policy
of `ebbgate run` takes them. With logs, also which clients and requests the two decide otherwise.

Examples:
  ebbgate diff policy.yaml proposed.yaml
  ebbgate diff policy.yaml proposed.yaml --replay access.log access.log.1.gz --format json
  git show HEAD:policy.list > before.list && ebbgate diff before.list policy.list --exit-code

Flags:
  --replay             The operands after NEW are logs: JSON lines or Squid's format, plain or gzip,
                       - for standard input. --replay=FILE names one, and may be repeated.
  --top N              How many decisions to list, the most frequent first; default: 20, 0: all.
  --exit-code          Exit with 1 where anything changes.
  --format text|json   What to print; default: text.
  --help               This text.
  and the flags of `ebbgate run` that say what a policy means: --allow-port, --sni, --report-only,
  --allow-private, --inside, --nat64. They hold for both.

Exit codes: 0 fine, 1 a log could not be read (or see --exit-code), 2 usage, 3 an invalid policy.
)";

struct Options {
  std::vector<std::string> logs;
  bool replays = false;
  bool has_exit_code = false;
  std::size_t top = 20;
  std::string format = "text";
};

std::string joined(const std::vector<std::string>& texts, std::string_view otherwise) {
  std::string out;
  for (const std::string& text : texts) out += (out.empty() ? "" : ", ") + text;
  return out.empty() ? std::string(otherwise) : out;
}

std::string str(const std::vector<policy::PortRange>& ports) {
  std::vector<std::string> texts;
  for (const policy::PortRange& range : ports) texts.push_back(range.str());
  const bool is_every = ports.size() == 1 && ports.front() == policy::PortRange{};
  return is_every ? "every port"
                  : (texts.size() == 1 && ports.front().first == ports.front().last ? "port "
                                                                                    : "ports ") +
                        joined(texts, "");
}

std::string str(const analyse::Change& change) {
  std::string out = change.is_added ? "  + " : "  - ";
  out += change.denies ? "deny " : "allow ";
  out += change.pattern + ", " + str(change.ports);
  if (!change.subjects.empty()) out += ", for " + joined(change.subjects, "");
  out += "  (" + escaped_prose(change.where) + ")\n";
  if (change.nearest.empty()) return out;
  out += change.is_added ? "      before: " : "      now: ";
  out += change.nearest;
  if (!change.difference.empty()) out += ", " + change.difference;
  return out + "  (" + escaped_prose(change.nearest_where) + ")\n";
}

void append_changes(std::string& out, const std::vector<analyse::Change>& changes, bool opens) {
  const auto is_wanted = [&](const analyse::Change& change) { return change.opens() == opens; };
  const auto count = std::ranges::count_if(changes, is_wanted);
  if (count == 0) return;
  out += opens ? "lets more pass (" : "lets less pass (";
  out += std::to_string(count) + "):\n";
  for (const analyse::Change& change : changes) {
    if (is_wanted(change)) out += str(change);
  }
}

std::string str(const analyse::Judgement& judgement) {
  return std::string(word(judgement.verdict)) + ' ' + std::string(word(judgement.reason));
}

std::string text_of(const analyse::ReplayReport& report, const analyse::LogCounts& counts,
                    std::size_t top) {
  std::string out = "\nreplay of " + std::to_string(report.requests) + " requests";
  if (!report.span.is_empty) {
    out += ", " + analyse::rfc3339(report.span.first) + " to " + analyse::rfc3339(report.span.last);
  }
  out += " (" + summary(counts) + ")\n";
  out += "  " + std::to_string(report.refused) + " that pass would be refused\n  " +
         std::to_string(report.passed) + " that are refused would pass\n";
  if (report.otherwise > 0) {
    out +=
        "  " + std::to_string(report.otherwise) + " pass in both, in one of them only reported\n";
  }
  if (report.unlisted > 0) {
    out +=
        "  " + std::to_string(report.unlisted) + " of these are in no list, for want of memory\n";
  }
  const std::size_t shown = top == 0 ? report.flows.size() : std::min(top, report.flows.size());
  for (std::size_t i = 0; i < shown; ++i) {
    const analyse::ReplayedFlow& flow = report.flows[i];
    out += "  " + std::to_string(flow.count) + "  " + flow.subject + "  " + flow.target + "  " +
           str(flow.before) + " -> " + str(flow.after) + "  " + analyse::rfc3339(flow.first) +
           " to " + analyse::rfc3339(flow.last) + '\n';
  }
  if (shown < report.flows.size()) {
    out += "  and " + std::to_string(report.flows.size() - shown) + " more (--top 0 lists all)\n";
  }
  return out;
}

Json json_of(const analyse::Change& change) {
  Json ports = Json::array();
  for (const policy::PortRange& range : change.ports) ports.push_back(range.str());
  Json row{{"effect", change.opens() ? "opens" : "closes"},
           {"change", change.is_added ? "added" : "removed"},
           {"entry", change.denies ? "deny" : "allow"},
           {"aspect", analyse::word(change.aspect)},
           {"pattern", change.pattern},
           {"ports", std::move(ports)},
           {"subjects", change.subjects},
           {"where", change.where}};
  if (!change.nearest.empty()) {
    row["nearest"] = {{"pattern", change.nearest},
                      {"where", change.nearest_where},
                      {"difference", change.difference}};
  }
  return row;
}

Json json_of(const analyse::Judgement& judgement) {
  return {{"verdict", word(judgement.verdict)}, {"reason", word(judgement.reason)}};
}

Json json_of(const analyse::ReplayReport& report, const analyse::LogCounts& counts,
             std::size_t top) {
  Json flows = Json::array();
  const std::size_t shown = top == 0 ? report.flows.size() : std::min(top, report.flows.size());
  for (std::size_t i = 0; i < shown; ++i) {
    const analyse::ReplayedFlow& flow = report.flows[i];
    flows.push_back({{"subject", flow.subject},
                     {"target", flow.target},
                     {"before", json_of(flow.before)},
                     {"after", json_of(flow.after)},
                     {"count", flow.count},
                     {"first", analyse::rfc3339(flow.first)},
                     {"last", analyse::rfc3339(flow.last)}});
  }
  return {{"requests", report.requests},
          {"nowRefused", report.refused},
          {"nowPassed", report.passed},
          {"passInBothOneReported", report.otherwise},
          {"clients", report.clients},
          {"unlisted", report.unlisted},
          {"lines", counts.lines},
          {"unreadable", counts.unreadable},
          {"tooLong", counts.too_long},
          {"withoutTarget", counts.without_target},
          {"incompleteFiles", counts.incomplete},
          {"decisions", report.flows.size()},
          {"decidedOtherwise", std::move(flows)}};
}

}  // namespace

std::string text_of(const analyse::PolicyDiff& diff) {
  if (diff.is_empty()) return "the two policies mean the same\n";
  std::string out;
  append_changes(out, diff.changes, true);
  append_changes(out, diff.changes, false);
  for (const analyse::ModeChange& change : diff.modes) {
    out += "mode for " + joined(change.subjects, "everyone") + ": " + change.before + " before, " +
           change.after + " now\n";
  }
  return out;
}

nlohmann::ordered_json detail::json_of(const analyse::PolicyDiff& diff) {
  Json changes = Json::array();
  for (const analyse::Change& change : diff.changes) changes.push_back(app::json_of(change));
  Json modes = Json::array();
  for (const analyse::ModeChange& change : diff.modes) {
    modes.push_back(
        {{"subjects", change.subjects}, {"before", change.before}, {"after", change.after}});
  }
  return {{"same", diff.is_empty()}, {"changes", changes}, {"modes", modes}};
}

int run_diff(std::span<const char* const> words) {
  Options options;
  const std::vector<OwnFlag> own = {{"replay", config::FlagValue::kNone,
                                     [&](const std::string& value) {
                                       options.replays = true;
                                       if (value != "true") options.logs.push_back(value);
                                       return std::string();
                                     }},
                                    switch_flag("exit-code", options.has_exit_code),
                                    count_flag("top", options.top),
                                    format_flag(options.format)};
  CommandLine line = read_command_line(words, own);
  if (line.help) {
    std::fputs(kHelp, stdout);
    return kFine;
  }
  if (line.operands.size() < 2) {
    line.problems.push_back({.file = {}, .message = "two policies are needed", .fix = {}});
    line.validity = config::Validity::kUsage;
  } else if (line.operands.size() > 2) {
    if (!options.replays) {
      line.problems.push_back({.file = {},
                               .message = "only two policies are compared",
                               .fix = "write --replay before the logs"});
      line.validity = config::Validity::kUsage;
    }
    options.logs.insert(options.logs.end(), line.operands.begin() + 2, line.operands.end());
  }
  if (line.validity != config::Validity::kValid) return complain("diff", line);

  const auto before = load_policy_at(line.settings, line.operands[0]);
  const auto after = load_policy_at(line.settings, line.operands[1]);
  if (before == nullptr || after == nullptr) return kInvalid;
  const WallTime now = SystemClock().wall();
  const analyse::PolicyDiff diff = analyse::diff_policies(*before, *after, now);

  std::optional<analyse::ReplayReport> report;
  LogInput input;
  if (!options.logs.empty()) {
    analyse::Replay replay(*before, *after, guard_settings(line.settings, {}), now, {},
                           random_seed());
    input =
        read_logs("diff", options.logs, [&](const analyse::LogEvent& event) { replay.add(event); });
    report = replay.report();
  }
  if (options.format == "json") {
    Json out = detail::json_of(diff);
    if (report) out["replay"] = json_of(*report, input.counts, options.top);
    std::puts(out.dump(2, ' ', false, Json::error_handler_t::replace).c_str());
  } else {
    std::fputs(text_of(diff).c_str(), stdout);
    if (report) std::fputs(text_of(*report, input.counts, options.top).c_str(), stdout);
  }
  if (!input.is_readable) return kFailed;
  const bool has_change = !diff.is_empty() || (report && !report->flows.empty());
  return options.has_exit_code && has_change ? kFailed : kFine;
}

}  // namespace ebbgate::app
