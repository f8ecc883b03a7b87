// The decision itself, with a place to look on: decide() passes nobody, explain() writes down how
// each pattern that is about the host fits.
#pragma once

#include <cstdint>
#include <optional>

#include "policy/address_class.h"
#include "policy/decide.h"
#include "policy/detail/pattern_index.h"

namespace ebbgate::policy::detail {

// How near a pattern that matches the host comes to matching the request; later is nearer.
enum class Fit : std::uint8_t {
  kOtherSubject,  // its document is not about this subject
  kApart,         // it fails in more than one way
  kOtherPort,
  kOtherRequest,  // another method or path, or a tunnel that cannot be looked into
  kExpired,
  kFits,
};

[[nodiscard]] Fit fit_of(const Policy& policy, PatternId id, const Subject& subject,
                         const Request& request, WallTime now);

// Of several patterns the most specific, and of equals the first: what a record names.
class MostSpecific {
 public:
  MostSpecific(const PatternIndex& index) : index_(&index) {}
  void consider(PatternId id) {
    const std::uint32_t rank = rank_of(id);
    if (!best_ || rank > rank_ || (rank == rank_ && id < *best_)) {
      best_ = id;
      rank_ = rank;
    }
  }
  void reset() { best_.reset(); }
  [[nodiscard]] const std::optional<PatternId>& get() const { return best_; }

 private:
  // A longer name or prefix first; of one name, the exact pattern before the wide ones.
  [[nodiscard]] std::uint32_t rank_of(PatternId id) const {
    const PatternList& hosts = index_->rule(id).entry->hosts;
    const std::size_t place = index_->place(id);
    const std::string_view key = hosts.key(place);
    if (hosts.kind(place) == PatternKind::kAddresses) {
      return static_cast<unsigned char>(key[1]);  // the prefix length, see AddressKey
    }
    return static_cast<std::uint32_t>(key.size()) * 4 +
           (hosts.kind(place) == PatternKind::kName ? 1U : 0U);
  }

  const PatternIndex* index_;
  std::optional<PatternId> best_;
  std::uint32_t rank_ = 0;
};

// Why the best of the misses did not do.
[[nodiscard]] Reason reason_of(Fit miss);

// Calls observe(PatternId, Fit) for every pattern about the host, deny entries included.
template <typename Observe>
Decision evaluate(const Policy& policy, const Subject& subject, const Request& request,
                  WallTime now, Observe&& observe) {
  const PatternIndex& index = policy.index();
  const bool is_literal = request.host.address() != nullptr;
  MostSpecific denied(index);
  MostSpecific allowed(index);
  MostSpecific missed(index);
  Fit miss = Fit::kOtherSubject;
  Decision decision;

  index.visit(request.host, [&](PatternId id) {
    const Fit fit = fit_of(policy, id, subject, request, now);
    observe(id, fit);
    if (index.rule(id).denies) {
      if (fit == Fit::kFits) denied.consider(id);
    } else if (fit == Fit::kFits) {
      allowed.consider(id);
      Admission admission{.terms = index.rule(id).terms, .literal = {}};
      if (is_literal) admission.literal = id;
      decision.admissions.add(admission);
    } else if (fit >= miss && fit > Fit::kApart) {
      if (fit > miss) missed.reset();
      miss = fit;
      missed.consider(id);
    }
  });
  if (is_literal) {
    // What is denied as an IPv4 address stays denied in the clothes of an IPv6 one.
    for (const IpAddress& inner : Readings(*request.host.address())) {
      if (inner == *request.host.address()) continue;
      index.visit(Host(inner), [&](PatternId id) {
        if (!index.rule(id).denies) return;
        const Fit fit = fit_of(policy, id, subject, request, now);
        observe(id, fit);
        if (fit == Fit::kFits) denied.consider(id);
      });
    }
  }

  decision.reports_only = policy.reports_only(subject);
  if (denied.get()) {
    decision.reason = Reason::kDeniedByRule;
    decision.pattern = denied.get();
  } else if (allowed.get()) {
    decision.verdict = Verdict::kAllow;
    decision.reason = Reason::kAllowed;
    decision.pattern = allowed.get();
    return decision;
  } else {
    decision.reason = reason_of(miss);
    decision.pattern = missed.get();
  }
  decision.verdict = verdict_of(decision, decision.reason);
  if (decision.verdict == Verdict::kDeny) {
    decision.admissions = {};
  } else if (decision.admissions.empty()) {
    decision.admissions.add({});
  }
  return decision;
}

}  // namespace ebbgate::policy::detail
