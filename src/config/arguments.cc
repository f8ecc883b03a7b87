#include "config/arguments.h"

#include <algorithm>

#include "base/escape.h"
#include "config/detail/nearest.h"

namespace ebbgate::config {
namespace {

Problem unknown_flag(std::string_view word, std::string_view name,
                     std::span<const FlagSyntax> known) {
  std::vector<std::string_view> names;
  for (const FlagSyntax& flag : known) names.push_back(flag.name);
  const std::string_view near = detail::nearest(name, names);
  return {.file = escaped_prose(word, 64),
          .message = "there is no such flag",
          .fix = near.empty() ? "see --help" : "write --" + std::string(near)};
}

}  // namespace

Arguments split_arguments(std::span<const char* const> words, std::span<const FlagSyntax> known) {
  Arguments out;
  for (std::size_t i = 0; i < words.size(); ++i) {
    const std::string_view word = words[i];
    if (word == "--") {
      out.operands.insert(out.operands.end(), words.begin() + static_cast<std::ptrdiff_t>(i) + 1,
                          words.end());
      break;
    }
    if (word == "--help" || word == "-h") {
      out.help = true;
      continue;
    }
    if (!word.starts_with('-') || word == "-") {
      out.operands.emplace_back(word);
      continue;
    }
    const std::size_t equals = word.find('=');
    const std::string_view flag = word.substr(0, equals);
    const std::string_view name = flag.substr(flag.starts_with("--") ? 2 : 1);
    const auto syntax = std::ranges::find(known, name, &FlagSyntax::name);
    if (syntax == known.end() || !flag.starts_with("--")) {
      out.problems.push_back(unknown_flag(flag, name, known));
    } else if (equals != std::string_view::npos) {
      out.flags.push_back({std::string(name), std::string(word.substr(equals + 1))});
    } else if (syntax->value == FlagValue::kNone) {
      out.flags.push_back({std::string(name), "true"});
    } else if (i + 1 < words.size() && !std::string_view(words[i + 1]).starts_with("--")) {
      out.flags.push_back({std::string(name), words[++i]});
    } else if (syntax->value == FlagValue::kOptional) {
      out.flags.push_back({std::string(name), std::string(syntax->implied)});
    } else {
      out.problems.push_back({.file = std::string(flag),
                              .message = "its value is missing",
                              .fix = "write " + std::string(flag) + " VALUE; see --help"});
    }
  }
  return out;
}

}  // namespace ebbgate::config
