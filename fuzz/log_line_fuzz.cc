// fuzz-deps: analyse policy config base
// Logs: whatever the octets are, every line is counted as one thing; what a policy would say of
// each event can be asked; and a document that is learned from them parses and allows them.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "analyse/learn.h"
#include "analyse/log_reader.h"
#include "config/document_yaml.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace ebbgate;
  std::string_view text(reinterpret_cast<const char*>(data), size);
  analyse::Learner learner({.include_denied = true});
  analyse::LogReader reader([&](const analyse::LogEvent& event) { learner.add(event); });
  reader.read("log", [&](std::span<char> space) -> std::expected<std::size_t, std::string> {
    const std::size_t count = std::min<std::size_t>({text.size(), space.size(), 7});
    text.substr(0, count).copy(space.data(), count);
    text.remove_prefix(count);
    return count;
  });
  const analyse::LogCounts& counts = reader.counts();
  if (counts.lines != counts.events + counts.without_target + counts.unreadable + counts.too_long) {
    std::abort();
  }
  const analyse::Learned learned = learner.learn();
  if (learned.entries.empty()) return 0;
  const auto parsed =
      config::parse_documents(analyse::to_yaml(learned, learner.options()), "learned");
  if (policy::has_errors(parsed.problems)) std::abort();
  return 0;
}
