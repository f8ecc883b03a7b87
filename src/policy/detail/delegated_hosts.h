// What is delegated to a namespace, and how much of a host is within it. Names are kept with
// their labels turned round, so that all below a name stand together.
#pragma once

#include <cstddef>
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

class DelegatedHosts {
 public:
  // What may be spent on one document: 1 for each pair of ranges of ports that is compared, and
  // kPartWork for each part that is made. A namespace must not be able to keep the gateway busy, or
  // to fill its memory; ten thousand hosts that are delegated whole fit three times.
  static constexpr std::size_t kMaxWork = 200'000;
  static constexpr std::size_t kPartWork = 10;

  // What the documents of those numbers delegate; it takes what it needs of them.
  DelegatedHosts(std::span<const Document> cluster, std::span<const std::size_t> which,
                 std::span<const PortRange> default_ports);

  [[nodiscard]] bool empty() const { return names_.empty() && blocks_.empty(); }

  // `ports`: of the host's entry. `budget` is what is left of the work that one document may make.
  [[nodiscard]] Portion portion_of(const Pattern& host, std::span<const PortRange> ports,
                                   std::size_t& budget) const;

 private:
  struct Delegate {
    Pattern host;
    std::vector<PortRange> ports;
  };
  class Search;

  std::vector<std::pair<std::string, Delegate>> names_;  // by turned name, sorted
  std::vector<Delegate> blocks_;
  std::vector<PortRange> default_ports_;
};

// The numbers of the documents that delegate to the namespace.
[[nodiscard]] std::vector<std::size_t> delegating_to(std::string_view to_namespace,
                                                     std::span<const Document> cluster);

// `com.example.api.` for `api.example.com`.
[[nodiscard]] std::string turned(std::string_view name);

// Whether every host of `narrow` is one of `wide`, whatever their ports.
[[nodiscard]] bool covers(const Pattern& wide, const Pattern& narrow);

}  // namespace ebbgate::policy::detail
