#include "policy/detail/delegated_hosts.h"

#include <algorithm>

namespace ebbgate::policy::detail {
namespace {

bool is_below(std::string_view name, std::string_view apex) {
  return name.size() > apex.size() && name.ends_with(apex) &&
         name[name.size() - apex.size() - 1] == '.';
}

// Sorted, none touching another.
std::vector<PortRange> merged(std::vector<PortRange> ports) {
  std::ranges::sort(ports);
  std::vector<PortRange> out;
  for (const PortRange& range : ports) {
    if (!out.empty() && range.first <= out.back().last + 1) {
      out.back().last = std::max(out.back().last, range.last);
    } else {
      out.push_back(range);
    }
  }
  return out;
}

// Of merged ranges, what both have.
std::vector<PortRange> common(std::span<const PortRange> a, std::span<const PortRange> b) {
  std::vector<PortRange> out;
  for (const PortRange& x : a) {
    for (const PortRange& y : b) {
      const PortRange both{std::max(x.first, y.first), std::min(x.last, y.last)};
      if (both.first <= both.last) out.push_back(both);
    }
  }
  return out;
}

}  // namespace

std::vector<PortRange> ports_of(const Pattern& host, std::span<const PortRange> of_entry,
                                std::span<const PortRange> fallback) {
  if (host.ports()) return {*host.ports()};
  const auto ports = of_entry.empty() ? fallback : of_entry;
  return merged({ports.begin(), ports.end()});
}

std::string turned(std::string_view name) {
  std::string out;
  out.reserve(name.size() + 1);
  while (!name.empty()) {
    const std::size_t dot = name.rfind('.');
    const std::size_t label = dot == std::string_view::npos ? 0 : dot + 1;
    out += name.substr(label);
    out += '.';
    name = name.substr(0, label == 0 ? 0 : dot);
  }
  return out;
}

bool covers(const Pattern& wide, const Pattern& narrow) {
  const bool is_block = wide.kind() == PatternKind::kAddresses;
  if (is_block || narrow.kind() == PatternKind::kAddresses) {
    return wide.kind() == narrow.kind() && wide.addresses().contains(narrow.addresses());
  }
  if (is_below(narrow.name(), wide.name())) return wide.kind() != PatternKind::kName;
  return narrow.name() == wide.name() &&
         (wide.kind() == narrow.kind() || wide.kind() == PatternKind::kNameAndBelow);
}

DelegatedHosts::DelegatedHosts(std::span<const PortRange> default_ports)
    : default_ports_(default_ports.begin(), default_ports.end()) {}

void DelegatedHosts::add(const Delegation& delegation) {
  for (std::size_t i = 0; i < delegation.hosts.size(); ++i) {
    const Pattern host = delegation.hosts[i];
    Delegate delegate{host, ports_of(host, delegation.ports, default_ports_)};
    if (host.kind() == PatternKind::kAddresses) {
      blocks_.push_back(std::move(delegate));
    } else {
      names_.emplace_back(turned(host.name()), std::move(delegate));
    }
  }
}

void DelegatedHosts::finish() {
  std::ranges::sort(names_, {}, &decltype(names_)::value_type::first);
}

// Collects what of one host is delegated, one delegation after the other.
class DelegatedHosts::Search {
 public:
  Search(const Pattern& host, std::vector<PortRange> ports, std::size_t& budget)
      : host_(host), ports_(std::move(ports)), budget_(budget) {
    spend(ports_.size());
  }

  // Whether there is a reason to go on.
  bool consider(const Delegate& delegate) {
    if (budget_ == 0) return false;
    spend(ports_.size() * delegate.ports.size());
    // Of two patterns that have a host in common, one has all of the other's.
    const bool is_within = covers(delegate.host, host_);
    if (!is_within && !covers(host_, delegate.host)) return true;
    const auto shared = common(ports_, delegate.ports);
    found_ = true;
    if (is_within) {
      own_.insert(own_.end(), shared.begin(), shared.end());
      own_ = merged(std::move(own_));
      return own_ != ports_;
    }
    for (const PortRange& range : shared) add(delegate.host.on(range));
    return true;
  }

