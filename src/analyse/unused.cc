#include "analyse/unused.h"

#include "policy/matches.h"

namespace ebbgate::analyse {

Usage::Usage(const policy::Policy& policy, std::int64_t since, TrafficLimits limits,
             std::uint64_t hash_seed)
    : policy_(policy),
      since_(since),
      traffic_(detail_for(policy), limits, hash_seed),
      used_beyond_(policy.pattern_count()) {}

void Usage::add(const LogEvent& event) {
  span_.add(event.time);
  if (event.time < since_) return;
  if (traffic_.add(event) != Traffic::Added::kFull) return;
  const auto host = Host::parse(event.host);
  const auto port = Port::of(event.port);
  if (!host || !port) return;
  const policy::Subject subject = subject_of(event);
  const LoggedRequest logged{.subject = subject,
                             .host = *host,
                             .port = *port,
                             .access = event.access,
                             .hello = event.hello,
                             .method = event.method,
                             .path = event.path,
                             .address = event.address};
  requests_beyond_ += event.phase == Phase::kClose ? 0 : event.count;
  mark(logged, event.time, used_beyond_);
}

void Usage::mark(const LoggedRequest& logged, std::int64_t time, std::vector<bool>& used) const {
  const policy::Request request = request_of(logged);
  const WallTime when{std::chrono::milliseconds(time)};
  policy::visit_matches(policy_, logged.subject, request, when, [&](policy::PatternId pattern) {
    used[static_cast<std::size_t>(pattern)] = true;
  });
  const auto dialed = IpAddress::parse(logged.address);
  if (!dialed) return;
  const Host literal(*dialed);
  const policy::Request to_address{.host = literal,
                                   .port = request.port,
                                   .visibility = request.visibility,
                                   .method = request.method,
                                   .path = request.path};
  policy::visit_matches(policy_, logged.subject, to_address, when, [&](policy::PatternId pattern) {
    if (policy_.cite(pattern).denies) used[static_cast<std::size_t>(pattern)] = true;
  });
}

Usage::Report Usage::report() const {
  std::vector<bool> used = used_beyond_;
  Report report{.unused = {}, .patterns = used.size(), .requests = requests_beyond_, .span = span_};
  for (const Flow& flow : traffic_.flows()) {
    const FlowKey& key = flow.key;
    const auto port = Port::of(key.port);
    if (!port) continue;
    const LoggedRequest logged{.subject = traffic_.subject(key),
                               .host = traffic_.host(key),
                               .port = *port,
                               .access = key.access,
                               .hello = key.hello,
                               .method = traffic_.method(key),
                               .path = traffic_.path(key),
                               .address = traffic_.address(key)};
    mark(logged, flow.last, used);
    report.requests += flow.count();
  }
  for (std::size_t i = 0; i < used.size(); ++i) {
    if (!used[i]) report.unused.push_back(policy::PatternId{static_cast<std::uint32_t>(i)});
  }
  return report;
}

}  // namespace ebbgate::analyse
