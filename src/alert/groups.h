// Which refused attempts people are told of at once, and which are counted for a summary: one alert
// for each new group (who, and the registrable domain that was asked for), at most 20 an hour for
// one subject; whatever else happens in that hour comes in one summary at its end. However many
// clients and names there are, the memory is bounded: who has no room any more is counted as one
// subject, `others`. Plain functions over time that is passed in.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "alert/attempt.h"
#include "base/clock.h"

namespace ebbgate::alert {

// What happened in one group.
struct Tally {
  std::string name;  // the registrable domain or address
  std::uint64_t count = 0;
  Attempt first = {};
  Attempt last = {};
};

struct Alert {
  enum class Kind : std::uint8_t {
    kFirst,    // of a new group: `tallies` has that group
    kSummary,  // of what was not told in the hour: the largest groups first
  };
  Kind kind = Kind::kFirst;
  std::string subject_kind;
  std::string subject;
  std::vector<Tally> tallies;
  std::uint64_t beyond = 0;  // kSummary: attempts in groups that are not listed
};

struct GroupLimits {
  Duration window = std::chrono::hours(1);
  std::size_t first_alerts = 20;  // of one subject in a window
  std::size_t groups = 50;        // that are counted by name, of one subject
  std::size_t subjects = 1000;
};

class Groups {
 public:
  explicit Groups(GroupLimits limits = {}) : limits_(limits) {}

  // Counts the attempt. Appends the alert to be sent now, if any.
  void add(const Attempt& attempt, MonotonicTime now, std::vector<Alert>& out);

  // Appends the summaries of the windows that have ended by `now`. A group that was active in a
  // window is not new in the next; a subject without any attempt in a window is forgotten.
  void expire(MonotonicTime now, std::vector<Alert>& out);

  // The same for all windows, before the program ends.
  void finish(std::vector<Alert>& out) { expire(MonotonicTime::max(), out); }

  [[nodiscard]] std::size_t subjects() const { return subjects_.size(); }

 private:
  struct Group {
    Tally untold;           // since the last alert or summary
    bool is_active = true;  // in this window
  };
  struct Subject {
    std::string kind;
    std::string name;
    MonotonicTime until;
    std::size_t told = 0;  // first alerts in this window
    std::uint64_t beyond = 0;
    bool is_active = true;
    std::map<std::string, Group, std::less<>> groups;
  };

  Subject& subject_of(const Attempt& attempt, MonotonicTime now);
  // False: nothing happened in the window.
  bool end_window(Subject& subject, std::vector<Alert>& out) const;

  GroupLimits limits_;
  std::map<std::string, Subject, std::less<>> subjects_;  // by kind and name
  MonotonicTime next_end_ = MonotonicTime::max();         // the first window's
};

}  // namespace ebbgate::alert
