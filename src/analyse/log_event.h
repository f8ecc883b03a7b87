// One event of an access log, as far as a policy is concerned: who asked for what, and what became
// of it. Lines of every format become this (docs/events.md; Squid's native format, semantics 6).
#pragma once

#include <cstdint>
#include <string_view>

namespace ebbgate::analyse {

enum class Phase : std::uint8_t { kOpen, kClose, kRequest };

// What became of the request.
enum class Ending : std::uint8_t {
  kPassed,      // by the policy; the origin may have failed
  kReported,    // it passed, and only because the policy is in report mode
  kDenied,      // by the policy
  kUnresolved,  // it was let pass, and the name does not exist
  kOther,       // refused for what it was or for want of room: it says nothing of the policy
};

// What is known of the ClientHello in a tunnel.
enum class Hello : std::uint8_t {
  kUnknown,       // not in the log, or not a tunnel
  kNamesHost,     // names the host that was asked for; or needs no name, to an address
  kNamesNobody,   // no SNI
  kNamesAnother,  // an SNI that is not the host
  kNotTls,        // no TLS, or a tunnel of `tls: off` into which nobody looked
};

enum class Access : std::uint8_t {
  kTunnel,
  kClear,  // HTTP: method and path are seen
};

// Views are good until the next line is read.
struct LogEvent {
  std::int64_t time = 0;  // milliseconds since 1970
  Phase phase = Phase::kRequest;
  Ending ending = Ending::kPassed;
  Access access = Access::kTunnel;
  Hello hello = Hello::kUnknown;
  bool ech = false;
  std::uint16_t port = 0;
  std::uint64_t count = 1;  // identical refusals that were folded into one line
  std::string_view host =
      {};  // as in an authority, lower case, without a trailing dot; not checked
  std::string_view client = {};
  std::string_view user = {};
  std::string_view subject_kind = {};
  std::string_view subject_name = {};
  std::string_view subject_namespace = {};
  std::string_view method = {};
  std::string_view path = {};     // kClear only
  std::string_view address = {};  // of the origin
};

}  // namespace ebbgate::analyse
