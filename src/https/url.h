// An http or https URL as the client needs it (RFC 3986, RFC 9110 4.2): where to connect, and what
// to ask for there.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/authority.h"
#include "base/result.h"

namespace ebbgate::https {

enum class Scheme : std::uint8_t { kHttp, kHttps };

struct Url {
  Scheme scheme = Scheme::kHttps;
  Authority authority;  // with the scheme's port where the URL names none
  std::string target;   // origin-form: path and query as they were written, never empty

  // Refused as kMalformedRequest: another scheme, userinfo (credentials do not belong into URLs), a
  // fragment, octets outside visible ASCII, and what Authority::parse refuses.
  [[nodiscard]] static Result<Url> parse(std::string_view text);

  // The value of Host: the port only where it is not the scheme's.
  [[nodiscard]] std::string host_field() const;
  // `scheme://host[:port]`: what may be shown of a URL, whose query may hold a secret.
  [[nodiscard]] std::string origin() const;

  bool operator==(const Url&) const = default;
};

}  // namespace ebbgate::https
