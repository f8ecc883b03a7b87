#include "analyse/learn.h"

#include <algorithm>
#include <array>
#include <optional>
#include <tuple>
#include <utility>

#include "analyse/detail/bundle_choice.h"
#include "analyse/detail/grants.h"
#include "analyse/detail/suffixes.h"
#include "policy/address_class.h"
#include "policy/matches.h"

namespace ebbgate::analyse {
namespace {

constexpr std::size_t kMaxSpecial = 100'000;  // hosts whose special addresses are remembered
constexpr std::size_t kMaxSpecialPerHost = 8;

// What a tunnel needs that a plain entry does not give; the later ones give what the earlier do.
enum class Need : std::uint8_t { kNothing, kNoServerName, kNoTls };
constexpr std::array kNeeds = {Need::kNothing, Need::kNoServerName, Need::kNoTls};

Need need_of(Hello hello) {
  if (hello == Hello::kNamesNobody) return Need::kNoServerName;
  return hello == Hello::kNotTls ? Need::kNoTls : Need::kNothing;
}

Evidence evidence_of(const Flow& flow) {
  return {
      .count = flow.count(), .clients = {flow.key.subject}, .first = flow.first, .last = flow.last};
}

// All that was seen of one host: by port, and by what its tunnels need.
struct Seen {
  std::map<std::pair<std::uint16_t, Need>, Evidence> by_port;

  [[nodiscard]] std::uint64_t count() const {
    std::uint64_t sum = 0;
    for (const auto& [port, evidence] : by_port) sum += evidence.count;
    return sum;
  }
};

class HostCounter {
 public:
  void add(const Flow& flow) {
    requests_ += flow.count();
    hosts_.insert(flow.key.host);
  }
  [[nodiscard]] Learned::LeftOut result() const { return {requests_, hosts_.size()}; }

 private:
  std::uint64_t requests_ = 0;
  std::set<std::uint32_t> hosts_;
};

// Names sort by their labels from the right, so that those of one domain stand together.
std::vector<std::string> sort_key(std::string_view pattern) {
  std::vector<std::string> labels;
  while (true) {
    const std::size_t dot = pattern.rfind('.');
    labels.emplace_back(pattern.substr(dot + 1));
    if (dot == std::string_view::npos) return labels;
    pattern = pattern.substr(0, dot);
  }
}

// An address without the prefix length that stands for itself.
std::string pattern_of(const Host& host) {
  if (host.name() != nullptr) return host.name()->str();
  const auto pattern = policy::Pattern::parse(Cidr::of(*host.address()).str());
  return pattern ? pattern->str() : host.str();
}

policy::Entry terms_of(Need need, detail::Ports ports) {
  policy::Entry entry;
  entry.ports = std::move(ports);
  if (need == Need::kNoServerName) entry.sni = policy::SniRule::kOptional;
  if (need == Need::kNoTls) entry.tls = policy::TlsRule::kOff;
  return entry;
}

std::string note_of(Need need) {
  if (need == Need::kNoServerName) return "TLS without a server name";
  if (need == Need::kNoTls) return "not TLS, or not known to be";
  return {};
}

// Whether a tunnel or request with that need passes by the entry.
bool satisfies(const policy::Entry& entry, policy::SniRule by_default, Need need) {
  if (!entry.methods.empty() || !entry.paths.empty() || entry.expires) return false;
  if (entry.tls == policy::TlsRule::kOff) return true;
  if (need == Need::kNoTls) return false;
  return need == Need::kNothing || entry.sni.value_or(by_default) != policy::SniRule::kRequire;
}

// Builds the entries: hosts with their evidence in, grouped by what an entry says once.
class Builder {
 public:
  Builder(const Traffic& traffic, const LearnOptions& options)
      : traffic_(traffic), options_(options) {}

  void take_bundles(std::map<std::uint32_t, Seen>& hosts) {
    std::vector<std::pair<Host, Port>> seen;
    std::vector<std::pair<std::uint32_t, std::uint16_t>> places;
    for (const auto& [host, of_host] : hosts) {
      for (const auto& [place, evidence] : of_host.by_port) {
        const auto port = Port::of(place.first);
        if (!port || place.second != Need::kNothing) continue;
        seen.emplace_back(text_host(host), *port);
        places.emplace_back(host, place.first);
      }
    }
    for (const detail::BundleChoice& choice : detail::choose_bundles(options_.bundles, seen)) {
      LearnedEntry& entry = bundled_.emplace_back();
      entry.terms.bundle = {choice.bundle->name, choice.arguments, {}};
      for (const std::size_t i : choice.seen) {
        const auto& [host, port] = places[i];
        const auto row = hosts[host].by_port.find({port, Need::kNothing});
        entry.hosts.push_back({.pattern = pattern_of(text_host(host)),
                               .evidence = std::move(row->second),
                               .special = {}});
        hosts[host].by_port.erase(row);
      }
    }
    std::ranges::sort(bundled_, {}, [](const LearnedEntry& entry) {
      return std::tie(entry.terms.bundle->name, entry.terms.bundle->arguments);
    });
  }

