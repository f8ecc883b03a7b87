#include "policy/explain.h"

#include <algorithm>
#include <chrono>
#include <cstdio>

#include "base/escape.h"
#include "policy/detail/evaluate.h"
#include "policy/detail/public_suffix.h"

namespace ebbgate::policy {
namespace {

using detail::Fit;
using detail::Rule;

std::string quoted(std::string_view text) {
  return "`" + std::string(text) + "`";
}

std::string cited(const Citation& citation) {
  const std::optional<BundleUse>& bundle = citation.entry->bundle;
  const bool is_of_bundle = bundle && bundle->position == citation.position;
  return quoted(citation.pattern) + (is_of_bundle ? " of the bundle " + bundle->name : "") + " (" +
         citation.where() + ")";
}

std::string joined(std::span<const std::string> words) {
  std::string text;
  for (const std::string& each : words) text += (text.empty() ? "" : ", ") + each;
  return text;
}

// The ports on which a pattern counts, for people: "443, 8000-8010".
std::string ports_of(const Policy& policy, PatternId id) {
  const detail::Hit hit = policy.hit(id);
  if (hit.hosts().has_ports(hit.place)) return hit.hosts().ports(hit.place).str();
  std::vector<std::string> ranges;
  ranges.reserve(hit.rule->ports.size());
  for (const PortRange& range : hit.rule->ports) ranges.push_back(range.str());
  return joined(ranges);
}

// RFC 3339 in UTC, to the second.
std::string str(WallTime time) {
  const auto seconds = std::chrono::floor<std::chrono::seconds>(time);
  const auto day = std::chrono::floor<std::chrono::days>(seconds);
  const std::chrono::year_month_day date(day);
  const std::chrono::hh_mm_ss clock(seconds - day);
  char text[40];
  std::snprintf(text, sizeof text, "%04d-%02u-%02uT%02d:%02d:%02dZ", static_cast<int>(date.year()),
                static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
                static_cast<int>(clock.hours().count()), static_cast<int>(clock.minutes().count()),
                static_cast<int>(clock.seconds().count()));
  return text;
}

std::string limits_of(const Entry& entry, const Request& request) {
  if (request.visibility == Visibility::kOpaque) {
    return "limits methods or paths, which an opaque tunnel does not show";
  }
  std::string text = "allows";
  if (!entry.methods.empty()) text += " " + joined(entry.methods);
  if (!entry.paths.empty()) text += " below " + joined(entry.paths);
  return text + " only";
}

std::string why_not(const Policy& policy, PatternId id, Fit fit, const Request& request) {
  const Citation citation = policy.cite(id);
  switch (fit) {
    case Fit::kOtherSubject:
      return cited(citation) + " allows it, but not to this client";
    case Fit::kApart:
      return cited(citation) + " allows the name, but not this request";
    case Fit::kOtherPort:
      return cited(citation) + " allows it on " + ports_of(policy, id) + ", not " +
             std::to_string(request.port.value());
    case Fit::kOtherRequest:
      return cited(citation) + " " + limits_of(*citation.entry, request);
    case Fit::kExpired:
      return cited(citation) + " allowed it until " + str(*citation.entry->expires);
    case Fit::kFits:
      break;
  }
  return cited(citation) + " allows it";
}

// An allow pattern whose name is the asked one or above it, but which is of the other kind: the
// exact name of a parent, or `*.` before the name itself.
std::optional<NearMiss> other_kind(const Policy& policy, const Subject& subject,
                                   const Request& request) {
  const Hostname* name = request.host.name();
  if (name == nullptr) return std::nullopt;
  std::optional<NearMiss> found;
  std::size_t longest = 0;
  const auto consider = [&](const detail::Hit& hit, bool is_whole) {
    const Rule& rule = *hit.rule;
    const bool is_other_kind = hit.kind() == (is_whole ? PatternKind::kBelow : PatternKind::kName);
    if (rule.denies || !is_other_kind || hit.key().size() < longest) return true;
    if (!concerns(policy.documents()[rule.document], subject)) return true;
    Citation citation = policy.cite(hit.id);
    std::string text = cited(citation) + (is_whole ? " is for the names below it, not for itself"
                                                   : " is that name only, not what is below it");
    found = NearMiss{std::move(citation), std::move(text)};
    longest = hit.key().size();
    return true;
  };
  policy.index().visit_suffixes(name->view(), consider);
  const detail::NamespacePart* own = policy.part_for(subject);
  if (own != nullptr) own->index.visit_suffixes(name->view(), consider);
  return found;
}

// The longest suffix of whole labels that both have; empty where there is none.
std::string_view common_suffix(std::string_view a, std::string_view b) {
  std::size_t common = 0;
  std::size_t length = 0;
  while (length < a.size() && length < b.size() &&
         a[a.size() - 1 - length] == b[b.size() - 1 - length]) {
    ++length;
    const bool a_ends = length == a.size() || a[a.size() - 1 - length] == '.';
    const bool b_ends = length == b.size() || b[b.size() - 1 - length] == '.';
    if (a_ends && b_ends) common = length;
  }
  return a.substr(a.size() - common);
}

// The allowed name that has most labels in common with the asked one, if they may have one owner.
std::optional<NearMiss> sibling(const Policy& policy, const Subject& subject,
                                const Request& request) {
  const Hostname* name = request.host.name();
  if (name == nullptr) return std::nullopt;
  std::optional<PatternId> best;
  std::string_view shared;
  for (const Rule& rule : policy.rules()) {
    if (rule.denies || !concerns(policy.documents()[rule.document], subject)) continue;
    const PatternList& hosts = rule.entry->hosts;
    for (std::size_t i = 0; i < hosts.size(); ++i) {
      if (hosts.kind(i) == PatternKind::kAddresses) continue;
      const std::string_view common = common_suffix(name->view(), hosts.key(i));
      if (common.size() > shared.size() && common.contains('.')) {
        shared = common;
        best = PatternId{rule.first_pattern + static_cast<std::uint32_t>(i)};
      }
    }
  }
  if (!best || detail::is_public_suffix(shared)) return std::nullopt;
  Citation citation = policy.cite(*best);
  std::string text = cited(citation) + " is the nearest name that is allowed";
  return NearMiss{std::move(citation), std::move(text)};
}

// What the lookup met on its way.
struct Met {
  std::vector<std::pair<detail::Hit, Fit>> all;

