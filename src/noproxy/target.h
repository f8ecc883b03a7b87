// Whom a client wants to reach, in the forms in which clients compare it with NO_PROXY entries.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/authority.h"
#include "base/result.h"

namespace ebbgate::noproxy {

struct Target {
  std::string scheme;  // `http` or `https`
  std::string host;    // lower case, without a trailing dot; IPv6 in RFC 5952 form, no brackets
  std::optional<IpAddress> address;  // where the host is a literal
  std::uint16_t port = 0;
  bool port_is_written = false;  // in the URL, rather than the scheme's own

  // `http://host[:port][/…]`, the same with https, or `host[:port]`, which is read as https, or as
  // http where the port is 80. Error: kMalformedRequest.
  [[nodiscard]] static Result<Target> parse(std::string_view url);

  [[nodiscard]] std::string in_url() const;     // the host as a URL has it, IPv6 in brackets
  [[nodiscard]] std::string with_port() const;  // in_url() and the port
};

}  // namespace ebbgate::noproxy