  void take_known(std::map<std::uint32_t, Seen>& hosts) {
    for (auto& [host, seen] : hosts) {
      std::erase_if(seen.by_port, [&](const auto& row) {
        return is_known(host, row.first.first, row.first.second, row.second);
      });
    }
  }

  void take(std::uint32_t host, Seen seen) {
    // A laxer entry for a port serves the stricter need too.
    for (auto row = seen.by_port.begin(); row != seen.by_port.end();) {
      const auto next = std::next(row);
      if (next != seen.by_port.end() && next->first.first == row->first.first) {
        next->second.add(row->second);
        row = seen.by_port.erase(row);
      } else {
        row = next;
      }
    }
    for (const Need need : kNeeds) {
      detail::Ports ports;
      Evidence evidence;
      for (const auto& [place, of_port] : seen.by_port) {
        if (place.second != need) continue;
        ports.push_back({place.first, place.first});
        evidence.add(of_port);
      }
      if (ports.empty()) continue;
      groups_[{need, detail::normalised(std::move(ports))}].push_back(
          {.pattern = pattern_of(text_host(host)), .evidence = std::move(evidence), .special = {}});
    }
  }

  std::vector<LearnedEntry> entries() {
    std::vector<LearnedEntry> out = std::move(bundled_);
    for (auto& [place, known] : known_) {
      std::vector<LearnedHost> hosts;
      for (auto& [pattern, host] : known.hosts) hosts.push_back(std::move(host));
      out.push_back({.terms = std::move(known.terms),
                     .source = options_.known[place.first].name,
                     .note = {},
                     .hosts = std::move(hosts)});
    }
    for (auto& [key, hosts] : groups_) {
      out.push_back({.terms = terms_of(key.first, key.second),
                     .source = {},
                     .note = note_of(key.first),
                     .hosts = with_suffixes(std::move(hosts))});
    }
    for (LearnedEntry& entry : out) {
      std::ranges::sort(entry.hosts, {},
                        [](const LearnedHost& host) { return sort_key(host.pattern); });
    }
    return out;
  }

 private:
  struct KnownEntry {
    policy::Entry terms;
    std::map<std::string, LearnedHost> hosts;
  };

  [[nodiscard]] const Host& text_host(std::uint32_t host) const {
    return traffic_.host({.host = host});
  }

  bool is_known(std::uint32_t host, std::uint16_t number, Need need, const Evidence& evidence) {
    const auto port = Port::of(number);
    if (!port) return false;
    for (std::size_t i = 0; i < options_.known.size(); ++i) {
      const policy::Policy& known = *options_.known[i].policy;
      bool is_denied = false;
      std::optional<policy::PatternId> found;
      const policy::Request request{.host = text_host(host), .port = *port};
      policy::visit_matches(known, {}, request, WallTime(), [&](policy::PatternId id) {
        const policy::Citation citation = known.cite(id);
        is_denied = is_denied || citation.denies;
        if (!citation.denies && satisfies(*citation.entry, known.settings().sni, need) &&
            (!found || id < *found)) {
          found = id;
        }
      });
      if (is_denied || !found) continue;
      const policy::Citation citation = known.cite(*found);
      KnownEntry& entry = known_[{i, citation.entry}];
      entry.terms = *citation.entry;
      entry.terms.hosts = {};
      entry.terms.bundle.reset();
      LearnedHost& learned = entry.hosts[citation.pattern];
      if (learned.pattern.empty()) learned.names = 0;
      learned.pattern = citation.pattern;
      learned.evidence.add(evidence);
      if (counted_.insert({host, i}).second) ++learned.names;
      return true;
    }
    return false;
  }

  std::vector<LearnedHost> with_suffixes(std::vector<LearnedHost> hosts) const {
    std::vector<std::string_view> names;
    std::vector<std::size_t> places;
    for (std::size_t i = 0; i < hosts.size(); ++i) {
      if (!Hostname::parse(hosts[i].pattern)) continue;
      names.emplace_back(hosts[i].pattern);
      places.push_back(i);
    }
    std::vector<LearnedHost> out;
    std::vector<bool> is_covered(hosts.size());
    for (const detail::Suffix& suffix : detail::find_suffixes(names, options_.names_for_suffix)) {
      LearnedHost wide{.pattern = suffix.pattern, .evidence = {}, .names = 0, .special = {}};
      for (const std::size_t name : suffix.names) {
        const std::size_t place = places[name];
        wide.evidence.add(hosts[place].evidence);
        ++wide.names;
        is_covered[place] = true;
      }
      out.push_back(std::move(wide));
    }
    for (std::size_t i = 0; i < hosts.size(); ++i) {
      if (!is_covered[i]) out.push_back(std::move(hosts[i]));
    }
    return out;
  }

