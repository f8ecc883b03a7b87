// fuzz-deps: base
// Host, Authority and Hostname over arbitrary bytes. Properties: what is accepted is written and
// read again as the same; it holds no byte that another reader could take for something else; and
// no name looks like a number to a reader that knows looser forms of IPv4 (inet_aton).
#include <arpa/inet.h>

#include <cstdint>
#include <cstdlib>
#include <string>

#include "base/authority.h"

namespace {

using namespace ebbgate;

void require(bool holds) {
  if (!holds) std::abort();
}

void check_name(const Hostname& name) {
  require(!name.str().empty() && name.str().size() <= 253);
  require(name.str().find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789-_.") ==
          std::string::npos);
  require(Hostname::parse(name.view()) == name);
  require(Hostname::parse(name.str() + ".") == name);
  in_addr address{};
  require(inet_aton(name.str().c_str(), &address) == 0);
}

void check_host(const Host& host) {
  require(Host::parse(host.str()) == host);
  if (host.name() != nullptr) return check_name(*host.name());
  require(IpAddress::parse(host.address()->str()) == *host.address());
  const Cidr block = Cidr::of(*host.address());
  require(block.contains(*host.address()) && Cidr::parse(block.str()) == block);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (const auto name = Hostname::parse(text)) check_name(*name);
  if (const auto host = Host::parse(text)) check_host(*host);
  if (const auto authority = Authority::parse(text)) {
    check_host(authority->host);
    require(Authority::parse(authority->str()) == *authority);
    require(Authority::parse(text, kHttpPort) == *authority);
  } else if (const auto with_default = Authority::parse(text, kHttpPort)) {
    require(with_default->port == kHttpPort);
    check_host(with_default->host);
  }
  return 0;
}
