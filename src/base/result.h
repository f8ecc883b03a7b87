// Errors as values: what the world sends and what the network does ends in an Error, never in an
// exception. `Error` says what (Reason), whose side it happened on, and the details for a person.
#pragma once

#include <cstdint>
#include <expected>
#include <string>
#include <utility>

#include "base/reason.h"

namespace ebbgate {

enum class Side : std::uint8_t { kClient, kOrigin, kSelf };

struct Error {
  Reason reason = Reason::kInternal;
  Side side = Side::kSelf;
  std::string detail;  // a sentence without its full stop; may hold client bytes: escape to show

  bool operator==(const Error&) const = default;
};

template <typename T>
using Result = std::expected<T, Error>;

// The usual way to return an Error from a function that returns Result<T>.
[[nodiscard]] inline std::unexpected<Error> fail(Reason reason, Side side, std::string detail) {
  return std::unexpected(Error{reason, side, std::move(detail)});
}

}  // namespace ebbgate
