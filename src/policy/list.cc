#include "policy/list.h"

#include <algorithm>

#include "policy/pattern.h"

namespace ebbgate::policy {
namespace {

// After so many problems the file is no list, and the rest of them would only bury the first.
constexpr std::size_t kMaxProblems = 100;
constexpr std::string_view kByteOrderMark = "\xef\xbb\xbf";
constexpr std::string_view kBlanks = " \t\r\f\v";

std::string_view trimmed(std::string_view text) {
  const std::size_t first = text.find_first_not_of(kBlanks);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kBlanks) - first + 1);
}

class ListReader {
 public:
  ListReader(std::string_view text, std::string file) {
    // An entry a line is the rule; what commas and comments make of it is a detail.
    entry_.hosts.reserve(static_cast<std::size_t>(std::ranges::count(text, '\n')) + 1, text.size());
    out_.document.name = file;
    out_.document.file = std::move(file);
  }

  void read_line(std::string_view line) {
    ++line_;
    const char* const start = line.data();
    line = line.substr(0, line.find('#'));
    while (!line.empty()) {
      const std::size_t comma = line.find(',');
      const std::string_view entry = trimmed(line.substr(0, comma));
      if (!entry.empty()) {
        read_entry(entry, {line_, static_cast<std::uint32_t>(entry.data() - start) + 1});
      }
      line = comma == std::string_view::npos ? std::string_view() : line.substr(comma + 1);
    }
  }

  ParsedList finish() {
    if (entry_.hosts.empty() && out_.problems.empty()) {
      out_.problems.push_back({.file = out_.document.file,
                               .message = "the list has no entry",
                               .fix = "list at least one name, or leave the file out"});
    }
    if (left_out_ > 0) {
      out_.problems.push_back({.file = out_.document.file,
                               .message = std::to_string(left_out_) + " more entries are wrong",
                               .fix = {}});
    }
    entry_.hosts.shrink_to_fit();
    if (!entry_.hosts.empty()) entry_.position = entry_.hosts.position(0);
    out_.document.allow.push_back(std::move(entry_));
    return std::move(out_);
  }

 private:
  void read_entry(std::string_view entry, Position position) {
    auto pattern = Pattern::parse(entry);
    if (pattern) {
      entry_.hosts.add(*pattern, position);
    } else if (out_.problems.size() < kMaxProblems) {
      out_.problems.push_back({.file = out_.document.file,
                               .position = position,
                               .message = std::move(pattern.error().message),
                               .fix = std::move(pattern.error().fix)});
    } else {
      ++left_out_;
    }
  }

  ParsedList out_;
  Entry entry_;
  std::uint32_t line_ = 0;
  std::size_t left_out_ = 0;
};

}  // namespace

ParsedList parse_list(std::string_view text, std::string file) {
  if (text.starts_with(kByteOrderMark)) text.remove_prefix(kByteOrderMark.size());
  ListReader reader(text, std::move(file));
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    reader.read_line(text.substr(0, end));
    text = end == std::string_view::npos ? std::string_view() : text.substr(end + 1);
  }
  return reader.finish();
}

}  // namespace ebbgate::policy
