// JSON read for a few of its values: each scalar is shown with the keys that lead to it, and
// nothing is kept. Also what a watch sends, and the times that the API writes.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/result.h"

namespace ebbgate::kube::detail {

// The keys down to a value; the elements of a list all have the empty key.
using Path = std::span<const std::string>;

struct Scalar {
  std::optional<std::string_view> text = {};  // where it is a string
  bool is_true = false;
  std::optional<std::int64_t> integer = {};
};

// Whether `json` is one whole JSON value. `take` is called for each scalar up to `kMaxPath` keys
// down, with what came before an error, too.
inline constexpr std::size_t kMaxPath = 6;
[[nodiscard]] bool scan(std::string_view json,
                        const std::function<void(Path path, const Scalar& value)>& take);

[[nodiscard]] bool is_at(Path path, std::initializer_list<std::string_view> keys);

// The raw text of a member of an object that scan() has found to be JSON; empty: it has none.
[[nodiscard]] std::string_view member(std::string_view object, std::string_view key);

struct Event {
  std::string type;         // ADDED, MODIFIED, DELETED, BOOKMARK, ERROR
  std::string_view object;  // raw, of the event's text
  std::string version;      // metadata.resourceVersion of the object
};
// Errors: kOriginInvalid.
[[nodiscard]] Result<Event> read_event(std::string_view text);

// `2026-11-24T10:00:00Z`, perhaps with a fraction of the second.
[[nodiscard]] std::optional<WallTime> parse_time(std::string_view text);

}  // namespace ebbgate::kube::detail
