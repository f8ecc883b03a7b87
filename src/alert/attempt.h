// A refused attempt, as alerts see it: one line of the access log's JSON (docs/events.md), cut down
// to who, what, why and when. Plain functions.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace ebbgate::alert {

struct Attempt {
  std::string time;  // RFC 3339
  std::string id;    // of the request
  std::uint64_t count = 1;
  std::string subject_kind;  // `pod`, `user`, `certificate`, `address`
  std::string subject;       // namespace/name, user, certificate or address of the client
  std::string client;        // its address
  std::string method;
  std::string host;  // empty: the request could not be read
  std::uint16_t port = 0;
  std::string reason;
  std::string policy;
  bool operator==(const Attempt&) const = default;
};

// Nothing for a line that is no refusal, or one that tells nothing about what somebody wanted to
// reach: the gateway is full, draining or has no policy.
[[nodiscard]] std::optional<Attempt> read_attempt(std::string_view line);

// What the attempts at one host are counted under: the registrable domain of its name (the Public
// Suffix List's), the name itself where it has none, or the address. `(none)` for no host.
[[nodiscard]] std::string group_of(const Attempt& attempt);

}  // namespace ebbgate::alert
