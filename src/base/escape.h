// Showing bytes that somebody else chose: in a log, a header, a page or a terminal.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace ebbgate {

inline constexpr std::size_t kMaxShown = 2048;  // octets of input; semantics 6

// Appends `text` with every byte outside 0x21–0x7e as %XX
// (upper-case hex); what is past `limit` octets of input is cut.
void append_escaped(std::string& out, std::string_view text, std::size_t limit = kMaxShown);
[[nodiscard]] std::string escaped(std::string_view text, std::size_t limit = kMaxShown);

// The same for prose, where a space stays a space.
[[nodiscard]] std::string escaped_prose(std::string_view text, std::size_t limit = kMaxShown);

}  // namespace ebbgate
