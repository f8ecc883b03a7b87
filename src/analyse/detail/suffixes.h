// Which names are better said as one suffix.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace ebbgate::analyse::detail {

struct Suffix {
  std::string pattern;             // `.a.example` where the apex is among the names, `*.a.example`
  std::vector<std::size_t> names;  // indices of those that it stands for
};

// In: distinct names in the form of Hostname. Out: the deepest suffixes for which at least
// `at_least` of the names speak, none of which lets in strangers' names (the Public Suffix List);
// no name is in two. A name that speaks for a deeper suffix does not for one above it.
[[nodiscard]] std::vector<Suffix> find_suffixes(const std::vector<std::string_view>& names,
                                                std::size_t at_least);

}  // namespace ebbgate::analyse::detail
