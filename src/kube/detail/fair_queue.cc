#include "kube/detail/fair_queue.h"

#include <algorithm>

namespace ebbgate::kube::detail {

void FairQueue::push(const ObjectId& id, Rank rank) {
  const auto found = spots_.find(id);
  if (found != spots_.end() && found->second.place.first <= rank) return;
  push_back(id, rank);
}

void FairQueue::push_back(const ObjectId& id, Rank rank) {
  erase(id);
  const Place place{rank, ++last_place_};
  spots_[id] = {.place = place, .due = {}};
  lanes_[id.in_namespace].emplace(place, id);
}

void FairQueue::postpone(const ObjectId& id, MonotonicTime due) {
  erase(id);
  spots_[id] = {.place = {Rank::kFailed, 0}, .due = due};
  postponed_.emplace(due, id);
}

void FairQueue::erase(const ObjectId& id) {
  const auto found = spots_.find(id);
  if (found == spots_.end()) return;
  if (found->second.due) {
    postponed_.erase({*found->second.due, id});
  } else {
    const auto lane = lanes_.find(id.in_namespace);
    lane->second.erase(found->second.place);
    if (lane->second.empty()) lanes_.erase(lane);
  }
  spots_.erase(found);
}

std::optional<ObjectId> FairQueue::next(MonotonicTime now) {
  while (!postponed_.empty() && postponed_.begin()->first <= now) {
    push_back(ObjectId(postponed_.begin()->second), Rank::kFailed);
  }
  if (lanes_.empty()) return std::nullopt;
  auto lane = lanes_.begin();
  const bool is_clusters = lane->first.empty() && (!was_clusters_ || lanes_.size() == 1);
  if (!is_clusters) {
    lane = lanes_.upper_bound(last_lane_);
    if (lane == lanes_.end()) lane = lanes_.upper_bound("");  // past the cluster's own
    last_lane_ = lane->first;
  }
  was_clusters_ = is_clusters;
  return lane->second.begin()->second;
}

std::optional<MonotonicTime> FairQueue::next_at(MonotonicTime now) const {
  if (!lanes_.empty()) return now;
  if (postponed_.empty()) return std::nullopt;
  return std::max(now, postponed_.begin()->first);
}

}  // namespace ebbgate::kube::detail
