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

std::vector<PortRange> ports_of(const Pattern& host, std::span<const PortRange> of_entry,
                                std::span<const PortRange> fallback) {
  if (host.ports()) return {*host.ports()};
  const auto ports = of_entry.empty() ? fallback : of_entry;
  return merged({ports.begin(), ports.end()});
}

Pattern with_ports(const Pattern& host, const PortRange& ports) {
  std::string text;
  switch (host.kind()) {
    case PatternKind::kName:
      text = host.name();
      break;
    case PatternKind::kNameAndBelow:
      text = "." + host.name();
      break;
    case PatternKind::kBelow:
      text = "*." + host.name();
      break;
    case PatternKind::kAddresses:
      text = host.addresses().str();
      if (host.addresses().network().is_v6()) text = "[" + text + "]";
      break;
  }
  // Made of what was parsed before.
  return Pattern::parse(text + ":" + ports.str()).value_or(host);
}

bool is_for(const Delegation& delegation, std::string_view to_namespace) {
  return std::ranges::any_of(delegation.namespaces, [&](const std::string& each) {
    return each == to_namespace || each == "*";
  });
}

}  // namespace

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

std::vector<std::size_t> delegating_to(std::string_view to_namespace,
                                       std::span<const Document> cluster) {
  std::vector<std::size_t> which;
  for (std::size_t i = 0; i < cluster.size(); ++i) {
    if (cluster[i].delegate && is_for(*cluster[i].delegate, to_namespace)) which.push_back(i);
  }
  return which;
}

DelegatedHosts::DelegatedHosts(std::span<const Document> cluster,
                               std::span<const std::size_t> which,
                               std::span<const PortRange> default_ports)
    : default_ports_(default_ports.begin(), default_ports.end()) {
  for (const std::size_t number : which) {
    const Delegation& delegation = *cluster[number].delegate;
    const PatternList& hosts = delegation.hosts;
    for (std::size_t i = 0; i < hosts.size(); ++i) {
      const Pattern host = hosts[i];
      Delegate delegate{host, ports_of(host, delegation.ports, default_ports_)};
      if (host.kind() == PatternKind::kAddresses) {
        blocks_.push_back(std::move(delegate));
      } else {
        names_.emplace_back(turned(host.name()), std::move(delegate));
      }
    }
  }
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
    for (const PortRange& range : shared) add(with_ports(delegate.host, range));
    return true;
  }

  Portion take() {
    if (own_ == ports_) return {.is_whole = true, .parts = {}};
    for (const PortRange& range : own_) add(with_ports(host_, range));
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

Portion DelegatedHosts::portion_of(const Pattern& host, std::span<const PortRange> ports,
                                   std::size_t& budget) const {
  Search search(host, ports_of(host, ports, default_ports_), budget);
  if (host.kind() == PatternKind::kAddresses) {
    for (const Delegate& delegate : blocks_) {
      if (!search.consider(delegate)) break;
    }
    return search.take();
  }
  constexpr auto kName = &decltype(names_)::value_type::first;
  const std::string name = turned(host.name());
  // The names above it, and its own.
  for (std::size_t end = name.find('.'); end != std::string::npos; end = name.find('.', end + 1)) {
    const auto above = std::string_view(name).substr(0, end + 1);
    for (const auto& row : std::ranges::equal_range(names_, above, {}, kName)) {
      if (!search.consider(row.second)) return search.take();
    }
  }
  if (host.kind() == PatternKind::kName) return search.take();
  // Those below it.
  auto row = std::ranges::upper_bound(names_, std::string_view(name), {}, kName);
  for (; row != names_.end() && row->first.starts_with(name); ++row) {
    if (!search.consider(row->second)) break;
  }
  return search.take();
}

}  // namespace ebbgate::policy::detail
