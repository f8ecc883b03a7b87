// The decision itself, with a place to look on: decide() passes nobody, explain() writes down how
// each pattern that is about the host fits.
#pragma once

#include <cstdint>
#include <optional>

#include "policy/address_class.h"
#include "policy/decide.h"
#include "policy/detail/namespace_part.h"

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

[[nodiscard]] Fit fit_of(const Policy& policy, const Hit& hit, const Subject& subject,
                         const Request& request, WallTime now);

// Of several patterns the most specific, and of equals the first: what a record names.
class MostSpecific {
 public:
  void consider(const Hit& hit) {
    const std::uint32_t rank = rank_of(hit);
    if (!best_ || rank > rank_ || (rank == rank_ && hit.id < *best_)) {
      best_ = hit.id;
      rank_ = rank;
    }
  }
  void reset() { best_.reset(); }
  [[nodiscard]] const std::optional<PatternId>& get() const { return best_; }

 private:
  // A longer name or prefix first; of one name, the exact pattern before the wide ones.
  [[nodiscard]] static std::uint32_t rank_of(const Hit& hit) {
    const std::string_view key = hit.key();
    if (hit.kind() == PatternKind::kAddresses) {
      return static_cast<unsigned char>(key[1]);  // the prefix length, see AddressKey
    }
    return static_cast<std::uint32_t>(key.size()) * 2 +
           (hit.kind() == PatternKind::kName ? 1U : 0U);
  }

  std::optional<PatternId> best_;
  std::uint32_t rank_ = 0;
};

// Why the best of the misses did not do.
[[nodiscard]] Reason reason_of(Fit miss);

// Calls observe(Hit, Fit) for every pattern about the host, deny entries included; for none where
// the subject is closed off, which nothing relaxes.
template <typename Observe>
Decision evaluate(const Policy& policy, const Subject& subject, const Request& request,
                  WallTime now, Observe&& observe) {
  const NamespacePart* own = policy.part_for(subject);
  const bool is_literal = request.host.address() != nullptr;
  MostSpecific denied;
  MostSpecific allowed;
  MostSpecific missed;
  Fit miss = Fit::kOtherSubject;
  Decision decision;
  if (policy.closed_by(subject, own) != nullptr) {
    decision.reason = Reason::kPolicyInvalid;
    return decision;
  }

  visit_patterns(policy, own, request.host, [&](const Hit& hit) {
    const Fit fit = fit_of(policy, hit, subject, request, now);
    observe(hit, fit);
    if (hit.rule->denies) {
      if (fit == Fit::kFits) denied.consider(hit);
    } else if (fit == Fit::kFits) {
      allowed.consider(hit);
      Admission admission{.terms = hit.rule->terms, .literal = {}};
      if (is_literal) admission.literal = hit.id;
      decision.admissions.add(admission);
    } else if (fit >= miss && fit > Fit::kApart) {
      if (fit > miss) missed.reset();
      miss = fit;
      missed.consider(hit);
    }
  });
  if (is_literal) {
    // What is denied as an IPv4 address stays denied in the clothes of an IPv6 one.
    for (const IpAddress& inner : Readings(*request.host.address())) {
      if (inner == *request.host.address()) continue;
      visit_patterns(policy, own, Host(inner), [&](const Hit& hit) {
        if (!hit.rule->denies) return;
        const Fit fit = fit_of(policy, hit, subject, request, now);
        observe(hit, fit);
        if (fit == Fit::kFits) denied.consider(hit);
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
