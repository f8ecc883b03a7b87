#include "alert/groups.h"

#include <algorithm>
#include <utility>

namespace ebbgate::alert {
namespace {

void count(Tally& tally, const Attempt& attempt) {
  if (tally.count == 0) tally.first = attempt;
  tally.count += attempt.count;
  tally.last = attempt;
}

}  // namespace

Groups::Subject& Groups::subject_of(const Attempt& attempt, MonotonicTime now) {
  std::string kind = attempt.subject_kind;
  std::string name = attempt.subject;
  std::string key = kind + " " + name;
  if (subjects_.size() >= limits_.subjects && !subjects_.contains(key)) {
    kind = "others";
    name = "others";
    key = name;  // no kind and name make this
  }
  const auto [found, is_new] = subjects_.try_emplace(std::move(key));
  Subject& subject = found->second;
  if (is_new) {
    subject.kind = std::move(kind);
    subject.name = std::move(name);
    subject.until = now + limits_.window;
    next_end_ = std::min(next_end_, subject.until);
  }
  return subject;
}

void Groups::add(const Attempt& attempt, MonotonicTime now, std::vector<Alert>& out) {
  expire(now, out);
  Subject& subject = subject_of(attempt, now);
  subject.is_active = true;
  std::string name = group_of(attempt);
  if (const auto known = subject.groups.find(name); known != subject.groups.end()) {
    known->second.is_active = true;
    count(known->second.untold, attempt);
    return;
  }
  if (subject.groups.size() >= limits_.groups) {
    subject.beyond += attempt.count;
    return;
  }
  Group& group = subject.groups[name];
  group.untold.name = std::move(name);
  count(group.untold, attempt);
  if (subject.told >= limits_.first_alerts) return;
  ++subject.told;
  const std::string group_name = group.untold.name;
  out.push_back({.kind = Alert::Kind::kFirst,
                 .subject_kind = subject.kind,
                 .subject = subject.name,
                 .tallies = {std::exchange(group.untold, {.name = group_name})},
                 .beyond = 0});
}

void Groups::expire(MonotonicTime now, std::vector<Alert>& out) {
  if (now < next_end_) return;
  next_end_ = MonotonicTime::max();
  for (auto it = subjects_.begin(); it != subjects_.end();) {
    Subject& subject = it->second;
    if (subject.until <= now || now == MonotonicTime::max()) {
      if (!end_window(subject, out)) {
        it = subjects_.erase(it);
        continue;
      }
      if (now != MonotonicTime::max()) subject.until = now + limits_.window;
    }
    next_end_ = std::min(next_end_, subject.until);
    ++it;
  }
}

bool Groups::end_window(Subject& subject, std::vector<Alert>& out) const {
  if (!std::exchange(subject.is_active, false)) return false;
  Alert summary{.kind = Alert::Kind::kSummary,
                .subject_kind = subject.kind,
                .subject = subject.name,
                .tallies = {},
                .beyond = std::exchange(subject.beyond, 0)};
  for (auto it = subject.groups.begin(); it != subject.groups.end();) {
    Group& group = it->second;
    if (group.untold.count > 0) {
      summary.tallies.push_back(std::exchange(group.untold, {.name = it->first}));
    }
    it = std::exchange(group.is_active, false) ? std::next(it) : subject.groups.erase(it);
  }
  subject.told = 0;
  if (summary.tallies.empty() && summary.beyond == 0) return true;
  std::ranges::sort(summary.tallies, [](const Tally& a, const Tally& b) {
    return a.count != b.count ? a.count > b.count : a.name < b.name;
  });
  out.push_back(std::move(summary));
  return true;
}

}  // namespace ebbgate::alert
