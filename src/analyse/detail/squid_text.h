// The words of a line of Squid's configuration, and its ways to write addresses.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/ip.h"

namespace ebbgate::analyse::detail {

struct Token {
  std::string text;
  bool is_quoted = false;
};

// Until the first that begins with `#`.
[[nodiscard]] std::vector<Token> tokens_of(std::string_view line);

// `10.0.0.0/8`, `10.0.0.0/255.0.0.0`, `10.0.0.1-10.0.0.9`, an address; as blocks. Host bits that
// are set are masked, as Squid does after a warning.
[[nodiscard]] std::optional<std::vector<Cidr>> blocks_of(std::string_view text);

}  // namespace ebbgate::analyse::detail
