// The decision (semantics 3, steps 3 and 4): who asks for what in, a verdict with its reason out.
// Pure: no clock, no DNS, no allocation where an entry is hit. What follows a match by name (the
// addresses, the ClientHello) is judged by judge_address() and judge_handshake().
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "base/authority.h"
#include "base/clock.h"
#include "base/reason.h"
#include "base/verdict.h"
#include "policy/policy.h"

namespace ebbgate::policy {

// How much of an exchange the gateway can see.
enum class Visibility : std::uint8_t {
  kOpaque,   // a tunnel: `methods` and `paths` cannot be judged
  kPending,  // CONNECT to port 80: the first bytes will tell, and each request is judged then
  kClear,    // an HTTP request
};

struct Request {
  const Host& host;
  Port port;
  Visibility visibility = Visibility::kOpaque;
  std::string_view method = {};  // kClear only
  std::string_view path = {};    // kClear only; from the first '/', a query is ignored
};

using ebbgate::Verdict;
using ebbgate::word;

// One way in: the terms of an entry that matched, and for an address literal the pattern that names
// it (which lifts the ban on a special address if it lies wholly in the special block).
struct Admission {
  TermsId terms = kDefaultTerms;
  std::optional<PatternId> literal;
  bool operator==(const Admission&) const = default;
};

// The admissions of a request, each once. Several entries may match one request with different
// terms. Each is an alternative that has to hold as a whole: an address that only entry A opts in
// is not open to a handshake that only entry B lets pass. So the set is kept, narrowed to those
// that admit the address that was dialed, and the handshake has to satisfy one of the rest. The
// outcome is the same in whatever order entries and documents come.
class AdmissionSet {
 public:
  void add(const Admission& admission);
  [[nodiscard]] std::span<const Admission> all() const {
    return more_.empty() ? std::span(few_.data(), count_) : std::span<const Admission>(more_);
  }
  [[nodiscard]] bool empty() const { return count_ == 0; }

 private:
  static constexpr std::size_t kFew = 4;  // distinct terms for one name; more go to the heap
  std::array<Admission, kFew> few_{};
  std::vector<Admission> more_;
  std::size_t count_ = 0;
};

struct Decision {
  Verdict verdict = Verdict::kDeny;
  Reason reason = Reason::kNotAllowed;  // of a REPORT: what would have refused it
  std::optional<PatternId> pattern;     // that decided, the most specific; else the nearest miss
  bool reports_only = false;            // relaxable reasons are recorded, not enforced
  AdmissionSet admissions;              // empty for DENY; default terms where only reported
};

[[nodiscard]] Decision decide(const Policy& policy, const Subject& subject, const Request& request,
                              WallTime now);

// What becomes of a request that was let pass so far and now meets `reason`.
[[nodiscard]] Verdict verdict_of(const Decision& decision, Reason reason);

}  // namespace ebbgate::policy
