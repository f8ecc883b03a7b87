// From an alert to what people and programs read: a subject line, a text, and the same as JSON.
// Nothing here is secret: events have no query, no userinfo and no header. Plain functions.
#pragma once

#include <string>
#include <string_view>

#include "alert/groups.h"

namespace ebbgate::alert {

struct Message {
  std::string subject;  // printable ASCII, less than 100 characters, as SNS wants it
  std::string text;     // lines for people
  std::string json;     // one object, docs/fleet.md
  bool operator==(const Message&) const = default;
};

inline constexpr std::size_t kMaxSubject = 99;

// `gateway`: who says so, such as the instance's id.
[[nodiscard]] Message compose(const Alert& alert, std::string_view gateway);

// That `count` alerts could not be sent.
[[nodiscard]] Message compose_dropped(std::uint64_t count, std::string_view gateway);

}  // namespace ebbgate::alert
