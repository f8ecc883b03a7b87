// Whom an entry for a whole suffix lets in besides the one it was written for (semantics 2; the
// Public Suffix List through libpsl, with its private section).
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace ebbgate::policy::detail {

// In: the name of a `.name` or `*.name` pattern. Out: a clause such as "every S3 bucket of every
// AWS customer"; nothing where the suffix belongs to one owner, as far as anybody knows.
[[nodiscard]] std::optional<std::string> strangers_below(std::string_view name);

// Whether names directly below it have different owners, by the Public Suffix List.
[[nodiscard]] bool is_public_suffix(std::string_view name);

}  // namespace ebbgate::policy::detail
