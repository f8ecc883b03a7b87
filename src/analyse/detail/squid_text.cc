#include "analyse/detail/squid_text.h"

#include <algorithm>
#include <bit>
#include <cstdint>

namespace ebbgate::analyse::detail {

std::vector<Token> tokens_of(std::string_view line) {
  std::vector<Token> tokens;
  while (true) {
    const std::size_t begin = line.find_first_not_of(" \t\r");
    if (begin == std::string_view::npos || line[begin] == '#') return tokens;
    line.remove_prefix(begin);
    if (line.front() == '"') {
      const std::size_t end = std::min(line.find('"', 1), line.size());
      tokens.push_back({std::string(line.substr(1, end - 1)), true});
      line.remove_prefix(std::min(end + 1, line.size()));
    } else {
      const std::size_t end = std::min(line.find_first_of(" \t\r"), line.size());
      tokens.push_back({std::string(line.substr(0, end)), false});
      line.remove_prefix(end);
    }
  }
}

std::optional<std::vector<Cidr>> blocks_of(std::string_view text) {
  const std::size_t slash = text.find('/');
  const std::size_t dash = text.find('-');
  if (dash != std::string_view::npos && slash == std::string_view::npos) {
    const auto first = IpAddress::parse(text.substr(0, dash));
    const auto last = IpAddress::parse(text.substr(dash + 1));
    if (!first || !last || !first->is_v4() || !last->is_v4() || *last < *first) return std::nullopt;
    std::vector<Cidr> blocks;
    for (std::uint64_t at = first->v4_value(); at <= last->v4_value();) {
      unsigned prefix = 32;
      while (prefix > 0) {  // the largest block that begins here and ends in time
        const std::uint64_t size = std::uint64_t{1} << (33 - prefix);
        if (at % size != 0 || at + size - 1 > last->v4_value()) break;
        --prefix;
      }
      blocks.push_back(Cidr::of(IpAddress::v4(static_cast<std::uint32_t>(at)), prefix));
      at += std::uint64_t{1} << (32 - prefix);
    }
    return blocks;
  }
  const auto address = IpAddress::parse(text.substr(0, slash));
  if (!address) return std::nullopt;
  const unsigned longest = address->is_v4() ? 32 : 128;
  unsigned prefix = longest;
  if (slash != std::string_view::npos) {
    const std::string_view mask = text.substr(slash + 1);
    if (const auto dotted = IpAddress::parse(mask); dotted && dotted->is_v4() && longest == 32) {
      const std::uint32_t bits = dotted->v4_value();
      prefix = static_cast<unsigned>(std::popcount(bits));
      const std::uint32_t expected = prefix == 0 ? 0 : ~std::uint32_t{0} << (32 - prefix);
      if (bits != expected) return std::nullopt;
    } else {
      prefix = 0;
      if (mask.empty() || mask.size() > 3) return std::nullopt;
      for (const char c : mask) {
        if (c < '0' || c > '9') return std::nullopt;
        prefix = prefix * 10 + static_cast<unsigned>(c - '0');
      }
      if (prefix > longest) return std::nullopt;
    }
  }
  return std::vector{Cidr::of(*address, prefix)};
}

}  // namespace ebbgate::analyse::detail
