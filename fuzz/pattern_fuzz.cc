// fuzz-deps: policy base
// Patterns and plain lists over arbitrary bytes. Properties: a pattern that is accepted is written
// and read again as the same, and is ASCII; one that is refused says why and shows no raw byte; the
// compiled policy of a list decides as its patterns do one by one.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <vector>

#include "policy/decide.h"
#include "policy/list.h"

namespace {

using namespace ebbgate;
using namespace ebbgate::policy;

void require(bool holds) {
  if (!holds) std::abort();
}

bool is_visible(std::string_view text) {
  return std::ranges::all_of(text, [](char c) { return c >= ' ' && c <= '~'; });
}

void check_pattern(std::string_view text) {
  const auto pattern = Pattern::parse(text);
  if (!pattern) {
    require(!pattern.error().message.empty() && is_visible(pattern.error().message) &&
            is_visible(pattern.error().fix));
    return;
  }
  require(is_visible(pattern->str()));
  require(Pattern::parse(pattern->str()) == *pattern);
  if (pattern->kind() != PatternKind::kAddresses) {
    const auto name = Hostname::parse(pattern->name());
    require(name.has_value() && name->str() == pattern->name());
  }
}

// Whether some pattern of the list lets the host pass on that port.
bool allowed_by_scan(const PatternList& patterns, const Host& host, Port port) {
  for (std::size_t i = 0; i < patterns.size(); ++i) {
    const Pattern pattern = patterns[i];
    const bool is_port =
        pattern.ports() ? pattern.ports()->contains(port) : port == kHttpPort || port == kHttpsPort;
    if (is_port && pattern.matches(host)) return true;
  }
  return false;
}

void check_list(std::string_view text) {
  ParsedList list = parse_list(text, "list");
  const PatternList patterns = list.document.allow.at(0).hosts;
  require(has_errors(list.problems) || !patterns.empty());
  for (const PolicyProblem& problem : list.problems) require(is_visible(str(problem)));
  if (patterns.empty() || patterns.size() > 200) return;
  const auto compiled = Policy::compile({std::move(list.document)}, {.hash_seed = text.size()});
  require(compiled.policy != nullptr);
  for (std::size_t i = 0; i < patterns.size(); ++i) {
    const Pattern pattern = patterns[i];
    const std::vector<std::string> names = {pattern.name(), "x." + pattern.name(),
                                            "x" + pattern.name(),
                                            pattern.addresses().network().str(), pattern.str()};
    for (const std::string& name : names) {
      const auto host = Host::parse(name);
      if (!host) continue;
      for (const Port port : {kHttpsPort, *Port::of(8000)}) {
        const Decision decision =
            decide(*compiled.policy, Subject{}, {.host = *host, .port = port}, WallTime());
        require((decision.verdict == Verdict::kAllow) == allowed_by_scan(patterns, *host, port));
      }
    }
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  check_pattern(text);
  check_list(text);
  return 0;
}