  const Traffic& traffic_;
  const LearnOptions& options_;
  std::vector<LearnedEntry> bundled_;
  std::map<std::pair<std::size_t, const policy::Entry*>, KnownEntry> known_;
  std::set<std::pair<std::uint32_t, std::size_t>> counted_;
  std::map<std::pair<Need, detail::Ports>, std::vector<LearnedHost>> groups_;
};

}  // namespace

void Evidence::add(const Evidence& other) {
  if (other.count == 0) return;
  first = count == 0 ? other.first : std::min(first, other.first);
  last = count == 0 ? other.last : std::max(last, other.last);
  count += other.count;
  clients.insert(other.clients.begin(), other.clients.end());
}

Learner::Learner(LearnOptions options, TrafficLimits limits, std::uint64_t hash_seed)
    : options_(std::move(options)), traffic_({}, limits, hash_seed) {}

void Learner::add(const LogEvent& event) {
  if (event.time < options_.since) return;
  if (!options_.from.empty()) {
    const auto client = IpAddress::parse(event.client);
    const auto holds = [&](const Cidr& block) { return block.contains(client->unmapped()); };
    if (!client || std::ranges::none_of(options_.from, holds)) return;
  }
  if (traffic_.add(event) == Traffic::Added::kCounted) note_special(event);
}

// Remembers the special addresses that a name led to: an entry does not open them by itself.
void Learner::note_special(const LogEvent& event) {
  // The public internet is the rule, and cheap to tell: special IPv4 blocks begin with few octets.
  static constexpr std::array<std::string_view, 9> kBegins = {
      "10.", "192.", "172.", "100.", "169.", "127.", "198.", "f", "0"};
  const bool may_be = std::ranges::any_of(
      kBegins, [&](std::string_view begin) { return event.address.starts_with(begin); });
  if (!may_be || event.host.starts_with('[') || ends_in_number(event.host)) return;
  const auto address = IpAddress::parse(event.address);
  const auto block = address ? policy::special_block(*address) : std::nullopt;
  if (!block) return;
  auto known = special_.find(event.host);
  if (known == special_.end()) {
    if (special_.size() >= kMaxSpecial) return;
    known = special_.try_emplace(std::string(event.host)).first;
  }
  if (known->second.size() < kMaxSpecialPerHost) {
    known->second.try_emplace(address->str(), block->name);
  }
}

Learned Learner::learn() const {
  Learned learned;
  learned.span = traffic_.span();
  learned.no_room = traffic_.left_out();
  HostCounter denied;
  HostCounter unresolved;
  HostCounter refused;
  HostCounter another_name;
  std::map<std::uint32_t, Seen> hosts;
  for (const Flow& flow : traffic_.flows()) {
    const FlowKey& key = flow.key;
    const bool passed = key.ending == Ending::kPassed && !options_.only_reported;
    const bool is_wanted = passed || key.ending == Ending::kReported ||
                           (key.ending == Ending::kDenied && options_.include_denied);
    if (key.ending == Ending::kUnresolved) {
      unresolved.add(flow);
    } else if (key.ending == Ending::kOther) {
      refused.add(flow);
    } else if (is_wanted && key.hello == Hello::kNamesAnother) {
      another_name.add(flow);
    } else if (is_wanted) {
      hosts[key.host].by_port[{key.port, need_of(key.hello)}].add(evidence_of(flow));
    } else if (key.ending == Ending::kDenied) {
      denied.add(flow);
    }
  }
  learned.denied = denied.result();
  learned.unresolved = unresolved.result();
  learned.refused = refused.result();
  learned.another_name = another_name.result();

  std::erase_if(hosts, [&](const auto& row) {
    const std::uint64_t count = row.second.count();
    if (count >= options_.min_count) return false;
    learned.rare.requests += count;
    ++learned.rare.hosts;
    return true;
  });
  learned.hosts = hosts.size();
  for (const auto& [host, seen] : hosts) learned.requests += seen.count();

  Builder builder(traffic_, options_);
  builder.take_bundles(hosts);
  builder.take_known(hosts);
  for (auto& [host, seen] : hosts) builder.take(host, std::move(seen));
  learned.entries = builder.entries();
  // A suffix gathers the special addresses of all its names.
  for (LearnedEntry& entry : learned.entries) {
    for (LearnedHost& host : entry.hosts) {
      const auto pattern = policy::Pattern::parse(host.pattern);
      if (!pattern) continue;
      if (pattern->kind() == policy::PatternKind::kName) {
        const auto found = special_.find(pattern->name());
        if (found != special_.end()) host.special = found->second;
        continue;
      }
      for (const auto& [name, addresses] : special_) {
        const auto parsed = Hostname::parse(name);
        if (parsed && pattern->matches(Host(*parsed))) {
          host.special.insert(addresses.begin(), addresses.end());
        }
      }
    }
  }
  return learned;
}

}  // namespace ebbgate::analyse
