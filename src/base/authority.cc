#include "base/authority.h"

#include <charconv>

namespace ebbgate {
namespace {

std::unexpected<Error> malformed(std::string detail) {
  return fail(Reason::kMalformedRequest, Side::kClient, std::move(detail));
}

// Where the port's colon stands: the last one, outside brackets; npos where there is none.
std::size_t port_colon(std::string_view text) {
  const std::size_t colon = text.rfind(':');
  const std::size_t bracket = text.rfind(']');
  if (colon != std::string_view::npos && bracket != std::string_view::npos && colon < bracket) {
    return std::string_view::npos;
  }
  return colon;
}

}  // namespace

std::optional<Port> Port::parse(std::string_view text) {
  if (text.empty() || text.size() > 5 || text.front() == '0') return std::nullopt;
  std::uint32_t number = 0;
  for (const char c : text) {
    if (c < '0' || c > '9') return std::nullopt;
    number = number * 10 + static_cast<std::uint32_t>(c - '0');
  }
  return of(number);
}

Result<Host> Host::parse(std::string_view text) {
  if (text.starts_with('[')) {
    if (!text.ends_with(']')) return malformed("the IPv6 address has no closing bracket");
    const std::string_view inside = text.substr(1, text.size() - 2);
    const auto address = IpAddress::parse(inside);
    if (!address || address->is_v4()) {
      return malformed("what stands in brackets is no IPv6 address");
    }
    return Host(*address);
  }
  if (text.find(':') != std::string_view::npos) {
    return malformed("an IPv6 address has to stand in brackets");
  }
  if (ends_in_number(text)) {
    const auto address = IpAddress::parse(text);
    if (!address) return malformed("the host looks like an IPv4 address but is no dotted quad");
    return Host(*address);
  }
  auto name = Hostname::parse(text);
  if (!name) return std::unexpected(std::move(name.error()));
  return Host(std::move(*name));
}

std::string Host::str() const {
  if (const Hostname* host_name = name()) return host_name->str();
  const IpAddress& ip = *address();
  return ip.is_v4() ? ip.str() : "[" + ip.str() + "]";
}

Result<Authority> Authority::parse(std::string_view text, std::optional<Port> fallback) {
  if (text.find('@') != std::string_view::npos) return malformed("the target has userinfo");
  const std::size_t colon = port_colon(text);
  std::optional<Port> port = fallback;
  if (colon == std::string_view::npos) {
    if (!port) return malformed("the target has no port");
  } else if (colon + 1 < text.size() || !fallback) {
    port = Port::parse(text.substr(colon + 1));
    if (!port) return malformed("the port is not a number from 1 to 65535");
  }
  auto host = Host::parse(text.substr(0, colon));
  if (!host) return std::unexpected(std::move(host.error()));
  return Authority{std::move(*host), *port};
}

std::optional<Endpoint> Endpoint::parse(std::string_view text) {
  const std::size_t colon = port_colon(text);
  if (colon == std::string_view::npos) return std::nullopt;
  std::string_view host = text.substr(0, colon);
  const bool bracketed = host.starts_with('[') && host.ends_with(']');
  if (bracketed) host = host.substr(1, host.size() - 2);
  const auto address = IpAddress::parse(host);
  if (!address || address->is_v6() != bracketed) return std::nullopt;
  const std::string_view digits = text.substr(colon + 1);
  if (digits == "0") return Endpoint{*address, 0};
  const auto port = Port::parse(digits);
  if (!port) return std::nullopt;
  return Endpoint{*address, port->value()};
}

std::string Endpoint::str() const {
  const std::string host = address.is_v4() ? address.str() : "[" + address.str() + "]";
  return host + ":" + std::to_string(port);
}

}  // namespace ebbgate
