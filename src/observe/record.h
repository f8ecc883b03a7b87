// The Record: what the gateway says about one request, on every way out. A session fills it, the
// log formats and the metrics are projections of it. docs/events.md describes it field by field.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "base/clock.h"
#include "base/ip.h"
#include "base/reason.h"
#include "base/verdict.h"

namespace ebbgate::observe {

// A tunnel that was let pass has two events, kOpen and kClose; everything else is one kRequest,
// a refused CONNECT among it.
enum class Phase : std::uint8_t { kOpen, kClose, kRequest };

[[nodiscard]] constexpr std::string_view word(Phase phase) {
  constexpr std::array<std::string_view, 3> kWords = {"open", "close", "request"};
  return kWords[static_cast<std::size_t>(phase)];
}

// Squid's `%Ss`, as far as a gateway without a cache has any.
enum class SquidResult : std::uint8_t {
  kNone,  // no request was understood, or a tunnel did not come to be
  kTunnel,
  kTunnelAborted,
  kMiss,
  kMissAborted,
  kDenied,
};

[[nodiscard]] constexpr std::string_view word(SquidResult result) {
  constexpr std::array<std::string_view, 6> kWords = {"NONE_NONE",          "TCP_TUNNEL",
                                                      "TCP_TUNNEL_ABORTED", "TCP_MISS",
                                                      "TCP_MISS_ABORTED",   "TCP_DENIED"};
  return kWords[static_cast<std::size_t>(result)];
}

// Who asks, as far as it is known: kind `address`, `certificate`, `user`, `pod`, …
struct SubjectName {
  std::string_view kind;
  std::string_view name;
  std::string_view name_space;
};

// A Record borrows its texts: it is formatted within the call that it is passed to and nothing
// keeps it, so that filling one costs no allocation. An empty text is one that is not known.
struct Record {
  WallTime time;  // of the event; for kClose and kRequest that is the end
  std::string_view id;
  Phase phase = Phase::kRequest;
  std::uint64_t count = 1;  // how many identical refusals this event stands for (semantics 13)
  IpAddress client;
  std::string_view vpc_endpoint;
  SubjectName subject;
  std::string_view user;
  std::optional<bool> ech;  // nothing where no ClientHello was read
  std::string_view listener;
  std::string_view method;
  std::string_view target;  // as the client sent it; the formats leave out its query
  std::string_view host;
  std::uint16_t port = 0;  // 0: none
  std::string_view sni;
  Verdict verdict = Verdict::kDeny;
  Reason reason = Reason::kInternal;
  std::string_view policy;
  std::string_view rule;
  std::string_view policy_version;
  std::optional<IpAddress> address;  // of the origin that was dialed
  std::uint64_t bytes_in = 0;        // octets read from the client
  std::uint64_t bytes_out = 0;       // octets sent to the client, heads included
  std::uint16_t status = 0;          // 0: no answer was sent
  Duration duration{};
  std::optional<Duration> connect;  // from the first dial to the connection
  std::string_view error;           // prose; escaped here, as all texts are

  // What only Squid's line has.
  SquidResult squid_result = SquidResult::kNone;
  std::string_view content_type;
};

}  // namespace ebbgate::observe
