// Whose turn it is: resources wait in their namespaces, and the namespaces take turns, so that none
// of them holds up another, however much of it there is. The cluster's own resources come first,
// and take every second turn at most.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>

#include "base/clock.h"
#include "kube/object_set.h"

namespace ebbgate::kube::detail {

class FairQueue {
 public:
  // Within a namespace; those of one rank in the order in which they came.
  enum class Rank : std::uint8_t { kNew, kRecounted, kFailed };

  // Stays where it is where it waits with this rank already, or with a better one.
  void push(const ObjectId& id, Rank rank);
  // Behind all others of its rank.
  void push_back(const ObjectId& id, Rank rank);
  // Has no turn before `due`.
  void postpone(const ObjectId& id, MonotonicTime due);
  void erase(const ObjectId& id);
  void clear() { *this = {}; }

  // Takes a turn. Out: whose it is; it goes on waiting. Null: nobody's.
  [[nodiscard]] std::optional<ObjectId> next(MonotonicTime now);
  // When there is one: `now`, or later; never where nothing waits.
  [[nodiscard]] std::optional<MonotonicTime> next_at(MonotonicTime now) const;
  [[nodiscard]] bool contains(const ObjectId& id) const { return spots_.contains(id); }
  [[nodiscard]] std::size_t size() const { return spots_.size(); }

 private:
  using Place = std::pair<Rank, std::uint64_t>;
  struct Spot {
    Place place;
    std::optional<MonotonicTime> due;  // it is postponed
  };
  std::map<ObjectId, Spot> spots_;
  std::map<std::string, std::map<Place, ObjectId>> lanes_;  // by namespace; none is empty
  std::set<std::pair<MonotonicTime, ObjectId>> postponed_;
  std::uint64_t last_place_ = 0;
  std::string last_lane_;  // of a namespace
  bool was_clusters_ = false;
};

}  // namespace ebbgate::kube::detail
