// fuzz-deps: dns base
// /etc/hosts: what was read, written again one address a line, reads the same; and no name has
// fewer than one address or the same one twice.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "dns/hosts.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace ebbgate;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const dns::Hosts hosts = dns::parse_hosts(text);
  std::string again;
  for (const auto& [name, answer] : hosts) {
    std::vector<IpAddress> sorted = answer->addresses;
    std::ranges::sort(sorted);
    if (sorted.empty() || std::ranges::adjacent_find(sorted) != sorted.end()) std::abort();
    for (const IpAddress& address : answer->addresses) {
      again += address.str() + "\t" + name.str() + "\n";
    }
  }
  const dns::Hosts reread = dns::parse_hosts(again);
  if (reread.size() != hosts.size()) std::abort();
  for (const auto& [name, answer] : hosts) {
    const auto found = reread.find(name);
    if (found == reread.end() || *found->second != *answer) std::abort();
  }
  return 0;
}
