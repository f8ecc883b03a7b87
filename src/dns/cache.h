// What one worker remembers of names, each until its time is over (RFC 1035, RFC 2308 for those
// without addresses), bounded in entries and in bytes: the one that was longest not asked for goes
// first. Time is a parameter, so that it is a plain value to test.
#pragma once

#include <chrono>
#include <cstddef>
#include <list>
#include <string_view>
#include <unordered_map>

#include "base/clock.h"
#include "base/hostname.h"
#include "dns/answer.h"

namespace ebbgate::dns {

struct CacheLimits {
  std::size_t entries = 8192;
  std::size_t bytes = std::size_t{4} << 20;  // names, addresses, and what holds them
};

class Cache {
 public:
  explicit Cache(CacheLimits limits) : limits_(limits) {}
  Cache(const Cache&) = delete;
  Cache& operator=(const Cache&) = delete;

  // What is known of `name` at `now`, or null. Allocates nothing. The pointer is good until the
  // next call of anything that is not const.
  [[nodiscard]] const Outcome* find(const Hostname& name, MonotonicTime now);

  // Remembers `outcome` until `expiry`, in place of what was known.
  void put(const Hostname& name, Outcome outcome, MonotonicTime expiry);
  void clear();

  [[nodiscard]] std::size_t entries() const { return index_.size(); }
  [[nodiscard]] std::size_t bytes() const { return bytes_; }

 private:
  struct Entry {
    Hostname name;
    Outcome outcome;
    MonotonicTime expiry;
    std::size_t bytes;
  };
  using Entries = std::list<Entry>;  // the last one asked for first

  void erase(Entries::iterator entry);

  CacheLimits limits_;
  std::size_t bytes_ = 0;
  Entries entries_;
  std::unordered_map<std::string_view, Entries::iterator> index_;  // keys point into entries_
};

}  // namespace ebbgate::dns
