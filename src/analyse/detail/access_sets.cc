#include "analyse/detail/access_sets.h"

#include <algorithm>
#include <utility>

namespace ebbgate::analyse::detail {
namespace {

using policy::Pattern;
using policy::PatternKind;

// The blocks of `whole` that are left when `hole`, which it contains, is taken out: its halves but
// the one with the hole, and of that one the same again.
void cut_out(const Cidr& whole, const Cidr& hole, std::vector<Cidr>& left) {
  Cidr around = hole;
  while (around.prefix() > whole.prefix()) {
    const Cidr parent = Cidr::of(around.network(), around.prefix() - 1);
    // The other half: the same block with its last bit turned.
    auto bytes = around.network().bytes();
    const unsigned bit = around.prefix() - 1 + (around.network().is_v4() ? 96 : 0);
    bytes[bit / 8] = static_cast<std::uint8_t>(bytes[bit / 8] ^ (0x80U >> (bit % 8)));
    const IpAddress v6 = IpAddress::v6(bytes);
    const IpAddress other = around.network().is_v4() ? IpAddress::v4(v6.v4_value()) : v6;
    left.push_back(Cidr::of(other, around.prefix()));
    around = parent;
  }
}

unsigned bit_of(PatternKind kind) {
  return 1U << static_cast<unsigned>(kind);
}

constexpr unsigned kName = 1U << static_cast<unsigned>(PatternKind::kName);
constexpr unsigned kNameAndBelow = 1U << static_cast<unsigned>(PatternKind::kNameAndBelow);
constexpr unsigned kBelow = 1U << static_cast<unsigned>(PatternKind::kBelow);

}  // namespace

AddressSet AddressSet::everyone() {
  AddressSet all;
  all.add(Cidr::of(IpAddress::v4(0), 0));
  all.add(Cidr::of(IpAddress::v6({}), 0));
  return all;
}

void AddressSet::add(const Cidr& block) {
  for (const Cidr& each : blocks_) {
    if (each.contains(block)) return;
  }
  std::erase_if(blocks_, [&](const Cidr& each) { return block.contains(each); });
  blocks_.insert(std::ranges::upper_bound(blocks_, block), block);
}

AddressSet AddressSet::intersected(const AddressSet& other) const {
  AddressSet both;
  for (const Cidr& a : blocks_) {
    for (const Cidr& b : other.blocks_) {
      if (a.contains(b))
        both.add(b);
      else if (b.contains(a))
        both.add(a);
    }
  }
  return both;
}

AddressSet AddressSet::without(const AddressSet& other) const {
  std::vector<Cidr> left = blocks_;
  for (const Cidr& hole : other.blocks_) {
    std::vector<Cidr> next;
    for (const Cidr& block : left) {
      if (hole.contains(block)) continue;
      if (block.contains(hole)) {
        cut_out(block, hole, next);
      } else {
        next.push_back(block);
      }
    }
    left = std::move(next);
  }
  AddressSet out;
  for (const Cidr& block : left) out.add(block);
  return out;
}

void HostPatterns::add(const Pattern& pattern) {
  if (pattern.kind() == PatternKind::kAddresses) {
    if (std::ranges::find(patterns_, pattern) != patterns_.end()) return;
  } else {
    unsigned& kinds = kinds_[pattern.name()];
    if ((kinds & bit_of(pattern.kind())) != 0) return;
    kinds |= bit_of(pattern.kind());
  }
  patterns_.push_back(pattern);
}

void HostPatterns::add(const HostPatterns& other) {
  for (const Pattern& pattern : other.patterns_) add(pattern);
}

bool HostPatterns::covers(const Pattern& pattern) const {
  if (pattern.kind() == PatternKind::kAddresses) {
    return std::ranges::any_of(patterns_, [&](const Pattern& each) {
      return each.kind() == PatternKind::kAddresses &&
             each.addresses().contains(pattern.addresses());
    });
  }
  std::string_view name = pattern.name();
  unsigned wanted = kNameAndBelow;
  if (pattern.kind() == PatternKind::kName) wanted |= kName;
  if (pattern.kind() == PatternKind::kBelow) wanted |= kBelow;
  while (true) {
    const auto found = kinds_.find(name);
    if (found != kinds_.end() && (found->second & wanted) != 0) return true;
    const std::size_t dot = name.find('.');
    if (dot == std::string_view::npos) return false;
    name.remove_prefix(dot + 1);
    wanted = kNameAndBelow | kBelow;
  }
}

HostPatterns HostPatterns::intersected(const HostPatterns& other) const {
  HostPatterns both;
  for (const Pattern& pattern : patterns_) {
    if (other.covers(pattern)) both.add(pattern);
  }
  for (const Pattern& pattern : other.patterns_) {
    if (covers(pattern)) both.add(pattern);
  }
  return both;
}

HostPatterns HostPatterns::not_covered_by(const HostPatterns& other) const {
  HostPatterns left;
  for (const Pattern& pattern : patterns_) {
    if (!other.covers(pattern)) left.add(pattern);
  }
  return left;
}

HostSet HostSet::intersected(const HostSet& other) const {
  HostSet both{.is_everything = is_everything && other.is_everything, .in = {}, .out = out};
  if (!both.is_everything) {
    both.in = is_everything ? other.in : other.is_everything ? in : in.intersected(other.in);
  }
  both.out.add(other.out);
  both.simplify();
  return both;
}

void HostSet::simplify() {
  if (is_everything || out.empty()) return;
  in = in.not_covered_by(out);
  HostPatterns needed;
  for (const Pattern& pattern : out.all()) {
    // A block also removes addresses that a name resolves to.
    const bool may_meet = pattern.kind() == PatternKind::kAddresses || in.covers(pattern);
    if (may_meet) needed.add(pattern);
  }
  out = in.empty() ? HostPatterns() : std::move(needed);
}

PortSet every_port() {
  PortSet ports;
  ports.set();
  ports.reset(0);
  return ports;
}

std::vector<policy::PortRange> ranges_of(const PortSet& ports) {
  std::vector<policy::PortRange> ranges;
  for (std::size_t port = 1; port < ports.size(); ++port) {
    if (!ports[port]) continue;
    const std::size_t first = port;
    while (port + 1 < ports.size() && ports[port + 1]) ++port;
    ranges.push_back({static_cast<std::uint16_t>(first), static_cast<std::uint16_t>(port)});
  }
  return ranges;
}

Box Box::intersected(const Box& other) const {
  return {.from = from.intersected(other.from),
          .hosts = hosts.intersected(other.hosts),
          .ports = ports & other.ports,
          .methods = methods & other.methods,
          .is_reported = is_reported,
          .origin = origin};
}

std::vector<Box> difference(const Box& whole, const Box& part) {
  const Box common = whole.intersected(part);
  if (common.empty()) return {whole};
  std::vector<Box> left;
  const auto keep = [&](Box box) {
    if (!box.empty()) left.push_back(std::move(box));
  };
  Box rest = whole;
  rest.from = whole.from.without(part.from);
  keep(rest);
  rest.from = common.from;
  // Neither in part.in, nor kept out of it by part.out.
  if (!part.hosts.is_everything) {
    Box outside = rest;
    outside.hosts.out.add(part.hosts.in);
    outside.hosts.simplify();
    keep(std::move(outside));
  }
  if (!part.hosts.out.empty()) {
    Box spared = rest;
    spared.hosts =
        rest.hosts.intersected({.is_everything = false, .in = part.hosts.out, .out = {}});
    keep(std::move(spared));
  }
  rest.hosts = common.hosts;
  rest.ports = whole.ports & ~part.ports;
  keep(rest);
  rest.ports = common.ports;
  rest.methods = whole.methods & ~part.methods;
  keep(rest);
  return left;
}

}  // namespace ebbgate::analyse::detail
