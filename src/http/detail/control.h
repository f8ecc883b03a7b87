// What the fields of a head say about framing, the connection and upgrades (RFC 9112 6 and 9, RFC
// 9110 7.6.1 and 7.8): read in one pass, the same for requests and responses.
#pragma once

#include <cstdint>
#include <optional>

#include "base/result.h"
#include "http/field.h"
#include "http/framing.h"

namespace ebbgate::http::detail {

struct Control {
  std::optional<std::uint64_t> content_length;
  bool chunked = false;
  // Options of Connection.
  bool close = false;
  bool keep_alive = false;
  bool connection_upgrade = false;
  // What Upgrade names.
  bool upgrade_websocket = false;
  bool upgrade_other = false;
};

// Also marks in `fields` what Connection names, so that it goes no further.
// Refused: a second Content-Length, one that is no decimal number up to 2^63-1, one beside
// Transfer-Encoding; a transfer coding that is not chunked alone, or in HTTP/1.0; a Connection
// option that is no token, more than 32 of them, and one that names a field which must reach the
// origin.
[[nodiscard]] Result<Control> read_control(Fields& fields, Version version, const Blame& blame);

}  // namespace ebbgate::http::detail