  [[nodiscard]] std::optional<PatternId> nearest(Fit fit) const {
    detail::MostSpecific best;
    for (const auto& [hit, how] : all) {
      if (how == fit && !hit.rule->denies) best.consider(hit);
    }
    return best.get();
  }
};

std::optional<NearMiss> nearest_met(const Policy& policy, const Met& met, const Request& request,
                                    std::span<const Fit> fits) {
  for (const Fit fit : fits) {
    if (const auto id = met.nearest(fit)) {
      return NearMiss{policy.cite(*id), why_not(policy, *id, fit, request)};
    }
  }
  return std::nullopt;
}

// What documents of other namespaces have for the host.
void meet_others(const Policy& policy, const Subject& subject, const Request& request, Met& met) {
  const detail::NamespacePart* own = policy.part_for(subject);
  for (const auto& [name, part] : policy.parts()) {
    if (part.get() == own) continue;
    part->index.visit(request.host, [&](const detail::Hit& hit) {
      met.all.emplace_back(hit, Fit::kOtherSubject);
    });
  }
}

constexpr std::array kNear = {Fit::kExpired, Fit::kOtherRequest, Fit::kOtherPort, Fit::kApart};
constexpr std::array kFar = {Fit::kOtherSubject};

// That a document lets nothing of the client pass.
std::string closed_text(const Document& closing) {
  return quoted(closing.name) +
         " is invalid and never was valid, or there is no room for what it " +
         "denies: it might deny what others allow, so nothing of " +
         (closing.resource_namespace.empty() ? "its clients"
                                             : "the namespace " + closing.resource_namespace) +
         " passes";
}

Step subject_step(const Policy& policy, const Subject& subject) {
  Step step{.name = "subject", .text = {}, .matched = {}};
  if (const Document* closing = policy.closed_by(subject)) {
    step.outcome = Outcome::kRefused;
    step.text = closed_text(*closing);
    return step;
  }
  std::vector<std::string> names;
  for (const Document& document : policy.documents()) {
    if (concerns(document, subject)) names.push_back(document.name);
  }
  std::string who = subject.address ? subject.address->str() : "a client without an address";
  if (subject.pod && !subject.pod->name.empty()) {
    who = "the pod " + subject.pod->pod_namespace + "/" + subject.pod->name;
  }
  if (names.empty()) {
    step.outcome = Outcome::kRefused;
    step.text = "no document is about " + who;
  } else {
    step.text = std::to_string(names.size()) + " of " + std::to_string(policy.documents().size()) +
                " documents are about " + who;
    constexpr std::size_t kNamed = 5;
    if (names.size() <= kNamed) step.text += ": " + joined(names);
  }
  if (!subject.pod && subject.may_be_pod) {
    step.text += "; it may be a pod, so what the cluster denies to any is denied to it";
    if (const Pod* last = subject.suspected.get()) {
      step.text += ", and what is denied to " + last->pod_namespace + "/" + last->name +
                   ", which had the address last";
    }
  }
  return step;
}

Step deny_step(const Policy& policy, const Decision& decision) {
  Step step{.name = "deny", .text = "no deny entry names it", .matched = {}};
  if (decision.reason == Reason::kDeniedByRule) {
    step.outcome = Outcome::kRefused;
    step.matched = policy.cite(*decision.pattern);
    step.text = cited(*step.matched) + " denies it, and deny wins over allow";
  } else if (decision.reason == Reason::kPolicyInvalid) {
    step.outcome = Outcome::kNotReached;
    step.text = "not asked";
  }
  return step;
}

Step allow_step(const Policy& policy, const Decision& decision) {
  Step step{.name = "allow", .text = {}, .matched = {}};
  if (decision.reason == Reason::kDeniedByRule || decision.reason == Reason::kPolicyInvalid) {
    step.outcome = Outcome::kNotReached;
    step.text = "not asked";
  } else if (decision.reason == Reason::kAllowed) {
    step.matched = policy.cite(*decision.pattern);
    step.text = cited(*step.matched) + " allows it";
  } else {
    step.outcome = Outcome::kRefused;
    step.text = info(decision.reason).summary;
  }
  return step;
}

// The pattern that allows exactly this host, with its port where the default ports lack it.
std::string line_for(const Policy& policy, const Request& request) {
  const bool is_default =
      std::ranges::any_of(policy.settings().default_ports,
                          [&](const PortRange& range) { return range.contains(request.port); });
  const IpAddress* address = request.host.address();
  if (is_default) return address != nullptr ? address->str() : request.host.str();
  return request.host.str() + ":" + std::to_string(request.port.value());
}

}  // namespace

std::optional<NearMiss> near_miss(const Policy& policy, const Subject& subject,
                                  const Request& request, WallTime now) {
  if (const Document* closing = policy.closed_by(subject)) {
    return NearMiss{
        {.document = closing->name, .file = closing->file, .denies = true, .pattern = {}},
        closed_text(*closing)};
  }
  Met met;
  (void)detail::evaluate(policy, subject, request, now,
                         [&](const detail::Hit& hit, Fit fit) { met.all.emplace_back(hit, fit); });
  if (auto near = nearest_met(policy, met, request, kNear)) return near;
  return other_kind(policy, subject, request);
}

Explanation explain(const Policy& policy, const Subject& subject, const Request& request,
                    WallTime now) {
  Met met;
  Explanation out{.decision = detail::evaluate(
                      policy, subject, request, now,
                      [&](const detail::Hit& hit, Fit fit) { met.all.emplace_back(hit, fit); }),
                  .steps = {},
                  .nearest = {},
                  .fix = {},
                  .line = {}};
  const Reason reason = out.decision.reason;
  out.steps = {subject_step(policy, subject), deny_step(policy, out.decision),
               allow_step(policy, out.decision)};
  if (out.decision.verdict == Verdict::kReport) {
    out.steps.push_back({.name = "mode",
                         .text = "every document about the client only reports, so it passes",
                         .matched = {}});
  }
  if (reason == Reason::kAllowed) return out;
  if (reason == Reason::kDeniedByRule) {
    out.fix = "remove or narrow " + cited(*out.steps[1].matched);
    return out;
  }
  if (reason == Reason::kPolicyInvalid) {
    out.fix = "correct or delete " + quoted(policy.closed_by(subject)->name) +
              "; its status says what is wrong with it";
    return out;
  }
  out.nearest = nearest_met(policy, met, request, kNear);
  if (!out.nearest) out.nearest = other_kind(policy, subject, request);
  if (!out.nearest) {
    meet_others(policy, subject, request, met);
    out.nearest = nearest_met(policy, met, request, kFar);
  }
  if (!out.nearest) out.nearest = sibling(policy, subject, request);
  out.line = line_for(policy, request);
  out.fix = reason == Reason::kExpired
                ? "move `expires` of " + cited(out.nearest->citation) + ", or add " +
                      quoted(out.line) + " to the hosts of another allow entry"
                : "add " + quoted(out.line) + " to the hosts of an allow entry";
  return out;
}

}  // namespace ebbgate::policy
