// fuzz-deps: dns base
// A name server's reply: whatever it says, at most so many addresses of the family that was asked
// for come out, and lifetimes that RFC 2181 section 8 allows.
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <span>

#include "dns/detail/reply.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace ebbgate::dns::detail;
  const std::span<const std::uint8_t> message(data, size);
  const auto is_ttl = [](std::chrono::seconds ttl) {
    return ttl.count() >= 0 && ttl.count() <= 0x7fffffff;
  };
  for (const Family family : {Family::kV4, Family::kV6}) {
    const auto read = read_addresses(family, message);
    if (!read) continue;
    if (read->addresses.size() > kMaxAddresses || !is_ttl(read->ttl)) std::abort();
    for (const auto& address : read->addresses) {
      if (address.is_v4() != (family == Family::kV4)) std::abort();
    }
  }
  if (const auto ttl = read_negative_ttl(message); ttl && !is_ttl(*ttl)) std::abort();
  return 0;
}
