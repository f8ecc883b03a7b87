// What a load balancer says before its client does: the PROXY protocol, versions 1 and 2 (the
// specification is proxy-protocol.txt of HAProxy). Buffered bytes come in; whom the connection is
// from comes out. Only a trusted peer's word is to be taken for it (semantics 12).
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "base/authority.h"
#include "base/result.h"

namespace ebbgate::hello {

// The most octets of a version 2 header that are read, and so what a caller may have to buffer.
inline constexpr std::size_t kMaxProxyHeader = 4096;

enum class ProxyCommand : std::uint8_t {
  kLocal,  // the balancer speaks for itself, a health check as a rule
  kProxy,
};

struct ProxyHeader {
  // Both or neither: LOCAL, UNKNOWN, UNSPEC and UNIX carry none. IPv4-mapped ones are unmapped, so
  // that an address has one form.
  std::optional<Endpoint> source;
  std::optional<Endpoint> destination;
  std::string vpc_endpoint;  // AWS: the id in TLV 0xEA, subtype 1; letters, digits, '-'; or empty
  std::size_t size = 0;      // octets of the header; the client's own begin there
  ProxyCommand command = ProxyCommand::kProxy;

  bool operator==(const ProxyHeader&) const = default;
};

struct ProxyHeaderIncomplete {
  bool operator==(const ProxyHeaderIncomplete&) const = default;
};
// The first octets are no header's, so they are the client's own: what `optional` lets pass.
struct ProxyHeaderAbsent {
  bool operator==(const ProxyHeaderAbsent&) const = default;
};
using ProxyHeaderState = std::variant<ProxyHeaderIncomplete, ProxyHeaderAbsent, ProxyHeader>;

// In: every octet received so far, from the first one on. Cheap to ask again after each arrival.
// Absence is known at the first octet that differs from both signatures: `POST` at its second one.
// Error: kProxyProtocolInvalid for what begins as a header (`PROXY ` or the twelve octets of
// version 2) but is none: more than 107 octets of version 1 or kMaxProxyHeader of version 2,
// addresses or ports that are not strictly so, octets that fit no field, unknown versions, commands
// and families, datagrams, TLVs past their bounds, a CRC32C that is not the header's.
[[nodiscard]] Result<ProxyHeaderState> read_proxy_header(std::string_view buffered);

}  // namespace ebbgate::hello
