#include "analyse/detail/bundle_choice.h"

#include <algorithm>
#include <map>
#include <optional>
#include <set>

namespace ebbgate::analyse::detail {
namespace {

struct Candidate {
  const policy::Bundle* bundle;
  policy::BundleArguments arguments;
  std::vector<std::size_t> covered;
};

bool is_part_of(const policy::BundleArguments& some, const policy::BundleArguments& all) {
  return some.size() < all.size() &&
         std::ranges::all_of(
             some,
             [&](const auto& argument) { return std::ranges::find(all, argument) != all.end(); });
}

// What of `seen` the bundle covers with these arguments; nothing where that is too little of it.
std::optional<std::vector<std::size_t>> covered_by(const policy::Bundle& bundle,
                                                   const policy::BundleArguments& arguments,
                                                   std::span<const std::pair<Host, Port>> seen,
                                                   const std::vector<std::size_t>& to_look_at) {
  const auto hosts = expand(bundle, arguments, policy::BundlePorts::kOwn);
  if (!hosts) return std::nullopt;
  std::size_t sure = 0;
  std::size_t sure_seen = 0;
  std::set<std::size_t> covered;
  for (const policy::ExpandedHost& host : *hosts) {
    bool is_seen = false;
    for (const std::size_t i : to_look_at) {
      const auto& [name, port] = seen[i];
      const bool is_port = !host.pattern.ports() || host.pattern.ports()->contains(port);
      if (!is_port || !host.pattern.matches(name)) continue;
      covered.insert(i);
      is_seen = true;
    }
    if (host.host->is_unsure) continue;
    ++sure;
    sure_seen += is_seen ? 1 : 0;
  }
  if (sure_seen == 0 || sure_seen * 2 < sure) return std::nullopt;
  return std::vector(covered.begin(), covered.end());
}

}  // namespace

std::vector<BundleChoice> choose_bundles(std::span<const policy::Bundle> bundles,
                                         std::span<const std::pair<Host, Port>> seen) {
  std::map<const policy::Bundle*, std::vector<std::size_t>> matched;
  std::map<const policy::Bundle*, std::set<policy::BundleArguments>> arguments;
  for (std::size_t i = 0; i < seen.size(); ++i) {
    for (auto& match : bundles_with(bundles, seen[i].first, seen[i].second)) {
      std::ranges::sort(match.arguments);
      matched[match.bundle].push_back(i);
      arguments[match.bundle].insert(std::move(match.arguments));
    }
  }
  std::vector<Candidate> candidates;
  for (const policy::Bundle& bundle : bundles) {
    const auto& all = arguments[&bundle];
    for (const auto& some : all) {
      const bool is_vague =
          std::ranges::any_of(all, [&](const auto& more) { return is_part_of(some, more); });
      if (is_vague) continue;
      auto covered = covered_by(bundle, some, seen, matched[&bundle]);
      if (covered) candidates.push_back({&bundle, some, *std::move(covered)});
    }
  }
  std::vector<BundleChoice> choices;
  std::vector<bool> is_taken(seen.size());
  const auto is_free = [&](std::size_t i) { return !is_taken[i]; };
  while (true) {
    // Of two that cover as much, the one that lets in less besides.
    const auto best = std::ranges::max_element(candidates, {}, [&](const Candidate& candidate) {
      return std::pair(std::ranges::count_if(candidate.covered, is_free),
                       -static_cast<std::ptrdiff_t>(candidate.bundle->hosts.size()));
    });
    if (best == candidates.end()) return choices;
    std::erase_if(best->covered, [&](std::size_t i) { return is_taken[i]; });
    if (best->covered.empty()) return choices;
    for (const std::size_t i : best->covered) is_taken[i] = true;
    choices.push_back({best->bundle, std::move(best->arguments), std::move(best->covered)});
    candidates.erase(best);
  }
}

}  // namespace ebbgate::analyse::detail
