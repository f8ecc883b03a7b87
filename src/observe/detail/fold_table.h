// Folding of refusals (semantics 13): the first of its kind is written at once, the further ones
// of the second that follows are counted here and become one event.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "observe/detail/stored_record.h"
#include "observe/record.h"

namespace ebbgate::observe {

// Refusals are identical when subject, name, port and reason are. Where the subject has no name,
// the client's address stands for it, so that two unknown clients are never taken for one.
class FoldTable {
 public:
  FoldTable(std::size_t entries, Duration window);

  // Whether an identical refusal was remembered less than a window ago; if so, this one is counted.
  [[nodiscard]] bool absorb(const Record& refusal);

  // Remembers a refusal that absorb() did not take and that is queued now. A full table forgets it:
  // the next of its kind is then written by itself too.
  void remember(MonotonicTime now);

  // Calls `queue(record) -> bool` for what was counted in the windows that ended by `now`, and
  // forgets them; stops at the first false and returns it.
  template <typename Queue>
  bool expire(MonotonicTime now, Queue&& queue) {
    while (oldest_ != kNone && now >= folds_[oldest_].until) {
      const Fold& fold = folds_[oldest_];
      if (fold.counts && !queue(fold.further->record())) return false;
      forget_oldest();
    }
    return true;
  }

  // When the next window ends.
  [[nodiscard]] Deadline next() const {
    return oldest_ == kNone ? Deadline::never() : Deadline::at(folds_[oldest_].until);
  }

 private:
  using Index = std::uint32_t;
  static constexpr Index kNone = ~Index{0};

  struct Fold {
    std::string key;
    MonotonicTime until;
    std::unique_ptr<StoredRecord> further;  // the first of the further ones, with the count of all
    bool counts = false;                    // whether there are further ones
    Index bucket = kNone;
    Index next_in_bucket = kNone;
    Index next_in_time = kNone;
  };

  void read_key(const Record& refusal);
  void forget_oldest();

  const Duration window_;
  std::vector<Fold> folds_;
  std::vector<Index> buckets_;  // heads of chains
  Index free_ = kNone;          // a chain over next_in_time
  Index oldest_ = kNone;        // all windows are equally long: the order of time is that of ends
  Index newest_ = kNone;
  std::string key_;   // of the last refusal that absorb() saw,
  Index bucket_ = 0;  // and where its chain is
};

}  // namespace ebbgate::observe
