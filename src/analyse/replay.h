// What a log would have come to under two policies (`ebbgate diff --replay`): events in, and out
// come the flows that the two decide otherwise. The engine that enforces decides here too.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "analyse/log_event.h"
#include "analyse/traffic.h"
#include "base/clock.h"
#include "base/verdict.h"
#include "policy/address_guard.h"
#include "policy/decide.h"

namespace ebbgate::analyse {

struct Judgement {
  Verdict verdict = Verdict::kDeny;
  Reason reason = Reason::kNotAllowed;
  bool operator==(const Judgement&) const = default;
};

// What the gateway would say of one request, as far as the log tells: the decision, then the
// origin's address where there is one, then the ClientHello where it is known. Whether a tunnel of
// `tls: off` spoke TLS is not: it counts as one that did not.
struct LoggedRequest {
  const policy::Subject& subject;
  const Host& host;
  Port port;
  Access access = Access::kTunnel;
  Hello hello = Hello::kUnknown;
  bool ech = false;
  std::string_view method = {};
  std::string_view path = {};
  std::string_view address = {};
};
[[nodiscard]] policy::Request request_of(const LoggedRequest& logged);
[[nodiscard]] Judgement judge(const policy::Policy& policy, const policy::AddressGuard& guard,
                              const LoggedRequest& logged, WallTime now);

// What has to be told apart for these policies; the less, the fewer flows.
[[nodiscard]] FlowDetail detail_for(const policy::Policy& policy);
[[nodiscard]] FlowDetail operator|(FlowDetail a, FlowDetail b);

// One flow that is decided otherwise.
struct ReplayedFlow {
  std::string subject;
  std::string target;  // host:port
  Judgement before;
  Judgement after;
  std::uint64_t count = 0;
  std::int64_t first = 0;  // milliseconds since 1970
  std::int64_t last = 0;
};

struct ReplayReport {
  std::uint64_t requests = 0;   // all that were judged; a tunnel is one
  std::uint64_t refused = 0;    // of these, those that pass before and not after
  std::uint64_t passed = 0;     // the reverse
  std::uint64_t otherwise = 0;  // reported in one of them only, and let pass in both
  std::uint64_t clients = 0;    // that have a request decided otherwise
  std::uint64_t unlisted = 0;   // decided otherwise, with no room to say which: not in `flows`
  TimeSpan span;
  std::vector<ReplayedFlow> flows;  // the most frequent first
};

class Replay {
 public:
  // Both policies have to stay. `now` decides what has expired, for the whole log.
  Replay(const policy::Policy& before, const policy::Policy& after,
         policy::AddressGuardSettings guard, WallTime now, TrafficLimits limits = {},
         std::uint64_t hash_seed = 0);

  void add(const LogEvent& event);
  [[nodiscard]] ReplayReport report() const;

 private:
  void count(ReplayReport& report, const Judgement& before, const Judgement& after,
             std::uint64_t requests) const;

  const policy::Policy& before_;
  const policy::Policy& after_;
  policy::AddressGuard guard_;
  WallTime now_;
  Traffic traffic_;
  ReplayReport beyond_;  // the flows that there is no room for
};

}  // namespace ebbgate::analyse
