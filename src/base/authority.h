// Host, Port and Authority (RFC 3986 3.2, RFC 9110 4.2): whom a request asks for, as values that
// cannot be wrong.
#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "base/hostname.h"
#include "base/ip.h"
#include "base/result.h"

namespace ebbgate {

// A TCP port, 1 to 65535.
class Port {
 public:
  [[nodiscard]] static constexpr std::optional<Port> of(std::uint32_t number) {
    if (number == 0 || number > 65535) return std::nullopt;
    return Port(static_cast<std::uint16_t>(number));
  }
  // Decimal digits only, without leading zeros or signs.
  [[nodiscard]] static std::optional<Port> parse(std::string_view text);
  [[nodiscard]] constexpr std::uint16_t value() const { return value_; }
  constexpr auto operator<=>(const Port&) const = default;

 private:
  constexpr explicit Port(std::uint16_t value) : value_(value) {}
  std::uint16_t value_;
};

inline constexpr Port kHttpPort = *Port::of(80);
inline constexpr Port kHttpsPort = *Port::of(443);

// A name or an address literal.
class Host {
 public:
  Host(Hostname name) : value_(std::move(name)) {}  // NOLINT: the two are what a host is
  Host(IpAddress address) : value_(address) {}      // NOLINT

  // A host as it stands in an authority: a name, a dotted quad, or an IPv6 address in brackets.
  // Refused as kMalformedRequest: what Hostname::parse refuses, IPv6 without brackets or with a
  // zone id, IPvFuture. An IPv4-mapped literal stays IPv6; classification looks inside.
  [[nodiscard]] static Result<Host> parse(std::string_view text);

  [[nodiscard]] const Hostname* name() const { return std::get_if<Hostname>(&value_); }
  [[nodiscard]] const IpAddress* address() const { return std::get_if<IpAddress>(&value_); }
  [[nodiscard]] std::string str() const;  // as in an authority: IPv6 in brackets

  bool operator==(const Host&) const = default;

 private:
  std::variant<Hostname, IpAddress> value_;
};

struct Authority {
  Host host;
  Port port;

  // `host:port` as in the target of CONNECT (RFC 9110 7.1: the port is not optional there);
  // with `fallback`, a host without a port takes that one, and so does one with an empty port
  // (RFC 3986 6.2.3). Userinfo is refused, as everything that Host::parse refuses.
  [[nodiscard]] static Result<Authority> parse(std::string_view text,
                                               std::optional<Port> fallback = std::nullopt);

  [[nodiscard]] std::string str() const { return host.str() + ":" + std::to_string(port.value()); }
  bool operator==(const Authority&) const = default;
};

// An address and a port: what a socket is bound or connected to.
struct Endpoint {
  IpAddress address;
  std::uint16_t port = 0;

  // `a.b.c.d:port` or `[x::y]:port`; port 0 is allowed ("any free one").
  [[nodiscard]] static std::optional<Endpoint> parse(std::string_view text);
  [[nodiscard]] std::string str() const;
  auto operator<=>(const Endpoint&) const = default;
};

}  // namespace ebbgate
