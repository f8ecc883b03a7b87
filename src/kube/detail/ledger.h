// The reporter's book: what became of each resource, which of it every gateway has in force, and
// whose status is to be written next. Plain values; nothing here waits or asks anybody.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "kube/gateways.h"
#include "kube/policy_status.h"

namespace ebbgate::kube::detail {

// What a gateway's Lease says where it has read the resources, and never had a policy.
inline constexpr const char* kNoPolicy = "none";

class Ledger {
 public:
  // `grace`: how long a gateway that is ahead of us, as its digest is none that we know, counts as
  // before.
  explicit Ledger(Duration grace) : grace_(grace) {}

  struct Entry {
    ResourceReport report;
    std::uint64_t revision = 0;    // of the report; another one with each change
    std::uint64_t told = 0;        // the revision that the API has; 0: not known
    std::uint64_t told_event = 0;  // the revision whose event it has
    Coverage told_coverage = {};
    bool has_failed = false;

   private:
    friend class Ledger;
    // From which load on which generation is in force, oldest first.
    struct Form {
      std::uint64_t load;
      std::int64_t generation;
    };
    std::vector<Form> forms;
    std::uint64_t place = 0;  // in the queue; 0: it is not in it
  };

  void report(std::vector<ResourceReport> reports, const std::string& digest);
  // Who lives, this gateway (`own`) among them. Out: whether anybody's policies are others now.
  bool set_gateways(const std::vector<Gateway>& live, std::string_view own, MonotonicTime now);
  [[nodiscard]] Coverage coverage(const Entry& entry) const;

  // What the API has is not known any more: another gateway has written meanwhile.
  void forget_told();
  // Queues what is in force on all gateways now and was told otherwise.
  void queue_completed();
  // And each of which the numbers alone are others; they come last.
  void queue_recounted();

  // What is to be told next: what changed last is first. Null: nothing.
  [[nodiscard]] Entry* next();
  [[nodiscard]] Entry* find(const ObjectId& id);
  // It has been told (as of this revision and coverage), or need not be.
  void done(Entry& entry, std::uint64_t revision, Coverage coverage);
  // It could not be. It comes again: after all others, where it may be its own fault.
  void failed(Entry& entry, bool keeps_its_place = false);
  [[nodiscard]] std::size_t waiting() const { return queue_.size(); }
  [[nodiscard]] bool has_failures() const { return failures_ > 0; }

 private:
  struct Load {
    std::string digest;
    std::uint64_t number;
  };
  // What a gateway went by when we last understood it.
  struct Standing {
    std::uint64_t load = 0;  // 0: what we do not know
    std::string digest;
    std::optional<MonotonicTime> ahead_since;
    bool operator==(const Standing&) const = default;
  };
  void enqueue(Entry& entry, std::uint64_t place);
  void dequeue(Entry& entry);
  void set_failed(Entry& entry, bool has_failed);
  [[nodiscard]] static std::int64_t generation_at(const Entry& entry, std::uint64_t load);
  [[nodiscard]] std::uint64_t load_of(std::string_view digest) const;

  Duration grace_;
  std::map<ObjectId, Entry> entries_;
  std::deque<Load> loads_;  // the last that were
  std::uint64_t load_ = 0;
  std::uint64_t revision_ = 0;
  std::map<std::string, Standing> standings_;      // of each gateway, by its Lease
  std::map<std::uint64_t, std::size_t> on_loads_;  // how many gateways go by a load
  std::size_t serving_ = 0;
  // By place, the highest first: what is new, below it what was recounted, below it what failed.
  std::map<std::uint64_t, ObjectId, std::greater<>> queue_;
  std::uint64_t place_of_new_ = std::uint64_t{2} << 60U;
  std::uint64_t place_of_recounted_ = std::uint64_t{1} << 60U;
  std::uint64_t place_of_failed_ = std::uint64_t{1} << 60U;
  std::size_t failures_ = 0;
};

}  // namespace ebbgate::kube::detail
