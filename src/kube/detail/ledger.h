// The reporter's book: what became of each resource, which of it every gateway has in force, and
// whose status is to be written next, or whose event. Plain values; nothing here waits or asks
// anybody.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "kube/detail/fair_queue.h"
#include "kube/detail/invalid_note.h"
#include "kube/gateways.h"
#include "kube/policy_status.h"

namespace ebbgate::kube::detail {

class Ledger {
 public:
  // `grace`: how long a gateway that is ahead of us, as its digest is none that we know, counts as
  // before. `event_gap`: between two events about one resource.
  explicit Ledger(Duration grace, Duration event_gap = std::chrono::minutes(1))
      : grace_(grace), event_gap_(event_gap) {}

  struct Entry {
    ResourceReport report;
    std::uint64_t revision = 0;  // of the report; another one with each change
    Coverage told_coverage = {};
    std::optional<Told> told_event;  // the last that people were told; nothing: the API knows
    int failures = 0;                // in a row

   private:
    friend class Ledger;
    // From which load on which generation is in force, oldest first.
    struct Form {
      std::uint64_t load;
      std::int64_t generation;
    };
    std::vector<Form> forms;
  };

  // `digest`: of digest_of(), or kNoPolicy.
  void report(std::vector<ResourceReport> reports, const std::string& digest);
  // What this gateway's Lease is to say of its policies.
  [[nodiscard]] const std::string& digest() const { return own_.digest; }
  [[nodiscard]] const std::string& invalid() const { return own_.invalid; }
  // Who lives, this gateway (`own`) among them. Out: whether anybody's policies are others now.
  bool set_gateways(const std::vector<Gateway>& live, std::string_view own, MonotonicTime now);
  [[nodiscard]] Coverage coverage(const Entry& entry) const;

  // What the API has is not known any more: another gateway has written meanwhile.
  void forget_told();
  // Queues what is in force on all gateways now and was told otherwise.
  void queue_completed();
  // And each of which the numbers alone are others; they come last.
  void queue_recounted();

  // Whose status is to be told next. Null: nobody's, now.
  [[nodiscard]] Entry* next(MonotonicTime now);
  [[nodiscard]] std::optional<MonotonicTime> next_at(MonotonicTime now) const {
    return statuses_.next_at(now);
  }
  [[nodiscard]] Entry* find(const ObjectId& id);
  // It has been told (as of this revision and coverage), or need not be.
  void done(Entry& entry, std::uint64_t revision, Coverage coverage);
  // It could not be, which may be its own fault: it comes again then, after all others of its
  // namespace.
  void failed(Entry& entry, MonotonicTime again);
  [[nodiscard]] std::size_t waiting() const { return statuses_.size(); }
  [[nodiscard]] bool has_failures() const { return failures_ > 0; }

  // The same of events. Whose is due is told what holds by then.
  [[nodiscard]] Entry* next_event(MonotonicTime now);
  [[nodiscard]] std::optional<MonotonicTime> next_event_at(MonotonicTime now) const {
    return events_.next_at(now);
  }
  // Whether an event about it may be told now, without one that waits being passed over.
  [[nodiscard]] bool may_tell(const Entry& entry, MonotonicTime now) const;
  void owe_event(const Entry& entry, MonotonicTime now);
  void event_told(Entry& entry, Told told, MonotonicTime now);
  void event_failed(const Entry& entry, MonotonicTime again);
  void drop_event(const Entry& entry) { events_.erase(entry.report.id); }

 private:
  struct Load {
    std::string digest;
    std::uint64_t number;
  };
  // What a gateway went by when we last understood it.
  struct Standing {
    std::uint64_t load = 0;  // 0: what we do not know
    std::optional<MonotonicTime> ahead_since;
    InvalidNote note;
  };
  void set_failed(Entry& entry, bool has_failed);
  void forget(Entry& entry);
  [[nodiscard]] static std::int64_t generation_at(const Entry& entry, std::uint64_t load);
  // Nothing: nobody knows.
  [[nodiscard]] static std::optional<std::int64_t> generation_at(const Entry& entry,
                                                                 const std::string& key,
                                                                 const Standing& standing);
  [[nodiscard]] Coverage coverage_of_invalid(const Entry& entry) const;
  [[nodiscard]] std::uint64_t load_of(std::string_view digest) const;

  Duration grace_;
  Duration event_gap_;
  std::map<ObjectId, Entry> entries_;
  std::deque<Load> loads_;  // the last that were
  std::uint64_t load_ = 0;
  std::uint64_t revision_ = 0;
  Gateway own_;                                    // what our Lease is to say
  std::map<std::string, Standing> standings_;      // of each gateway, by its Lease
  std::map<std::uint64_t, std::size_t> on_loads_;  // how many gateways go by a load
  std::map<std::string, InvalidNote> notes_;       // of the gateways that have any
  FairQueue statuses_;
  FairQueue events_;
  std::map<ObjectId, MonotonicTime> event_times_;  // when the last was told, of those of late
  std::size_t failures_ = 0;
};

}  // namespace ebbgate::kube::detail
