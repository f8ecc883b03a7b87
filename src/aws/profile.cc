#include "aws/profile.h"

#include <utility>

namespace ebbgate::aws {
namespace {

constexpr std::size_t kMaxText = std::size_t{1} << 20;
constexpr std::string_view kSpace = " \t\r";

[[nodiscard]] std::string_view trimmed(std::string_view text) {
  const std::size_t first = text.find_first_not_of(kSpace);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kSpace) - first + 1);
}

[[nodiscard]] std::unexpected<Failure> fault(std::size_t line, std::string_view what) {
  return failed(Failure::Kind::kInvalid, "line " + std::to_string(line) + ": " + std::string(what));
}

// The profile that a section is for; nothing for a section of another kind (`sso-session`).
[[nodiscard]] std::optional<std::string_view> profile_of(std::string_view section,
                                                         ProfileFile file) {
  if (file == ProfileFile::kCredentials || section == "default") return section;
  if (!section.starts_with("profile") || section.size() < 8) return std::nullopt;
  if (!kSpace.contains(section[7])) return std::nullopt;
  return trimmed(section.substr(7));
}

[[nodiscard]] std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
  return out;
}

// A comment begins at `#` or `;` after white space; a secret key may hold neither.
[[nodiscard]] std::string_view without_comment(std::string_view value) {
  for (std::size_t i = 1; i < value.size(); ++i) {
    if ((value[i] == '#' || value[i] == ';') && kSpace.contains(value[i - 1])) {
      return trimmed(value.substr(0, i));
    }
  }
  return value;
}

}  // namespace

Outcome<Profile> parse_profile(std::string_view text, ProfileFile file, std::string_view name) {
  if (text.size() > kMaxText) return failed(Failure::Kind::kInvalid, "longer than 1 MiB");
  Profile profile;
  bool is_ours = false;
  bool may_continue = false;  // an indented line belongs to the setting before it
  bool has_section = false;
  for (std::size_t number = 1; !text.empty(); ++number) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    const std::string_view raw = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    const std::string_view line = trimmed(raw);
    if (line.empty() || line[0] == '#' || line[0] == ';') continue;
    if (raw[0] == ' ' || raw[0] == '\t') {
      if (!may_continue) return fault(number, "an indented line that continues nothing");
      continue;  // nested settings (`s3 =`) are of no use here
    }
    if (line[0] == '[') {
      const std::size_t close = line.find(']');
      if (close == std::string_view::npos) return fault(number, "a section without ]");
      const std::optional<std::string_view> section =
          profile_of(trimmed(line.substr(1, close - 1)), file);
      is_ours = section && *section == name;
      has_section = true;
      may_continue = false;
      continue;
    }
    const std::size_t equals = line.find('=');
    if (equals == std::string_view::npos || trimmed(line.substr(0, equals)).empty()) {
      return fault(number, "neither a section nor `key = value`");
    }
    if (!has_section) return fault(number, "a setting before the first section");
    may_continue = true;
    if (!is_ours) continue;
    profile.insert_or_assign(lower(trimmed(line.substr(0, equals))),
                             std::string(without_comment(trimmed(line.substr(equals + 1)))));
  }
  return profile;
}

std::string profile_name(const Context& context, std::string_view name) {
  if (!name.empty()) return std::string(name);
  std::optional<std::string> variable = context.environment("AWS_PROFILE");
  return variable && !variable->empty() ? *std::move(variable) : "default";
}

Outcome<Profile> read_profile(const Context& context, std::string_view name) {
  const std::string profile = profile_name(context, name);
  Profile settings;
  struct Place {
    const char* variable;
    const char* under_home;
    ProfileFile file;
  };
  for (const Place& place :
       {Place{"AWS_CONFIG_FILE", "/.aws/config", ProfileFile::kConfig},
        Place{"AWS_SHARED_CREDENTIALS_FILE", "/.aws/credentials", ProfileFile::kCredentials}}) {
    std::optional<std::string> path = context.environment(place.variable);
    if (!path || path->empty()) {
      const std::optional<std::string> home = context.environment("HOME");
      if (!home || home->empty()) continue;
      path = *home + place.under_home;
    }
    const Result<std::string> text = context.read_file(*path);
    if (!text) continue;  // it does not exist, as far as we can see
    const Outcome<Profile> parsed = parse_profile(*text, place.file, profile);
    if (!parsed) return failed(Failure::Kind::kInvalid, *path + ": " + parsed.error().message);
    for (const auto& [key, value] : *parsed) settings.insert_or_assign(key, value);
  }
  return settings;
}

Outcome<std::string> region_for_command(const Context& context, std::string_view flag,
                                        std::string_view profile) {
  if (!flag.empty()) return std::string(flag);
  for (const char* variable : {"AWS_REGION", "AWS_DEFAULT_REGION"}) {
    std::optional<std::string> value = context.environment(variable);
    if (value && !value->empty()) return *std::move(value);
  }
  Outcome<Profile> settings = read_profile(context, profile);
  if (!settings) return std::unexpected(std::move(settings.error()));
  const auto region = settings->find("region");
  return region == settings->end() ? std::string() : region->second;
}

}  // namespace ebbgate::aws
