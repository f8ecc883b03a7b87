// What is delegated to one namespace, and how much of a host is within it. Names are kept with
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
  // What may be spent on one document, in pairs of ranges of ports that are compared: a namespace
  // must not be able to keep the gateway busy, or to fill its memory.
  static constexpr std::size_t kMaxWork = 1'000'000;

  // Takes what it needs of the documents.
  DelegatedHosts(std::span<const Document> cluster, std::string_view to_namespace,
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

// `com.example.api.` for `api.example.com`.
[[nodiscard]] std::string turned(std::string_view name);

// Whether every host of `narrow` is one of `wide`, whatever their ports.
[[nodiscard]] bool covers(const Pattern& wide, const Pattern& narrow);

}  // namespace ebbgate::policy::detail
