#include "noproxy/detail/text.h"

#include <algorithm>

namespace ebbgate::noproxy::detail {

std::vector<std::string_view> split(std::string_view value, std::string_view separators) {
  std::vector<std::string_view> parts;
  for (;;) {
    const std::size_t end = value.find_first_of(separators);
    parts.push_back(value.substr(0, end));
    if (end == std::string_view::npos) return parts;
    value.remove_prefix(end + 1);
  }
}

std::string_view trimmed(std::string_view text) {
  const std::size_t begin = std::min(text.find_first_not_of(kBlanks), text.size());
  text.remove_prefix(begin);
  return text.substr(0, text.find_last_not_of(kBlanks) + 1);  // npos + 1 is 0
}

std::string lower(std::string_view text) {
  std::string folded(text);
  for (char& c : folded) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return folded;
}

std::string_view without_prefix(std::string_view text, std::string_view prefix) {
  if (text.starts_with(prefix)) text.remove_prefix(prefix.size());
  return text;
}

bool is_below(std::string_view name, std::string_view domain) {
  return name.size() > domain.size() && name.ends_with(domain) &&
         name[name.size() - domain.size() - 1] == '.';
}

bool looks_like_block(std::string_view entry) {
  const std::size_t slash = entry.find('/');
  return slash != std::string_view::npos && slash > 0 &&
         entry.substr(0, slash).find_first_not_of("0123456789abcdefABCDEF.:") ==
             std::string_view::npos;
}

}  // namespace ebbgate::noproxy::detail
