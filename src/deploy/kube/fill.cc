#include <cassert>

#include "deploy/kube/detail/fill.h"

namespace ebbgate::deploy::detail {

std::string replaced(std::string_view text, std::string_view from, std::string_view to) {
  std::string out;
  for (std::size_t at = text.find(from); at != std::string_view::npos; at = text.find(from)) {
    out += text.substr(0, at);
    out += to;
    text.remove_prefix(at + from.size());
  }
  return out += text;
}

std::string filled(std::string_view text, const Marks& marks) {
  std::string out;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size() - 1) + 1;
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(end);
    std::size_t mark = line.find(" # answer: ");
    if (mark == std::string_view::npos) mark = line.find(" # each: ");
    if (mark == std::string_view::npos) {
      out += line;
      continue;
    }
    const std::size_t name = line.find(": ", mark) + 2;
    const auto found = marks.find(line.substr(name, line.find('\n', name) - name));
    assert(found != marks.end());
    for (const std::string& answer : found->second.answers) {
      out += replaced(line.substr(0, mark), found->second.fallback, answer) + '\n';
    }
  }
  return out;
}

}  // namespace ebbgate::deploy::detail
