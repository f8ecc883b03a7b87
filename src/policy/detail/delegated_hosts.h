// What is delegated to a namespace, and how much of a host is within it. Names are kept with
// their labels turned round, so that all below a name stand together.
#pragma once

#include <cstddef>
#include <functional>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "policy/document.h"

namespace ebbgate::policy::detail {

// How much of a host, with its ports, is delegated.
struct Portion {
  bool is_whole = false;
  std::vector<Pattern> parts;  // where it is not: each with its ports
  bool is_elsewhere = false;   // it is delegated, but on no port that was asked for
};

// The hosts of some delegations: add() them all, then finish().
class DelegatedHosts {
 public:
  // What is made of one host costs 1 for each pair of ranges of ports that is compared, and so much
  // for each part that is made.
  static constexpr std::size_t kPartWork = 10;

  explicit DelegatedHosts(std::span<const PortRange> default_ports);
  void add(const Delegation& delegation);
  void finish();

  [[nodiscard]] bool empty() const { return names_.empty() && blocks_.empty(); }

 private:
  struct Delegate {
    Pattern host;
    std::vector<PortRange> ports;
  };
  class Search;
  friend Portion portion_of(std::span<const DelegatedHosts* const> sets, const Pattern& host,
                            std::span<const PortRange> ports, std::size_t& budget);
  bool look_for(const Pattern& host, std::string_view turned_name, Search& search) const;

  std::vector<std::pair<std::string, Delegate>> names_;  // by turned name, sorted
  std::vector<Delegate> blocks_;
  std::vector<PortRange> default_ports_;
};

// How much of the host on those ports (of ports_of()) the sets have. `budget`: what is left of the
// work that may be done; where it ends, what was not looked at is not delegated.
[[nodiscard]] Portion portion_of(std::span<const DelegatedHosts* const> sets, const Pattern& host,
                                 std::span<const PortRange> ports, std::size_t& budget);

// What the documents of a cluster delegate, to each namespace. Of each document there is one set,
// whoever shares it; what is delegated to all is one.
class Delegations {
 public:
  // The documents have to stay.
  Delegations(std::span<const Document> cluster, std::span<const PortRange> default_ports);

  // Good as long as this.
  [[nodiscard]] std::vector<const DelegatedHosts*> to(std::string_view to_namespace);

 private:
  std::span<const Document> cluster_;
  std::vector<PortRange> default_ports_;
  DelegatedHosts to_all_;
  std::map<std::string, std::vector<std::size_t>, std::less<>> by_namespace_;
  std::map<std::size_t, DelegatedHosts> made_;
};

// The ports of a host: its own, else those of its entry, else the default ones. Sorted, none
// touching another.
[[nodiscard]] std::vector<PortRange> ports_of(const Pattern& host,
                                              std::span<const PortRange> of_entry,
                                              std::span<const PortRange> fallback);

// `com.example.api.` for `api.example.com`.
[[nodiscard]] std::string turned(std::string_view name);

// Whether every host of `narrow` is one of `wide`, whatever their ports.
[[nodiscard]] bool covers(const Pattern& wide, const Pattern& narrow);

}  // namespace ebbgate::policy::detail
