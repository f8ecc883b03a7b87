#include "policy/detail/path.h"

#include <optional>

namespace ebbgate::policy::detail {
namespace {

std::string_view without_query(std::string_view path) {
  path = path.substr(0, path.find_first_of("?#"));
  return path.empty() ? "/" : path;
}

std::optional<unsigned> hex(char c) {
  if (c >= '0' && c <= '9') return static_cast<unsigned>(c - '0');
  if (c >= 'a' && c <= 'f') return static_cast<unsigned>(c - 'a' + 10);
  if (c >= 'A' && c <= 'F') return static_cast<unsigned>(c - 'A' + 10);
  return std::nullopt;
}

// Takes the next character, decoded as often as it is encoded (`%252e` is a dot to an origin that
// decodes twice); a backslash counts as a slash. `path` must not be empty.
char take_decoded(std::string_view& path) {
  char c = path.front();
  path.remove_prefix(1);
  while (c == '%' && path.size() >= 2 && hex(path[0]) && hex(path[1])) {
    c = static_cast<char>(*hex(path[0]) << 4 | *hex(path[1]));
    path.remove_prefix(2);
  }
  return c == '\\' ? '/' : c;
}

// Some servers take `..;x` for `..` (path parameters, RFC 3986 3.3).
bool has_dot_segment(std::string_view path) {
  std::size_t dots = 0;
  bool only_dots = true;
  bool in_parameters = false;
  const auto is_dots = [&] { return only_dots && (dots == 1 || dots == 2); };
  while (!path.empty()) {
    const char c = take_decoded(path);
    if (c == '/') {
      if (is_dots()) return true;
      dots = 0;
      only_dots = true;
      in_parameters = false;
    } else if (c == ';') {
      in_parameters = true;
    } else if (!in_parameters) {
      if (c == '.') {
        ++dots;
      } else {
        only_dots = false;
      }
    }
  }
  return is_dots();
}

// Whether one reading of the path lies under the prefix: with its path parameters or without them,
// as some servers (Tomcat among them) map a path to what they serve.
enum class Parameters : bool { kKept, kStripped };
bool is_under(std::string_view path, std::string_view prefix, Parameters parameters) {
  std::string_view wanted = prefix;
  char last = '\0';
  bool is_parameter = false;
  while (!path.empty()) {
    const char c = take_decoded(path);
    if (c == '/') is_parameter = false;
    if (c == ';' && parameters == Parameters::kStripped) is_parameter = true;
    if (is_parameter || (c == '/' && last == '/')) continue;
    last = c;
    if (wanted.empty()) return prefix.ends_with('/') || c == '/';
    if (c != wanted.front()) return false;
    wanted.remove_prefix(1);
  }
  return wanted.empty() || wanted == "/";
}

}  // namespace

bool is_surely_under(std::string_view path, std::string_view prefix) {
  path = without_query(path);
  if (!path.starts_with(prefix) || has_dot_segment(path)) return false;
  return prefix.ends_with('/') || path.size() == prefix.size() || path[prefix.size()] == '/';
}

bool may_be_under(std::string_view path, std::string_view prefix) {
  path = without_query(path);
  return has_dot_segment(path) || is_under(path, prefix, Parameters::kKept) ||
         is_under(path, prefix, Parameters::kStripped);
}

}  // namespace ebbgate::policy::detail
