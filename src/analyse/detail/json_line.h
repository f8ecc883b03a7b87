// The fields of one JSON object that a policy is about, without building the object (RFC 8259).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace ebbgate::analyse::detail {

// A key that is absent, or whose value has another type, leaves its field as it is here.
struct JsonFields {
  std::string_view time, phase, client, user, method, target, host, sni, verdict, reason, address;
  std::string_view subject_kind, subject_name, subject_namespace;
  std::uint64_t count = 1;
  std::uint64_t port = 0;
  std::optional<bool> ech;
};

// In: the text of one object, blanks around it. Out: whether it is one; strings are views into the
// text, or into `unescaped` where they hold escapes. UTF-8 is not checked.
[[nodiscard]] bool scan_json(std::string_view text, JsonFields& fields, std::string& unescaped);

}  // namespace ebbgate::analyse::detail
