// Single values of settings and documents: the text of one in, the typed value or what is wrong
// with it out.
#pragma once

#include <cstddef>
#include <cstdint>
#include <expected>
#include <string>
#include <string_view>

#include "base/authority.h"
#include "base/clock.h"
#include "base/ip.h"
#include "policy/pattern.h"

namespace ebbgate::config::detail {

struct Fault {
  std::string message;  // a clause; shows the text escaped
  std::string fix;
};

template <typename T>
using Parsed = std::expected<T, Fault>;

// The text in quotes, escaped and cut, for a message.
[[nodiscard]] std::string quoted(std::string_view text);

[[nodiscard]] Parsed<bool> parse_switch(std::string_view text);       // `true` or `false`
[[nodiscard]] Parsed<std::string> parse_text(std::string_view text);  // not empty, one line

// A number and `ms`, `s`, `m` or `h`, or `0`; ten years at most.
[[nodiscard]] Parsed<Duration> parse_duration(std::string_view text);
[[nodiscard]] Parsed<Duration> parse_some_duration(std::string_view text);  // the same but zero

// A number of octets, alone or with `KiB`, `MiB` or `GiB`.
[[nodiscard]] Parsed<std::size_t> parse_size(std::string_view text);

[[nodiscard]] Parsed<std::size_t> parse_count(std::string_view text, std::size_t least,
                                              std::size_t most);

[[nodiscard]] Parsed<Endpoint> parse_endpoint(std::string_view text);    // ADDR:PORT
[[nodiscard]] Parsed<Endpoint> parse_dns_server(std::string_view text);  // ADDR[:PORT], 53
[[nodiscard]] Parsed<Cidr> parse_cidr(std::string_view text);
[[nodiscard]] Parsed<Cidr> parse_nat64(std::string_view text);  // RFC 6052 2.2
[[nodiscard]] Parsed<policy::PortRange> parse_ports(std::string_view text);

// RFC 3339 5.6 date-time, from the year 1970 to 2261 (what WallTime holds).
[[nodiscard]] Parsed<WallTime> parse_time(std::string_view text);

// For `methods`: a token of RFC 9110 5.6.2 without lower-case letters, and not CONNECT.
[[nodiscard]] Parsed<std::string> parse_method(std::string_view text);
// For `paths`: the beginning of a path (RFC 3986 3.3), from its first `/`.
[[nodiscard]] Parsed<std::string> parse_path(std::string_view text);

// For `metadata.name`: a DNS subdomain (RFC 1123), as Kubernetes wants names.
[[nodiscard]] Parsed<std::string> parse_object_name(std::string_view text);

}  // namespace ebbgate::config::detail
