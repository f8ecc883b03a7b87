#include "analyse/detail/regex_pattern.h"

#include <array>
#include <string>

namespace ebbgate::analyse::detail {
namespace {

constexpr std::size_t kMaxAlternatives = 64;

// How an expression may begin, and what that says of the name that follows.
struct Beginning {
  std::string_view text;
  std::string_view mark;  // of the pattern
  bool is_less;           // without a boundary of labels
};
constexpr std::array kBeginnings = {
    Beginning{"(^|\\.)", ".", false},   Beginning{"^(.*\\.)?", ".", false},
    Beginning{"^(.+\\.)?", ".", false}, Beginning{"^([^.]+\\.)*", ".", false},
    Beginning{"(^|.*\\.)", ".", false}, Beginning{"(.*\\.|^)", ".", false},
    Beginning{"(\\.|^)", ".", false},   Beginning{"^.*\\.", "*.", false},
    Beginning{"^.+\\.", "*.", false},   Beginning{".*\\.", "*.", false},
    Beginning{".+\\.", "*.", false},    Beginning{"\\.", "*.", false},
    Beginning{"^.*", ".", true},        Beginning{".*", ".", true},
    Beginning{"^", "", false},          Beginning{"", ".", true},
};

bool is_literal(char c) {
  return ('a' <= c && c <= 'z') || ('0' <= c && c <= '9') || c == '-' || c == '_';
}

// The literal names that `text` stands for; false where it is more than letters, escaped dots and
// groups of alternatives.
bool expand(std::string_view text, std::vector<std::string>& names, bool& is_less) {
  names.assign(1, "");
  while (!text.empty()) {
    if (text.front() == '(') {
      const std::size_t end = text.find(')');
      if (end == std::string_view::npos) return false;
      std::string_view group = text.substr(1, end - 1);
      if (group.starts_with("?:")) return false;
      std::vector<std::string> longer;
      while (true) {
        const std::size_t bar = group.find('|');
        std::vector<std::string> one;
        if (group.substr(0, bar).contains('(')) return false;
        if (!expand(group.substr(0, bar), one, is_less) || one.front().empty()) return false;
        for (const std::string& name : names) longer.push_back(name + one.front());
        if (longer.size() > kMaxAlternatives) return false;
        if (bar == std::string_view::npos) break;
        group.remove_prefix(bar + 1);
      }
      names = std::move(longer);
      text.remove_prefix(end + 1);
      continue;
    }
    char c = text.front();
    text.remove_prefix(1);
    if (c == '\\') {
      if (text.empty() || (text.front() != '.' && text.front() != '-')) return false;
      c = text.front();
      text.remove_prefix(1);
    } else if (c == '.') {
      is_less = true;  // any octet
    } else if (!is_literal(c)) {
      return false;
    }
    for (std::string& name : names) name += c;
    // What repeats the last one is no literal.
    if (!text.empty() && (text.front() == '*' || text.front() == '+' || text.front() == '?' ||
                          text.front() == '{')) {
      return false;
    }
  }
  return true;
}

}  // namespace

std::optional<RegexMeaning> patterns_of_regex(std::string_view expression) {
  const bool is_anchored = expression.ends_with('$') && !expression.ends_with("\\$");
  if (is_anchored) expression.remove_suffix(1);
  for (const Beginning& beginning : kBeginnings) {
    if (!expression.starts_with(beginning.text)) continue;
    RegexMeaning meaning{.patterns = {}, .is_less = beginning.is_less || !is_anchored};
    std::vector<std::string> names;
    if (!expand(expression.substr(beginning.text.size()), names, meaning.is_less)) continue;
    for (const std::string& name : names) {
      const auto pattern = policy::Pattern::parse(std::string(beginning.mark) + name);
      if (!pattern) return std::nullopt;
      meaning.patterns.push_back(*pattern);
    }
    return meaning;
  }
  return std::nullopt;
}

}  // namespace ebbgate::analyse::detail
