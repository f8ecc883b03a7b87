#include "policy/decide.h"

#include <algorithm>

#include "policy/detail/evaluate.h"
#include "policy/detail/path.h"

namespace ebbgate::policy {
namespace detail {
namespace {

bool fits_ports(const Hit& hit, Port port) {
  const Rule& rule = *hit.rule;
  if (hit.hosts().has_ports(hit.place)) return hit.hosts().ports(hit.place).contains(port);
  return (rule.denies && rule.ports.empty()) ||
         std::ranges::any_of(rule.ports,
                             [&](const PortRange& range) { return range.contains(port); });
}

// Whether the entry's `methods` and `paths` hold for what can be seen of the request. Allow needs
// proof, deny a possibility: where nothing can be seen, a limited entry never allows and always
// denies. Where it will be seen later, both wait.
bool fits_request(const Rule& rule, const Request& request) {
  const Entry& entry = *rule.entry;
  if (entry.methods.empty() && entry.paths.empty()) return true;
  switch (request.visibility) {
    case Visibility::kOpaque:
      return rule.denies;
    case Visibility::kPending:
      return !rule.denies;
    case Visibility::kClear:
      break;
  }
  const auto is_method = [&](const std::string& method) { return method == request.method; };
  if (!entry.methods.empty() && std::ranges::none_of(entry.methods, is_method)) return false;
  const auto is_path = [&](const std::string& prefix) {
    return rule.denies ? may_be_under(request.path, prefix) : is_surely_under(request.path, prefix);
  };
  return entry.paths.empty() || std::ranges::any_of(entry.paths, is_path);
}

}  // namespace

Fit fit_of(const Policy& policy, const Hit& hit, const Subject& subject, const Request& request,
           WallTime now) {
  const Rule& rule = *hit.rule;
  const Document& document = policy.documents()[rule.document];
  // Allow needs proof of who asks, deny a possibility.
  if (!(rule.denies ? may_concern(document, subject) : concerns(document, subject))) {
    return Fit::kOtherSubject;
  }
  const bool is_port = fits_ports(hit, request.port);
  const bool is_request = fits_request(rule, request);
  const bool is_alive = !rule.entry->expires || now < *rule.entry->expires;
  if (is_port && is_request && is_alive) return Fit::kFits;
  if (is_request && is_alive) return Fit::kOtherPort;
  if (is_port && is_alive) return Fit::kOtherRequest;
  if (is_port && is_request) return Fit::kExpired;
  return Fit::kApart;
}

Reason reason_of(Fit miss) {
  switch (miss) {
    case Fit::kOtherPort:
      return Reason::kPortNotAllowed;
    case Fit::kExpired:
      return Reason::kExpired;
    default:
      return Reason::kNotAllowed;
  }
}

}  // namespace detail

void AdmissionSet::add(const Admission& admission) {
  const auto known = all();
  if (std::ranges::find(known, admission) != known.end()) return;
  if (count_ < kFew) {
    few_[count_] = admission;
  } else {
    if (count_ == kFew) more_.assign(few_.begin(), few_.end());
    more_.push_back(admission);
  }
  ++count_;
}

Decision decide(const Policy& policy, const Subject& subject, const Request& request,
                WallTime now) {
  return detail::evaluate(policy, subject, request, now, [](const detail::Hit&, detail::Fit) {});
}

Verdict verdict_of(const Decision& decision, Reason reason) {
  if (reason == Reason::kAllowed) return decision.verdict;
  return decision.reports_only && info(reason).relaxable ? Verdict::kReport : Verdict::kDeny;
}

}  // namespace ebbgate::policy
