#include "kube/detail/ledger.h"

#include <algorithm>
#include <set>
#include <utility>

namespace ebbgate::kube::detail {
namespace {

constexpr std::size_t kMostLoads = 64;  // that are remembered

// By what two gateways are told to go by the same: what is invalid on both of them may be kept by
// one and unknown to the other, and is looked at by itself.
[[nodiscard]] std::string load_key(const Gateway& gateway) {
  const auto note = gateway.has_policy() ? read_note(gateway.invalid) : std::nullopt;
  return note ? note->valid_digest : gateway.digest;
}

}  // namespace

void Ledger::report(std::vector<ResourceReport> reports, const std::string& digest) {
  own_ = {.lease = {}, .holder = {}, .digest = digest, .invalid = invalid_note(reports)};
  const std::string key = load_key(own_);
  if (loads_.empty() || loads_.back().digest != key) {
    loads_.push_back({key, ++load_});
    if (loads_.size() > kMostLoads) loads_.pop_front();
  }
  std::set<ObjectId> ids;
  for (ResourceReport& each : reports) {
    ids.insert(each.id);
    Entry& entry = entries_[each.id];
    if (entry.report.uid != each.uid && entry.revision != 0) {  // another resource of its name
      forget(entry);
      entry = {};
    }
    auto& forms = entry.forms;
    if (forms.empty() || forms.back().generation != each.generation_in_force) {
      forms.push_back({load_, each.generation_in_force});
    }
    while (forms.size() > 1 && forms[1].load <= loads_.front().number) forms.erase(forms.begin());
    if (entry.revision != 0 && entry.report == each) continue;
    entry.report = std::move(each);
    entry.revision = ++revision_;
    statuses_.push(entry.report.id, FairQueue::Rank::kNew);
  }
  for (auto each = entries_.begin(); each != entries_.end();) {
    if (ids.contains(each->first)) {
      ++each;
      continue;
    }
    forget(each->second);
    each = entries_.erase(each);
  }
}

std::uint64_t Ledger::load_of(std::string_view digest) const {
  const auto found =
      std::ranges::find(loads_.rbegin(), loads_.rend(), digest,
                        [](const Load& load) { return std::string_view(load.digest); });
  return found == loads_.rend() ? 0 : found->number;
}

bool Ledger::set_gateways(const std::vector<Gateway>& live, std::string_view own,
                          MonotonicTime now) {
  std::map<std::string, Standing> standings;
  std::map<std::uint64_t, std::size_t> on_loads;
  std::map<std::string, InvalidNote> notes;
  for (const Gateway& each : live) {
    const Gateway& says = each.lease == own && !loads_.empty() ? own_ : each;
    if (!says.has_policy()) continue;
    Standing standing{.load = load_of(load_key(says)), .ahead_since = {}, .note = {}};
    const auto before = standings_.find(each.lease);
    if (standing.load == 0 && before != standings_.end()) {
      standing.ahead_since = before->second.ahead_since.value_or(now);
      if (now - *standing.ahead_since < grace_) standing.load = before->second.load;
    }
    if (standing.load != 0) ++on_loads[standing.load];
    if (auto note = read_note(says.invalid)) {
      notes.emplace(each.lease, *note);
      standing.note = *std::move(note);
    }
    standings.insert_or_assign(each.lease, std::move(standing));
  }
  const bool is_other =
      on_loads != on_loads_ || notes != notes_ || standings.size() != standings_.size();
  standings_ = std::move(standings);
  on_loads_ = std::move(on_loads);
  notes_ = std::move(notes);
  return is_other;
}

std::int64_t Ledger::generation_at(const Entry& entry, std::uint64_t load) {
  std::int64_t out = 0;
  for (const Entry::Form& each : entry.forms) {
    if (each.load <= load) out = each.generation;
  }
  return out;
}

std::optional<std::int64_t> Ledger::generation_at(const Entry& entry, const std::string& key,
                                                  const Standing& standing) {
  const auto kept = standing.note.kept.find(key);
  if (kept != standing.note.kept.end()) return kept->second;
  if (standing.load == 0 || !standing.note.is_whole) return std::nullopt;
  return generation_at(entry, standing.load);
}

Coverage Ledger::coverage(const Entry& entry) const {
  if (entry.report.is_invalid()) return coverage_of_invalid(entry);
  Coverage out{.in_force = 0, .gateways = standings_.size()};
  const std::int64_t wanted = entry.report.generation_in_force;
  if (wanted == 0) return out;
  for (const auto& [load, gateways] : on_loads_) {
    if (generation_at(entry, load) == wanted) out.in_force += gateways;
  }
  return out;
}

// What others keep counts more than that we have nothing: of several, the latest.
Coverage Ledger::coverage_of_invalid(const Entry& entry) const {
  Coverage out{.in_force = 0, .gateways = standings_.size()};
  const std::string key = key_of(entry.report);
  for (const auto& [lease, standing] : standings_) {
    const auto generation = generation_at(entry, key, standing);
    if (!generation) continue;
    if (*generation == 0) {
      ++out.closed;
    } else if (*generation > out.kept) {
      out.kept = *generation;
      out.in_force = 1;
    } else if (*generation == out.kept) {
      ++out.in_force;
    }
  }
  return out;
}

void Ledger::forget_told() {
  events_.clear();
  for (auto& [id, entry] : entries_) {
    entry.told_event.reset();
    if (!statuses_.contains(id)) statuses_.push(id, FairQueue::Rank::kRecounted);
  }
}

void Ledger::queue_completed() {
  for (auto& [id, entry] : entries_) {
    if (entry.told_coverage.in_force == entry.told_coverage.gateways || statuses_.contains(id)) {
      continue;
    }
    const Coverage now = coverage(entry);
    if (now.in_force == now.gateways) statuses_.push(id, FairQueue::Rank::kNew);
  }
}

void Ledger::queue_recounted() {
  for (auto& [id, entry] : entries_) {
    if (statuses_.contains(id) || coverage(entry) == entry.told_coverage) continue;
    statuses_.push(id, FairQueue::Rank::kRecounted);
  }
}

Ledger::Entry* Ledger::next(MonotonicTime now) {
  const auto id = statuses_.next(now);
  return id ? find(*id) : nullptr;
}

Ledger::Entry* Ledger::next_event(MonotonicTime now) {
  const auto id = events_.next(now);
  return id ? find(*id) : nullptr;
}

Ledger::Entry* Ledger::find(const ObjectId& id) {
  const auto found = entries_.find(id);
  return found == entries_.end() ? nullptr : &found->second;
}

void Ledger::done(Entry& entry, std::uint64_t revision, Coverage coverage) {
  entry.told_coverage = coverage;
  set_failed(entry, false);
  // What changes all the time comes behind the others each time.
  if (entry.revision == revision) {
    statuses_.erase(entry.report.id);
  } else {
    statuses_.push_back(entry.report.id, FairQueue::Rank::kNew);
  }
}

void Ledger::failed(Entry& entry, MonotonicTime again) {
  set_failed(entry, true);
  statuses_.postpone(entry.report.id, again);
}

bool Ledger::may_tell(const Entry& entry, MonotonicTime now) const {
  const auto last = event_times_.find(entry.report.id);
  if (last != event_times_.end() && now - last->second < event_gap_) return false;
  return events_.next_at(now).value_or(MonotonicTime::max()) > now;
}

void Ledger::owe_event(const Entry& entry, MonotonicTime now) {
  const ObjectId& id = entry.report.id;
  if (events_.contains(id)) return;
  const auto last = event_times_.find(id);
  if (last != event_times_.end() && now - last->second < event_gap_) {
    events_.postpone(id, last->second + event_gap_);
  } else {
    events_.push(id, FairQueue::Rank::kNew);
  }
}

void Ledger::event_told(Entry& entry, Told told, MonotonicTime now) {
  std::erase_if(event_times_, [&](const auto& each) { return now - each.second >= event_gap_; });
  event_times_.insert_or_assign(entry.report.id, now);
  entry.told_event = std::move(told);
  events_.erase(entry.report.id);
}

void Ledger::event_failed(const Entry& entry, MonotonicTime again) {
  events_.postpone(entry.report.id, again);
}

void Ledger::forget(Entry& entry) {
  statuses_.erase(entry.report.id);
  events_.erase(entry.report.id);
  set_failed(entry, false);
}

void Ledger::set_failed(Entry& entry, bool has_failed) {
  if (has_failed != (entry.failures > 0)) failures_ += has_failed ? 1 : std::size_t(-1);
  entry.failures = has_failed ? entry.failures + 1 : 0;
}

}  // namespace ebbgate::kube::detail
