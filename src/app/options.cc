#include "app/options.h"

#include <ifaddrs.h>
#include <netinet/in.h>

#include <algorithm>
#include <cstring>
#include <limits>
#include <utility>

namespace ebbgate::app {
namespace {

// Descriptors that are not a client's or its origin's: listeners, epoll, logs, DNS, pipes.
constexpr std::uint64_t kReservedDescriptors = 256;

proxy::ProxyProtocol mapped(config::ProxyProtocol value) {
  switch (value) {
    case config::ProxyProtocol::kRequired:
      return proxy::ProxyProtocol::kRequired;
    case config::ProxyProtocol::kOptional:
      return proxy::ProxyProtocol::kOptional;
    case config::ProxyProtocol::kOff:
      break;
  }
  return proxy::ProxyProtocol::kOff;
}

proxy::OnPolicyChange mapped(config::OnPolicyChange value) {
  switch (value) {
    case config::OnPolicyChange::kDrain:
      return proxy::OnPolicyChange::kDrain;
    case config::OnPolicyChange::kCut:
      return proxy::OnPolicyChange::kCut;
    case config::OnPolicyChange::kKeep:
      break;
  }
  return proxy::OnPolicyChange::kKeep;
}

observe::LogFormat mapped(config::LogFormat value) {
  switch (value) {
    case config::LogFormat::kJson:
      return observe::LogFormat::kJson;
    case config::LogFormat::kEcs:
      return observe::LogFormat::kEcs;
    case config::LogFormat::kEmf:
      return observe::LogFormat::kEmf;
    case config::LogFormat::kSquid:
      break;
  }
  return observe::LogFormat::kSquid;
}

std::uint32_t narrowed(std::uint64_t value) {
  return static_cast<std::uint32_t>(
      std::min<std::uint64_t>(value, std::numeric_limits<std::uint32_t>::max()));
}

}  // namespace

proxy::Options proxy_options(const config::Settings& settings, std::uint64_t descriptors,
                             std::string pseudonym) {
  const std::uint64_t room =
      descriptors > 2 * kReservedDescriptors ? (descriptors - kReservedDescriptors) / 2 : 64;
  return {
      .limits = {.connections =
                     narrowed(settings.max_connections > 0 ? settings.max_connections : room),
                 .connections_per_client = narrowed(settings.max_connections_per_client),
                 .head_octets = narrowed(settings.max_head_size),
                 .head = settings.head_timeout,
                 .handshake = settings.handshake_timeout,
                 .connect = settings.connect_timeout,
                 .idle = settings.idle_timeout,
                 .tunnel = settings.tunnel_timeout,
                 .keepalive = settings.tcp_keepalive},
      .clients = settings.clients,
      .trusted = settings.trusted,
      .proxy_protocol = mapped(settings.proxy_protocol),
      .on_policy_change = mapped(settings.on_policy_change),
      .drain_delay = settings.drain_delay,
      .drain_timeout = settings.drain_timeout,
      .pseudonym = std::move(pseudonym),
  };
}

policy::AddressGuardSettings guard_settings(const config::Settings& settings,
                                            std::vector<Endpoint> listeners) {
  return {.allow_private = settings.allow_private,
          .inside = settings.inside,
          .own = own_addresses(),
          .listeners = std::move(listeners),
          .nat64 = settings.nat64};
}

dns::ResolverOptions resolver_options(const config::Settings& settings) {
  dns::ResolverOptions options;
  options.servers = settings.dns;
  return options;
}

observe::AccessLogOptions log_options(const config::Settings& settings) {
  observe::AccessLogOptions options;
  options.target = settings.access_log;
  options.format = mapped(settings.log_format);
  // What a worker keeps of its events for CloudWatch and alerts: seconds of a flood.
  const config::Settings::Aws& aws = settings.aws;
  if (aws.is_on && (!aws.log_group.empty() || !aws.alert_topic.empty())) {
    options.tap_bytes = std::size_t{4} * 1024 * 1024;
  }
  return options;
}

std::vector<Cidr> own_addresses() {
  std::vector<Cidr> own;
  ifaddrs* first = nullptr;
  if (::getifaddrs(&first) != 0) return own;
  for (const ifaddrs* each = first; each != nullptr; each = each->ifa_next) {
    if (each->ifa_addr == nullptr) continue;
    IpAddress address;
    if (each->ifa_addr->sa_family == AF_INET) {
      sockaddr_in in{};
      std::memcpy(&in, each->ifa_addr, sizeof in);
      address = IpAddress::v4(ntohl(in.sin_addr.s_addr));
      if (address.v4_value() >> 24 == 127) continue;
    } else if (each->ifa_addr->sa_family == AF_INET6) {
      sockaddr_in6 in6{};
      std::memcpy(&in6, each->ifa_addr, sizeof in6);
      std::array<std::uint8_t, 16> bytes{};
      std::memcpy(bytes.data(), &in6.sin6_addr, bytes.size());
      address = IpAddress::v6(bytes);
      if (address == *IpAddress::parse("::1")) continue;
    } else {
      continue;
    }
    own.push_back(Cidr::of(address));
  }
  ::freeifaddrs(first);
  return own;
}

}  // namespace ebbgate::app
