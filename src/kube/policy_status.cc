#include "kube/policy_status.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <utility>

#include "base/utf8.h"
#include "kube/detail/hash.h"
#include "kube/detail/stamp.h"

namespace ebbgate::kube {
namespace {

using detail::Hash;
using nlohmann::json;

constexpr const char* kApiVersion = "ebbgate.dev/v1alpha1";
// Of the CRD (config/crd.cc).
constexpr std::size_t kMostProblems = 100;
constexpr std::size_t kLongestWhere = 256;
constexpr std::size_t kLongestText = 1024;
constexpr std::size_t kLongestMessage = 32768;
// Of an event (events.k8s.io/v1).
constexpr std::size_t kLongestNote = 1024;
constexpr std::size_t kLongestInstance = 128;
constexpr std::size_t kLongestEventName = 253;

struct Condition {
  const char* type;
  bool holds;
  std::string reason;
  std::string message;
};

[[nodiscard]] const json* member(const json* of, const char* key) {
  if (of == nullptr || !of->is_object()) return nullptr;
  const auto found = of->find(key);
  return found == of->end() ? nullptr : &*found;
}

[[nodiscard]] std::string text_at(const json* of, const char* key) {
  const json* found = member(of, key);
  return found != nullptr && found->is_string() ? found->get<std::string>() : std::string();
}

[[nodiscard]] std::string dumped(const json& value) {
  return value.dump(-1, ' ', false, json::error_handler_t::replace);
}

[[nodiscard]] const char* kind_of(const ResourceReport& report) {
  return report.id.in_namespace.empty() ? "ClusterEgressPolicy" : "EgressPolicy";
}

// Errors first: what is cut is of less weight.
[[nodiscard]] std::vector<const ResourceProblem*> by_weight(const ResourceReport& report) {
  std::vector<const ResourceProblem*> out;
  for (const policy::Severity severity : {policy::Severity::kError, policy::Severity::kWarning}) {
    for (const ResourceProblem& each : report.problems) {
      if (each.severity == severity) out.push_back(&each);
    }
  }
  return out;
}

// `prefix: the first problem; and 3 more`
[[nodiscard]] std::string with_first_problem(std::string prefix, const ResourceReport& report) {
  const auto problems = by_weight(report);
  if (problems.empty()) return prefix;
  const ResourceProblem& first = *problems.front();
  std::string out = std::move(prefix) + ": ";
  if (!first.where.empty()) out += first.where + ": ";
  out += first.message;
  if (problems.size() > 1) out += "; and " + std::to_string(problems.size() - 1) + " more";
  return out;
}

[[nodiscard]] Condition accepted(const ResourceReport& report) {
  switch (report.state) {
    case ResourceState::kAccepted: {
      const std::size_t count = report.problems.size();
      std::string note;
      if (count > 0) note = count == 1 ? "; 1 warning" : "; " + std::to_string(count) + " warnings";
      return {"Accepted", true, "Accepted", "it is valid, and all of it counts" + note};
    }
    case ResourceState::kPartlyDelegated:
      return {"Accepted", true, "PartlyDelegated",
              with_first_problem("it is valid, but not all of it is delegated to its namespace",
                                 report)};
    case ResourceState::kNotDelegated:
      return {
          "Accepted", false, "NotDelegated",
          with_first_problem(
              "it is valid, but nothing of what it allows is delegated to its namespace", report)};
    case ResourceState::kLastGoodKept:
    case ResourceState::kNeverGood:
      break;
  }
  return {"Accepted", false, "Invalid", with_first_problem("it is invalid", report)};
}

// What others keep is kept, whatever the reporter knows of it.
[[nodiscard]] std::int64_t generation_among(const ResourceReport& report, Coverage coverage) {
  return std::max(report.generation_in_force, coverage.kept);
}
[[nodiscard]] ResourceState state_among(const ResourceReport& report, Coverage coverage) {
  const bool is_kept = report.state == ResourceState::kNeverGood && coverage.kept > 0;
  return is_kept ? ResourceState::kLastGoodKept : report.state;
}

[[nodiscard]] Condition programmed(const ResourceReport& report, Coverage coverage) {
  const std::string share = " on " + std::to_string(coverage.in_force) + " of " +
                            std::to_string(coverage.gateways) + " gateways";
  const std::int64_t generation = generation_among(report, coverage);
  const std::string kept = "generation " + std::to_string(generation) + " stays in force" + share;
  const ResourceState state = state_among(report, coverage);
  const bool is_namespaced = !report.id.in_namespace.empty();
  if (state == ResourceState::kLastGoodKept && coverage.closed > 0) {
    return {"Programmed", false, "KeptInPart",
            kept + ", and on " + std::to_string(coverage.closed) +
                ", which never knew a valid form of it, " +
                (is_namespaced ? "whatever pods of its namespace ask for is refused"
                               : "no new policy is taken") +
                ", until it is corrected or deleted"};
  }
  if (state == ResourceState::kLastGoodKept) return {"Programmed", false, "LastGoodKept", kept};
  if (state == ResourceState::kNeverGood && is_namespaced) {
    return {"Programmed", false, "NamespaceClosed",
            "it never was valid: whatever pods of its namespace ask for is refused until it is "
            "corrected or deleted"};
  }
  if (state == ResourceState::kNeverGood) {
    return {"Programmed", false, "Pending",
            "it never was valid: no gateway takes any new policy until it is corrected or deleted"};
  }
  if (generation != report.generation) {
    return {"Programmed", false, "Pending", generation == 0 ? "it is not in force yet" : kept};
  }
  const bool is_everywhere = coverage.in_force == coverage.gateways && coverage.gateways > 0;
  return {"Programmed", is_everywhere, is_everywhere ? "Programmed" : "Pending",
          "in force" + share};
}

// The condition of that type among those of a status.
[[nodiscard]] const json* find_condition(const json* status, std::string_view type) {
  const json* conditions = member(status, "conditions");
  if (conditions == nullptr || !conditions->is_array()) return nullptr;
  const auto found = std::ranges::find_if(
      *conditions, [&](const json& each) { return text_at(&each, "type") == type; });
  return found == conditions->end() ? nullptr : &*found;
}

[[nodiscard]] json written(const Condition& condition, std::int64_t generation,
                           const json* present_status, WallTime now) {
  const json* before = find_condition(present_status, condition.type);
  const std::string status = condition.holds ? "True" : "False";
  std::string since = text_at(before, "lastTransitionTime");
  if (since.empty() || text_at(before, "status") != status) since = detail::time(now);
  return {{"type", condition.type},
          {"status", status},
          {"observedGeneration", generation},
          {"lastTransitionTime", since},
          {"reason", condition.reason},
          {"message", plain_text(condition.message, kLongestMessage)}};
}

[[nodiscard]] json written_problems(const ResourceReport& report) {
  json out = json::array();
  const auto problems = by_weight(report);
  for (const ResourceProblem* each : problems) {
    if (out.size() + 1 == kMostProblems && problems.size() > kMostProblems) {
      const std::size_t left = problems.size() - out.size();
      out.push_back(
          {{"severity", "warning"}, {"message", "and " + std::to_string(left) + " more"}});
      break;
    }
    json problem = {{"severity", each->severity == policy::Severity::kError ? "error" : "warning"},
                    {"message", plain_text(each->message, kLongestText)}};
    if (!each->where.empty()) problem["where"] = plain_text(each->where, kLongestWhere);
    if (!each->fix.empty()) problem["fix"] = plain_text(each->fix, kLongestText);
    out.push_back(std::move(problem));
  }
  return out;
}

// Whether the present status says all that `wanted` does, and no more where it is ours to say.
[[nodiscard]] bool says(const json* present, const json& wanted) {
  if (present == nullptr || !present->is_object()) return false;
  for (const char* key : {"observedGeneration", "gateways", "allow", "deny", "problems"}) {
    const json* here = member(present, key);
    const json* there = member(&wanted, key);
    if ((here == nullptr) != (there == nullptr) || (here != nullptr && *here != *there)) {
      return false;
    }
  }
  return std::ranges::all_of(wanted["conditions"], [&](const json& each) {
    const json* found = find_condition(present, text_at(&each, "type"));
    return found != nullptr && *found == each;
  });
}

// Of a name of the API, so that it is one still.
[[nodiscard]] std::string cut_name(std::string name, std::size_t max) {
  if (name.size() > max) name.resize(max);
  while (name.ends_with('-') || name.ends_with('.')) name.pop_back();
  return name;
}

// What came of it in one word: the reason of the event that tells it. That some gateways do not
// keep what others do changes as gateways come and go, and is for the status to say.
[[nodiscard]] std::string word_for(const std::string& accepted, const std::string& programmed) {
  if (accepted != "Invalid") return accepted;
  if (programmed == "KeptInPart") return "LastGoodKept";
  const bool is_told_by_second = programmed == "LastGoodKept" || programmed == "NamespaceClosed";
  return is_told_by_second ? programmed : accepted;
}

}  // namespace

std::string plain_text(std::string_view text, std::size_t max) {
  constexpr std::string_view kHex = "0123456789ABCDEF";
  constexpr std::string_view kMore = "\u2026";
  std::string out;
  std::size_t fits = 0;  // of `out`, with kMore after it
  while (!text.empty()) {
    const std::size_t length = utf8_length(text);
    const auto octet = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
    // C0, DEL, C1 (U+0080 to U+009F), and what turns the direction of writing (U+202A to U+202E,
    // U+2066 to U+2069) or ends a line (U+2028, U+2029).
    const bool is_control = length == 0 || octet(0) < 0x20 || octet(0) == 0x7f ||
                            (length == 2 && octet(0) == 0xc2 && octet(1) < 0xa0) ||
                            (length == 3 && octet(0) == 0xe2 &&
                             ((octet(1) == 0x80 && octet(2) >= 0xa8 && octet(2) <= 0xae) ||
                              (octet(1) == 0x81 && octet(2) >= 0xa6 && octet(2) <= 0xa9)));
    const std::size_t taken = std::max<std::size_t>(length, 1);
    const std::size_t before = out.size();
    if (is_control) {
      for (std::size_t i = 0; i < taken; ++i) {
        out += {'%', kHex[octet(i) >> 4U], kHex[octet(i) & 15U]};
      }
    } else {
      out += text.substr(0, taken);
    }
    if (before + kMore.size() <= max) fits = before;
    if (out.size() > max) {
      out.resize(fits);
      return max >= kMore.size() ? out.append(kMore) : out;
    }
    text.remove_prefix(taken);
  }
  return out;
}

std::string digest_of(std::span<const ResourceReport> reports) {
  std::vector<const ResourceReport*> sorted;
  sorted.reserve(reports.size());
  for (const ResourceReport& each : reports) sorted.push_back(&each);
  std::ranges::sort(sorted, {}, &ResourceReport::id);
  Hash hash;
  for (const ResourceReport* each : sorted) {
    hash.add(each->id.in_namespace);
    hash.add(each->id.name);
    hash.add(each->uid);
    hash.add(each->generation_in_force);
  }
  return hash.hex();
}

std::string status_patch(const ResourceReport& report, Coverage coverage, std::string_view object,
                         WallTime now) {
  const json parsed = json::parse(object, nullptr, false);
  const json* present = member(&parsed, "status");
  const bool is_in_force = generation_among(report, coverage) != 0;
  json status = {{"observedGeneration", report.generation},
                 {"gateways", is_in_force ? coverage.in_force : 0},
                 {"allow", report.allow},
                 {"deny", report.deny},
                 {"conditions", json::array()}};
  if (state_among(report, coverage) != report.state) {  // others know what is in force, not we
    for (const char* key : {"allow", "deny"}) {
      const json* there = member(present, key);
      if (there != nullptr && there->is_number_unsigned()) status[key] = *there;
    }
  }
  for (const Condition& each : {accepted(report), programmed(report, coverage)}) {
    status["conditions"].push_back(written(each, report.generation, present, now));
  }
  if (!report.problems.empty()) status["problems"] = written_problems(report);
  if (says(present, status)) return {};
  json metadata = {{"name", report.id.name}};
  if (!report.id.in_namespace.empty()) metadata["namespace"] = report.id.in_namespace;
  // That it is about this resource, and not about one of its name that came after it.
  if (!report.uid.empty()) metadata["uid"] = report.uid;
  return dumped({{"apiVersion", kApiVersion},
                 {"kind", kind_of(report)},
                 {"metadata", std::move(metadata)},
                 {"status", std::move(status)}});
}

std::string event_namespace(const ResourceReport& report) {
  return report.id.in_namespace.empty() ? "default" : report.id.in_namespace;
}

Told told_by(std::string_view object) {
  const json parsed = json::parse(object, nullptr, false);
  const json* status = member(&parsed, "status");
  const json* accepted = find_condition(status, "Accepted");
  const json* generation = member(accepted, "observedGeneration");
  return {.outcome = word_for(text_at(accepted, "reason"),
                              text_at(find_condition(status, "Programmed"), "reason")),
          .generation = generation != nullptr && generation->is_number_integer()
                            ? generation->get<std::int64_t>()
                            : 0};
}

Told outcome_of(const ResourceReport& report, Coverage coverage) {
  return {.outcome = word_for(accepted(report).reason, programmed(report, coverage).reason),
          .generation = report.generation};
}

std::string event_for(const ResourceReport& report, Coverage coverage, const Told& told,
                      std::string_view gateway, WallTime now) {
  const Condition judged = accepted(report);
  const std::string outcome = outcome_of(report, coverage).outcome;
  const bool is_well = report.state == ResourceState::kAccepted;
  if (is_well && (told.outcome.empty() || told.outcome == outcome)) return {};
  if (told == outcome_of(report, coverage)) return {};

  Hash key;
  key.add(report.uid);
  key.add(report.generation);
  key.add(outcome);
  const std::string suffix = "." + key.hex();
  std::string note = judged.message;
  if (is_well) note = "it is valid again, and all of it counts";
  const ResourceState state = state_among(report, coverage);
  if (state == ResourceState::kLastGoodKept) {
    note = "generation " + std::to_string(generation_among(report, coverage)) +
           " stays in force, as " + note;
  } else if (state == ResourceState::kNeverGood) {
    note = programmed(report, coverage).message + ". " + note;
  }
  json regarding = {
      {"apiVersion", kApiVersion}, {"kind", kind_of(report)}, {"name", report.id.name}};
  if (!report.id.in_namespace.empty()) regarding["namespace"] = report.id.in_namespace;
  if (!report.uid.empty()) regarding["uid"] = report.uid;
  return dumped({{"apiVersion", "events.k8s.io/v1"},
                 {"kind", "Event"},
                 {"metadata",
                  {{"name", cut_name(report.id.name, kLongestEventName - suffix.size()) + suffix},
                   {"namespace", event_namespace(report)}}},
                 {"eventTime", detail::micro_time(now)},
                 {"reportingController", "ebbgate.dev/gateway"},
                 {"reportingInstance", plain_text(gateway, kLongestInstance)},
                 {"action", "Judge"},
                 {"reason", outcome},
                 {"type", is_well ? "Normal" : "Warning"},
                 {"note", plain_text(note, kLongestNote)},
                 {"regarding", std::move(regarding)}});
}

}  // namespace ebbgate::kube
