#include "dns/cache.h"

#include <iterator>
#include <utility>

namespace ebbgate::dns {
namespace {

// What an entry costs besides its own object: the nodes of the list and of the index, and the
// control block of the shared answer.
constexpr std::size_t kOverhead = 96;

std::size_t bytes_of(const Hostname& name, const Outcome& outcome) {
  const std::size_t held =
      outcome ? sizeof(Answer) + (*outcome)->addresses.capacity() * sizeof(IpAddress)
              : outcome.error().detail.capacity();
  return name.str().capacity() + held;
}

}  // namespace

const Outcome* Cache::find(const Hostname& name, MonotonicTime now) {
  const auto found = index_.find(name.view());
  if (found == index_.end()) return nullptr;
  const auto entry = found->second;
  if (entry->expiry <= now) {
    erase(entry);
    return nullptr;
  }
  entries_.splice(entries_.begin(), entries_, entry);
  return &entry->outcome;
}

void Cache::put(const Hostname& name, Outcome outcome, MonotonicTime expiry) {
  if (const auto known = index_.find(name.view()); known != index_.end()) erase(known->second);
  const std::size_t bytes = sizeof(Entry) + kOverhead + bytes_of(name, outcome);
  entries_.push_front({name, std::move(outcome), expiry, bytes});
  try {
    index_.emplace(entries_.front().name.view(), entries_.begin());
  } catch (const std::bad_alloc&) {
    entries_.pop_front();
    throw;
  }
  bytes_ += bytes;
  while (!entries_.empty() && (index_.size() > limits_.entries || bytes_ > limits_.bytes)) {
    erase(std::prev(entries_.end()));
  }
}

void Cache::clear() {
  index_.clear();
  entries_.clear();
  bytes_ = 0;
}

void Cache::erase(Entries::iterator entry) {
  bytes_ -= entry->bytes;
  index_.erase(entry->name.view());
  entries_.erase(entry);
}

}  // namespace ebbgate::dns
