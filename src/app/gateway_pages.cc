#include "app/gateway_pages.h"

#include <utility>

#include "app/explanation.h"
#include "config/bundles.h"
#include "config/load_policy.h"
#include "observe/process_stats.h"
#include "policy/inquiry.h"

namespace ebbgate::app {

GatewayPages::GatewayPages(Parts parts) : parts_(std::move(parts)) {
  if (parts_.cluster != nullptr) pods_.emplace(parts_.cluster->pods());
}

admin::AdminState GatewayPages::health() {
  admin::AdminState state{
      .unready = parts_.unready(), .build = parts_.metrics.build(), .metrics = {}, .explain = {}};
  if (parts_.health_metrics) {
    state.metrics = [this](observe::Exposition form) { return exposition(form); };
  }
  return state;
}

admin::AdminState GatewayPages::admin() {
  admin::AdminState state = health();
  state.metrics = [this](observe::Exposition form) { return exposition(form); };
  state.explain = [this](const admin::Query& query, admin::Format format) {
    return explain(query, format);
  };
  return state;
}

std::string GatewayPages::exposition(observe::Exposition exposition) const {
  if (const proxy::SnapshotPtr snapshot = parts_.published.get().first) {
    const auto ending = config::count_expiries(*snapshot->policy, parts_.clock.wall());
    parts_.metrics.policy().entries_expiring.set(static_cast<std::int64_t>(ending.expiring));
    parts_.metrics.policy().entries_expired.set(static_cast<std::int64_t>(ending.expired));
  }
  std::vector<observe::SourceStatus> sources;
  if (parts_.sources != nullptr) sources = parts_.sources->status();
  observe::ClusterStatus cluster;
  if (parts_.cluster != nullptr) cluster = parts_.cluster->status();
  return parts_.metrics.exposition(exposition, observe::read_process_stats(), sources,
                                   parts_.cluster == nullptr ? nullptr : &cluster);
}

Result<std::string> GatewayPages::explain(const admin::Query& query, admin::Format format) {
  const proxy::SnapshotPtr snapshot = parts_.published.get().first;
  if (snapshot == nullptr) return fail(Reason::kNoPolicy, Side::kSelf, "there is no policy yet");
  const auto asked = explain_words(query);
  if (!asked) return std::unexpected(asked.error());
  auto inquiry = inquiry_of(*asked);
  if (!inquiry) return std::unexpected(inquiry.error());
  const WallTime now = parts_.clock.wall();
  if (pods_) identify(*inquiry, *pods_, now, parts_.loop.now());
  const policy::Finding finding =
      policy::answer(*snapshot->policy, snapshot->guard, *inquiry, now, config::builtin_bundles());
  return format == admin::Format::kJson ? json(finding) : policy::text(finding);
}

}  // namespace ebbgate::app
