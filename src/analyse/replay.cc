#include "analyse/replay.h"

#include <algorithm>
#include <map>
#include <set>
#include <tuple>
#include <utility>

#include "base/escape.h"
#include "policy/handshake.h"

namespace ebbgate::analyse {
namespace {

policy::Handshake handshake_of(const LoggedRequest& logged) {
  policy::Handshake handshake{.is_tls = logged.hello != Hello::kNotTls,
                              .server_name = {},
                              .ech = logged.ech,
                              .name_leads_here = false};
  if (logged.hello == Hello::kNamesHost && logged.host.name() != nullptr) {
    handshake.server_name = *logged.host.name();
  }
  if (logged.hello == Hello::kNamesAnother) {
    // Any name but the host will do: the root has none.
    auto other = Hostname::parse("another.invalid");
    if (other && logged.host.name() != nullptr && *other == *logged.host.name()) {
      other = Hostname::parse("yet-another.invalid");
    }
    if (other) handshake.server_name = *std::move(other);
  }
  return handshake;
}

bool passes(const Judgement& judgement) {
  return judgement.verdict != Verdict::kDeny;
}

}  // namespace

policy::Request request_of(const LoggedRequest& logged) {
  policy::Request request{.host = logged.host, .port = logged.port};
  if (logged.access == Access::kClear) {
    request.visibility = policy::Visibility::kClear;
    request.method = logged.method;
    request.path = logged.path;
  } else if (logged.port == kHttpPort && logged.hello == Hello::kUnknown) {
    request.visibility = policy::Visibility::kPending;
  }
  return request;
}

Judgement judge(const policy::Policy& policy, const policy::AddressGuard& guard,
                const LoggedRequest& logged, WallTime now) {
  const policy::Decision decision = decide(policy, logged.subject, request_of(logged), now);
  if (decision.verdict == Verdict::kDeny) return {decision.verdict, decision.reason};
  policy::AdmissionSet admissions = decision.admissions;
  if (const auto address = IpAddress::parse(logged.address)) {
    policy::AddressJudgement judged = judge_address(policy, guard, logged.subject, logged.host,
                                                    decision, *address, logged.port, now);
    if (judged.reason != Reason::kAllowed) return {Verdict::kDeny, judged.reason};
    admissions = std::move(judged.admissions);
  }
  if (logged.access == Access::kTunnel && logged.hello != Hello::kUnknown) {
    const Reason reason = judge_handshake(policy, admissions, logged.host, handshake_of(logged));
    if (reason != Reason::kAllowed) return {verdict_of(decision, reason), reason};
  }
  return {decision.verdict, decision.reason};
}

FlowDetail detail_for(const policy::Policy& policy) {
  FlowDetail detail;
  const auto has_block = [](const policy::Entry& entry) {
    for (std::size_t i = 0; i < entry.hosts.size(); ++i) {
      if (entry.hosts.kind(i) == policy::PatternKind::kAddresses) return true;
    }
    return false;
  };
  for (const policy::Document& document : policy.documents()) {
    for (const auto* entries : {&document.allow, &document.deny}) {
      for (const policy::Entry& entry : *entries) {
        if (!entry.methods.empty() || !entry.paths.empty()) detail.requests = true;
        if (!entry.addresses.empty()) detail.addresses = true;
      }
    }
    if (std::ranges::any_of(document.deny, has_block)) detail.addresses = true;
  }
  return detail;
}

FlowDetail operator|(FlowDetail a, FlowDetail b) {
  return {.requests = a.requests || b.requests, .addresses = a.addresses || b.addresses};
}

Replay::Replay(const policy::Policy& before, const policy::Policy& after,
               policy::AddressGuardSettings guard, WallTime now, TrafficLimits limits,
               std::uint64_t hash_seed)
    : before_(before),
      after_(after),
      guard_(std::move(guard)),
      now_(now),
      traffic_(detail_for(before) | detail_for(after), limits, hash_seed) {}

void Replay::add(const LogEvent& event) {
  if (traffic_.add(event) != Traffic::Added::kFull || event.phase == Phase::kClose) return;
  const auto host = Host::parse(event.host);
  const auto port = Port::of(event.port);
  if (!host || !port) return;
  const policy::Subject subject = subject_of(event);
  const LoggedRequest logged{.subject = subject,
                             .host = *host,
                             .port = *port,
                             .access = event.access,
                             .hello = event.hello,
                             .ech = event.ech,
                             .method = event.method,
                             .path = event.path,
                             .address = event.address};
  const Judgement before = judge(before_, guard_, logged, now_);
  const Judgement after = judge(after_, guard_, logged, now_);
  count(beyond_, before, after, event.count);
  if (before.verdict != after.verdict) beyond_.unlisted += event.count;
}

void Replay::count(ReplayReport& report, const Judgement& before, const Judgement& after,
                   std::uint64_t requests) const {
  report.requests += requests;
  if (passes(before) && !passes(after)) report.refused += requests;
  if (!passes(before) && passes(after)) report.passed += requests;
  if (passes(before) && passes(after) && before.verdict != after.verdict) {
    report.otherwise += requests;
  }
}

ReplayReport Replay::report() const {
  ReplayReport report = beyond_;
  report.span = traffic_.span();
  using Key =
      std::tuple<std::uint32_t, std::uint32_t, std::uint16_t, Verdict, Reason, Verdict, Reason>;
  std::map<Key, ReplayedFlow> changed;
  std::set<std::uint32_t> clients;
  for (const Flow& flow : traffic_.flows()) {
    const FlowKey& key = flow.key;
    const auto port = Port::of(key.port);
    if (!port) continue;
    const LoggedRequest logged{.subject = traffic_.subject(key),
                               .host = traffic_.host(key),
                               .port = *port,
                               .access = key.access,
                               .hello = key.hello,
                               .ech = key.ech,
                               .method = traffic_.method(key),
                               .path = traffic_.path(key),
                               .address = traffic_.address(key)};
    const Judgement before = judge(before_, guard_, logged, now_);
    const Judgement after = judge(after_, guard_, logged, now_);
    count(report, before, after, flow.count());
    if (before.verdict == after.verdict) continue;
    clients.insert(key.subject);
    const Key place{key.subject,   key.host,      key.port,    before.verdict,
                    before.reason, after.verdict, after.reason};
    const auto [found, is_new] = changed.try_emplace(place);
    ReplayedFlow& row = found->second;
    if (is_new) {
      row = {.subject = traffic_.subject_name(key),
             .target = logged.host.str() + ':' + std::to_string(key.port),
             .before = before,
             .after = after,
             .first = flow.first,
             .last = flow.last};
    }
    row.count += flow.count();
    row.first = std::min(row.first, flow.first);
    row.last = std::max(row.last, flow.last);
  }
  report.clients = clients.size();
  report.flows.reserve(changed.size());
  for (auto& [key, row] : changed) report.flows.push_back(std::move(row));
  std::ranges::sort(report.flows, [](const ReplayedFlow& a, const ReplayedFlow& b) {
    return std::tie(b.count, a.target, a.subject) < std::tie(a.count, b.target, b.subject);
  });
  return report;
}

}  // namespace ebbgate::analyse