  Portion take() {
    if (own_ == ports_) return {.is_whole = true, .parts = {}};
    for (const PortRange& range : own_) add(host_.on(range));
    const bool is_elsewhere = found_ && parts_.empty();
    return {.parts = std::move(parts_), .is_elsewhere = is_elsewhere};
  }

 private:
  void spend(std::size_t work) { budget_ -= std::min(budget_, work); }
  void add(Pattern part) {
    spend(kPartWork);
    if (parts_.empty() || parts_.back() != part) parts_.push_back(std::move(part));
  }

  const Pattern& host_;
  std::vector<PortRange> ports_;
  std::size_t& budget_;
  std::vector<PortRange> own_;  // on which the whole host is delegated
  std::vector<Pattern> parts_;
  bool found_ = false;
};

// False where the search is over.
bool DelegatedHosts::look_for(const Pattern& host, std::string_view turned_name,
                              Search& search) const {
  const auto consider = [&](const Delegate& delegate) { return search.consider(delegate); };
  if (host.kind() == PatternKind::kAddresses) return std::ranges::all_of(blocks_, consider);
  constexpr auto kName = &decltype(names_)::value_type::first;
  constexpr auto kDelegate = &decltype(names_)::value_type::second;
  // The names above it, and its own.
  for (std::size_t end = turned_name.find('.'); end != std::string_view::npos;
       end = turned_name.find('.', end + 1)) {
    const auto rows = std::ranges::equal_range(names_, turned_name.substr(0, end + 1), {}, kName);
    if (!std::ranges::all_of(rows, consider, kDelegate)) return false;
  }
  if (host.kind() == PatternKind::kName) return true;
  // Those below it.
  auto row = std::ranges::upper_bound(names_, turned_name, {}, kName);
  for (; row != names_.end() && row->first.starts_with(turned_name); ++row) {
    if (!consider(row->second)) return false;
  }
  return true;
}

Delegations::Delegations(std::span<const Document> cluster,
                         std::span<const PortRange> default_ports)
    : cluster_(cluster),
      default_ports_(default_ports.begin(), default_ports.end()),
      to_all_(default_ports) {
  for (std::size_t i = 0; i < cluster.size(); ++i) {
    if (!cluster[i].delegate) continue;
    const auto& namespaces = cluster[i].delegate->namespaces;
    if (std::ranges::find(namespaces, "*") != namespaces.end()) {
      to_all_.add(*cluster[i].delegate);
      continue;
    }
    for (const std::string& each : namespaces) {
      std::vector<std::size_t>& numbers = by_namespace_[each];
      if (numbers.empty() || numbers.back() != i) numbers.push_back(i);
    }
  }
  to_all_.finish();
}

std::vector<const DelegatedHosts*> Delegations::to(std::string_view to_namespace) {
  std::vector<const DelegatedHosts*> sets;
  if (!to_all_.empty()) sets.push_back(&to_all_);
  const auto numbers = by_namespace_.find(to_namespace);
  if (numbers == by_namespace_.end()) return sets;
  for (const std::size_t number : numbers->second) {
    const auto [made, is_new] = made_.try_emplace(number, default_ports_);
    if (is_new) {
      made->second.add(*cluster_[number].delegate);
      made->second.finish();
    }
    if (!made->second.empty()) sets.push_back(&made->second);
  }
  return sets;
}

Portion portion_of(std::span<const DelegatedHosts* const> sets, const Pattern& host,
                   std::span<const PortRange> ports, std::size_t& budget) {
  DelegatedHosts::Search search(host, std::vector<PortRange>(ports.begin(), ports.end()), budget);
  const std::string name = turned(host.name());
  for (const DelegatedHosts* set : sets) {
    if (!set->look_for(host, name, search)) break;
  }
  return search.take();
}

}  // namespace ebbgate::policy::detail
