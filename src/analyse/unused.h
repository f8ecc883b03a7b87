// Which patterns of a policy nothing used (`ebbgate unused`): events in, the patterns that matched
// none of them out. Without them, every request of the log would be decided as it was.
#pragma once

#include <cstdint>
#include <vector>

#include "analyse/replay.h"
#include "analyse/traffic.h"
#include "policy/policy.h"

namespace ebbgate::analyse {

class Usage {
 public:
  // The policy has to stay. Events before `since` (milliseconds since 1970) are only noted as being
  // there.
  Usage(const policy::Policy& policy, std::int64_t since, TrafficLimits limits = {},
        std::uint64_t hash_seed = 0);

  void add(const LogEvent& event);

  struct Report {
    std::vector<policy::PatternId> unused;  // ascending
    std::size_t patterns = 0;
    std::uint64_t requests = 0;  // that were looked at
    TimeSpan span;               // of the whole log: where it begins late, less is known
  };
  // A pattern is used by each request that it matches, alone or beside others, refused or let pass;
  // a deny entry's block also by each address that was dialed and that it holds.
  [[nodiscard]] Report report() const;

 private:
  void mark(const LoggedRequest& logged, std::int64_t time, std::vector<bool>& used) const;

  const policy::Policy& policy_;
  std::int64_t since_;
  Traffic traffic_;
  std::vector<bool> used_beyond_;  // by flows that there is no room for
  std::uint64_t requests_beyond_ = 0;
  TimeSpan span_;
};

}  // namespace ebbgate::analyse
