#include "kube/detail/ledger.h"

#include <algorithm>
#include <utility>

namespace ebbgate::kube::detail {
namespace {

constexpr std::size_t kMostLoads = 64;  // that are remembered

}  // namespace

void Ledger::report(std::vector<ResourceReport> reports, const std::string& digest) {
  if (loads_.empty() || loads_.back().digest != digest) {
    loads_.push_back({digest, ++load_});
    if (loads_.size() > kMostLoads) loads_.pop_front();
  }
  std::set<ObjectId> ids;
  for (ResourceReport& each : reports) {
    ids.insert(each.id);
    Entry& entry = entries_[each.id];
    if (entry.report.uid != each.uid) {  // another resource of the same name
      dequeue(entry);
      set_failed(entry, false);
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
    enqueue(entry, ++place_of_new_);
  }
  for (auto each = entries_.begin(); each != entries_.end();) {
    if (ids.contains(each->first)) {
      ++each;
      continue;
    }
    dequeue(each->second);
    set_failed(each->second, false);
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
  std::size_t serving = 0;
  for (const Gateway& each : live) {
    const bool is_own = each.lease == own;
    const std::string& digest = is_own && !loads_.empty() ? loads_.back().digest : each.digest;
    if (digest.empty() || digest == kNoPolicy) continue;
    ++serving;
    Standing standing{.load = load_of(digest), .digest = digest, .ahead_since = {}};
    const auto before = standings_.find(each.lease);
    if (standing.load == 0 && before != standings_.end()) {
      standing.ahead_since = before->second.ahead_since.value_or(now);
      if (now - *standing.ahead_since < grace_) standing.load = before->second.load;
    }
    if (standing.load != 0) ++on_loads[standing.load];
    standings.insert_or_assign(each.lease, std::move(standing));
  }
  standings_ = std::move(standings);
  const bool is_other = on_loads != on_loads_ || serving != serving_;
  on_loads_ = std::move(on_loads);
  serving_ = serving;
  return is_other;
}

std::int64_t Ledger::generation_at(const Entry& entry, std::uint64_t load) {
  std::int64_t out = 0;
  for (const Entry::Form& each : entry.forms) {
    if (each.load <= load) out = each.generation;
  }
  return out;
}

Coverage Ledger::coverage(const Entry& entry) const {
  Coverage out{.in_force = 0, .gateways = serving_};
  const std::int64_t wanted = entry.report.generation_in_force;
  if (wanted == 0) return out;
  for (const auto& [load, gateways] : on_loads_) {
    if (generation_at(entry, load) == wanted) out.in_force += gateways;
  }
  return out;
}

void Ledger::forget_told() {
  for (auto& [id, entry] : entries_) {
    entry.told = 0;
    entry.told_event = 0;
    if (entry.place == 0) enqueue(entry, ++place_of_recounted_);
  }
}

void Ledger::queue_completed() {
  for (auto& [id, entry] : entries_) {
    if (entry.place != 0 || entry.told_coverage.in_force == entry.told_coverage.gateways) continue;
    const Coverage now = coverage(entry);
    if (now.in_force == now.gateways) enqueue(entry, ++place_of_new_);
  }
}

void Ledger::queue_recounted() {
  for (auto& [id, entry] : entries_) {
    if (entry.place == 0 && coverage(entry) != entry.told_coverage) {
      enqueue(entry, ++place_of_recounted_);
    }
  }
}

Ledger::Entry* Ledger::next() {
  return queue_.empty() ? nullptr : find(queue_.begin()->second);
}

Ledger::Entry* Ledger::find(const ObjectId& id) {
  const auto found = entries_.find(id);
  return found == entries_.end() ? nullptr : &found->second;
}

void Ledger::done(Entry& entry, std::uint64_t revision, Coverage coverage) {
  entry.told = revision;
  entry.told_coverage = coverage;
  set_failed(entry, false);
  if (entry.revision == revision) dequeue(entry);
}

void Ledger::failed(Entry& entry, bool keeps_its_place) {
  set_failed(entry, true);
  if (!keeps_its_place) enqueue(entry, --place_of_failed_);
}

void Ledger::enqueue(Entry& entry, std::uint64_t place) {
  dequeue(entry);
  entry.place = place;
  queue_.emplace(place, entry.report.id);
}

void Ledger::dequeue(Entry& entry) {
  if (entry.place != 0) queue_.erase(std::exchange(entry.place, 0));
}

void Ledger::set_failed(Entry& entry, bool has_failed) {
  if (entry.has_failed == has_failed) return;
  entry.has_failed = has_failed;
  failures_ += has_failed ? 1 : std::size_t(-1);
}

}  // namespace ebbgate::kube::detail
