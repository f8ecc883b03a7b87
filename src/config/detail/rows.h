// The readers that most rows of a table of keys have: one text, or a list of them, parsed into a
// member of what the map stands for.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <string>
#include <string_view>
#include <utility>

#include "config/detail/key.h"
#include "config/detail/values.h"

namespace ebbgate::config::detail {

inline std::string in_ticks(std::string_view name) {
  return "`" + std::string(name) + "`";
}

// A key's name as a template argument, so that a row's reader can speak of its key.
template <std::size_t kSize>
struct Name {
  constexpr Name(const char (&text)[kSize]) { std::copy_n(text, kSize, chars); }  // NOLINT
  [[nodiscard]] std::string shown() const { return in_ticks({chars, kSize - 1}); }
  char chars[kSize];
};

// Hands what `kParse` makes of the text to `into`, or reports why it is nothing.
template <auto kParse, typename Take>
void take(Reader& reader, const Value& value, const std::string& what, Take&& into) {
  if (!reader.want_text(value, what)) return;
  auto parsed = kParse(value.text());
  if (parsed) {
    into(std::move(*parsed));
  } else {
    reader.error(value.position(), std::move(parsed.error().message),
                 std::move(parsed.error().fix));
  }
}

template <Name kName, auto kMember, auto kParse, typename T>
void one(Reader& reader, const Value& value, T& out) {
  take<kParse>(reader, value, kName.shown(),
               [&](auto parsed) { out.*kMember = std::move(parsed); });
}

template <Name kName, auto kMember, auto kParse, typename T>
void list(Reader& reader, const Value& value, T& out) {
  if (!reader.want_list(value, kName.shown())) return;
  for (const Value& item : value.children()) {
    take<kParse>(reader, item, "an element of " + kName.shown(),
                 [&](auto parsed) { (out.*kMember).push_back(std::move(parsed)); });
  }
}

// One of the words of `of`, which are in the order of the enumeration T.
template <typename T, std::size_t kSize>
Parsed<T> word(std::string_view text, const std::array<std::string_view, kSize>& of) {
  const auto found = std::ranges::find(of, text);
  if (found != of.end()) return static_cast<T>(found - of.begin());
  std::string choices;
  for (const std::string_view choice : of) {
    choices += (choices.empty() ? "" : choice == of.back() ? " or " : ", ") + std::string(choice);
  }
  return std::unexpected(Fault{quoted(text) + " is none of its values", "write " + choices});
}

}  // namespace ebbgate::config::detail
