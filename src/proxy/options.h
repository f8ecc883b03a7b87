// What the operator set for the data plane, fixed from start to end. The policy is not here: it
// changes while the gateway runs (snapshot.h).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/authority.h"
#include "base/clock.h"

namespace ebbgate::proxy {

enum class ProxyProtocol : std::uint8_t { kOff, kOptional, kRequired };

// What becomes of live tunnels that a new policy would refuse (semantics 7).
enum class OnPolicyChange : std::uint8_t { kKeep, kDrain, kCut };

struct Limits {
  std::uint32_t connections = 0;             // of clients in all; 0: what the descriptors allow
  std::uint32_t connections_per_client = 0;  // 0: no limit
  std::uint32_t head_octets = 64 * 1024;
  Duration head = std::chrono::seconds(10);       // from the first octet to the end of a head
  Duration handshake = std::chrono::seconds(10);  // until a tunnel's ClientHello is whole
  Duration connect = std::chrono::seconds(10);    // DNS and dialing together
  Duration idle = std::chrono::hours(1);          // without an octet moving
  Duration tunnel = Duration::zero();             // a tunnel's whole life; zero: no limit
  Duration keepalive = std::chrono::seconds(60);  // TCP probes; below a balancer's 350 s
};

struct Options {
  Limits limits;
  std::vector<Cidr> clients;  // who may use the gateway; others are closed before a byte is read
  std::vector<Cidr> trusted;  // load balancers whose PROXY protocol header is believed
  ProxyProtocol proxy_protocol = ProxyProtocol::kOff;
  OnPolicyChange on_policy_change = OnPolicyChange::kKeep;
  Duration drain_delay = std::chrono::seconds(5);
  Duration drain_timeout = std::chrono::seconds(30);
  std::string pseudonym = "ebbgate";  // in Via (RFC 9110 7.6.3), unique per gateway
};

}  // namespace ebbgate::proxy
