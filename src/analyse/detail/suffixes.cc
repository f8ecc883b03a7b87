#include "analyse/detail/suffixes.h"

#include <algorithm>
#include <functional>
#include <map>

#include "policy/suffix.h"

namespace ebbgate::analyse::detail {
namespace {

bool is_longer(std::string_view a, std::string_view b) {
  return a.size() != b.size() ? a.size() > b.size() : a < b;
}

}  // namespace

std::vector<Suffix> find_suffixes(const std::vector<std::string_view>& names,
                                  std::size_t at_least) {
  if (at_least == 0) return {};
  // Each name speaks for itself as an apex and for all above it, up to where its owner's end. What
  // is longer is looked at first, so deeper suffixes come before those above them.
  std::map<std::string_view, std::vector<std::size_t>, decltype(&is_longer)> speaking(&is_longer);
  for (std::size_t i = 0; i < names.size(); ++i) {
    const std::string_view owned = policy::registrable_domain(names[i]);
    if (owned.empty()) continue;
    for (std::string_view at = names[i];; at.remove_prefix(at.find('.') + 1)) {
      speaking[at].push_back(i);
      if (at.size() <= owned.size()) break;
    }
  }
  std::vector<Suffix> found;
  std::vector<bool> is_taken(names.size());
  for (auto& [suffix, indices] : speaking) {
    if (indices.size() < at_least) continue;
    std::erase_if(indices, [&](std::size_t i) { return is_taken[i]; });
    if (indices.size() < at_least || policy::is_shared(suffix)) continue;
    bool has_apex = false;
    for (const std::size_t i : indices) {
      is_taken[i] = true;
      has_apex = has_apex || names[i] == suffix;
    }
    found.push_back(
        {.pattern = (has_apex ? "." : "*.") + std::string(suffix), .names = std::move(indices)});
  }
  return found;
}

}  // namespace ebbgate::analyse::detail
