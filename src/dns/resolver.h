// Names to addresses, one Resolver a worker (RFC 1034, 1035, 2308; RFC 8305 section 3): first
// /etc/hosts, then what is remembered, then the name servers, asked for A and AAAA side by side.
// Names are absolute: no search list and no aliases are ever applied. Whether a name may be asked
// for at all is policy, and decided before.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/authority.h"
#include "base/clock.h"
#include "base/hostname.h"
#include "base/result.h"
#include "dns/answer.h"
#include "dns/cache.h"
#include "dns/hosts.h"
#include "net/loop.h"
#include "net/task.h"

namespace ebbgate::dns {

struct ResolverOptions {
  std::vector<Endpoint> servers;  // none: the name servers of resolv_conf
  std::string resolv_conf = "/etc/resolv.conf";
  std::string hosts_file = "/etc/hosts";  // empty: none

  // How long one server has for one answer; twice that in the next round over all servers.
  Duration attempt_timeout = std::chrono::milliseconds(1500);
  int rounds = 3;
  // How long an answer of one family waits for that of the other (RFC 8305, section 3).
  Duration resolution_delay = std::chrono::milliseconds(50);

  // A lifetime of 0 would ask again for every connection of a burst, and one of days would keep an
  // address long after its owner has moved: an operator expects a change within the hour.
  Duration min_ttl = std::chrono::seconds(1);
  Duration max_ttl = std::chrono::hours(1);
  // Of a name without addresses: what its zone says, but no longer than this; a failure of the
  // servers is remembered just so long that a burst does not repeat it.
  Duration max_negative_ttl = std::chrono::seconds(30);
  Duration failure_ttl = std::chrono::seconds(1);

  CacheLimits cache;
  std::size_t max_in_flight = 1024;  // names being asked for at once
};

struct ResolverStats {
  std::uint64_t queries = 0;        // questions put to name servers: two a name
  std::uint64_t hits = 0;           // answered from the cache or the hosts file
  std::uint64_t negative_hits = 0;  // "no" from the cache
  std::uint64_t misses = 0;         // had to wait for an answer
  std::uint64_t coalesced = 0;      // misses that waited for a question already asked
  std::uint64_t failures = 0;       // lookups that ended without an address
  std::uint64_t entries = 0;        // in the cache now
  std::uint64_t bytes = 0;
};

// Whether a name of one label is put to the servers; the hosts file is read for it in any case.
enum class SingleLabel : bool { kRefuse, kAsk };

class Resolver {
 public:
  // Fails as kInternal where the library cannot start or a server is not an address it takes.
  [[nodiscard]] static Result<std::unique_ptr<Resolver>> make(net::Loop& loop,
                                                              ResolverOptions options);
  // Those who still wait are told that the gateway is shutting down; the loop must outlive it.
  ~Resolver();
  Resolver(const Resolver&) = delete;
  Resolver& operator=(const Resolver&) = delete;

  // The answer that is at hand, or null: then resolve(). Waits for nothing, allocates nothing.
  [[nodiscard]] AnswerPtr find_cached(const Hostname& name);

  // The addresses of `name`. Many may ask for one name at once: the servers are asked once.
  // Errors are kDnsFailed, with what happened ("NXDOMAIN", "no addresses", "SERVFAIL from …",
  // "timed out after 5 s from …"); kOverCapacity where max_in_flight names are being asked for
  // already; kDraining at the hard stop.
  [[nodiscard]] net::Task<Outcome> resolve(Hostname name, Deadline deadline,
                                           SingleLabel single_label = SingleLabel::kRefuse);

  // Forgets every answer; questions in flight are not disturbed.
  void flush();

  // From any thread.
  [[nodiscard]] ResolverStats stats() const;

 private:
  class Impl;
  explicit Resolver(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace ebbgate::dns
