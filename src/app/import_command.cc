#include "app/import_command.h"

#include <glob.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "analyse/import.h"
#include "app/exit_code.h"
#include "base/escape.h"
#include "config/arguments.h"
#include "config/settings.h"

namespace ebbgate::app {
namespace {

namespace fs = std::filesystem;

constexpr const char* kHelp = R"(usage: ebbgate import squid CONF
       ebbgate import smokescreen ACL [--role ROLE=CIDR]...
       ebbgate import tinyproxy CONF

Writes the policy that another proxy's configuration amounts to, and, on standard error, everything
that could not be carried over and why: `error` where the policy allows more than the configuration
did, `warning` where it allows less or where something is not about policy. Included files and lists
are read where the configuration names them, relative ones beside it.

Examples:
  ebbgate import squid /etc/squid/squid.conf > policy.yaml && ebbgate check policy.yaml
  ebbgate import smokescreen acl.yaml --role builder=10.64.8.0/22

Flags:
  --role ROLE=CIDR     smokescreen: where the clients of a role are; may be repeated.
  --format text|json   json: the policy and the list, as one object; default: text.
  --help               This text.

Exit codes: 0 fine, 1 the policy allows more than the configuration did, 2 usage.
)";

int refuse(const std::string& message) {
  std::fprintf(stderr, "ebbgate import: %s; see `ebbgate import --help`\n",
               escaped_prose(message).c_str());
  return kUsage;
}

// The files that `path` stands for, by the rules of glob(3), in the order of their names.
std::expected<std::vector<analyse::ImportedFile>, std::string> read_files(const fs::path& folder,
                                                                          const std::string& path) {
  const std::string pattern = (folder / path).string();
  const bool is_pattern = pattern.find_first_of("*?[") != std::string::npos;
  std::vector<std::string> names;
  if (is_pattern) {
    glob_t found{};
    if (::glob(pattern.c_str(), 0, nullptr, &found) == 0) {
      names.assign(found.gl_pathv, found.gl_pathv + found.gl_pathc);
    }
    ::globfree(&found);
  } else {
    names.push_back(pattern);
  }
  std::vector<analyse::ImportedFile> files;
  for (const std::string& name : names) {
    auto text = config::read_file(name);
    if (!text) return std::unexpected(std::move(text.error()));
    files.push_back({name, *std::move(text)});
  }
  return files;
}

std::string json_of(const analyse::Imported& imported) {
  using Json = nlohmann::ordered_json;
  Json notes = Json::array();
  for (const policy::PolicyProblem& note : imported.notes) {
    Json row{{"effect", note.severity == policy::Severity::kError ? "allows-more" : "allows-less"},
             {"file", note.file}};
    if (note.position.line > 0) row["line"] = note.position.line;
    row["message"] = note.message;
    if (!note.fix.empty()) row["fix"] = note.fix;
    notes.push_back(std::move(row));
  }
  const Json out{{"policy", imported.text}, {"notes", std::move(notes)}};
  return out.dump(2, ' ', false, Json::error_handler_t::replace) + '\n';
}

}  // namespace

int run_import(std::span<const char* const> words) {
  const std::vector<config::FlagSyntax> flags = {{"role"}, {"format"}};
  const config::Arguments arguments = config::split_arguments(words, flags);
  if (arguments.help) {
    std::fputs(kHelp, stdout);
    return kFine;
  }
  if (!arguments.problems.empty()) {
    std::fputs(config::str(arguments.problems).c_str(), stderr);
    return kUsage;
  }
  bool as_json = false;
  std::vector<analyse::RoleAddresses> roles;
  for (const config::Flag& flag : arguments.flags) {
    if (flag.name == "format") {
      if (flag.value != "json" && flag.value != "text") return refuse("--format is text or json");
      as_json = flag.value == "json";
      continue;
    }
    const std::size_t equals = std::min(flag.value.find('='), flag.value.size());
    const auto block = Cidr::parse(flag.value.substr(std::min(equals + 1, flag.value.size())));
    const std::string role = flag.value.substr(0, equals);
    if (!block || role.empty()) return refuse("--role is ROLE=CIDR");
    auto known = std::ranges::find(roles, role, &analyse::RoleAddresses::role);
    if (known == roles.end()) known = roles.insert(known, {role, {}});
    known->from.push_back(*block);
  }
  if (arguments.operands.size() != 2) return refuse("name a format and one file");
  const std::string& format = arguments.operands[0];
  const std::string& path = arguments.operands[1];
  if (!roles.empty() && format != "smokescreen") return refuse("--role is for smokescreen");
  auto text = config::read_file(path);
  if (!text) return refuse(path + ": " + text.error());
  const analyse::ImportedFile conf{path, *std::move(text)};
  const fs::path folder = fs::path(path).parent_path();
  const analyse::ReadFiles read = [&](const std::string& name) { return read_files(folder, name); };

  analyse::Imported imported;
  if (format == "squid") {
    imported = analyse::import_squid(conf, read);
  } else if (format == "smokescreen") {
    imported = analyse::import_smokescreen(conf, roles);
  } else if (format == "tinyproxy") {
    imported = analyse::import_tinyproxy(conf, read);
  } else {
    return refuse("the formats are squid, smokescreen and tinyproxy");
  }
  if (as_json) {
    std::fputs(json_of(imported).c_str(), stdout);
  } else {
    std::fputs(imported.text.c_str(), stdout);
    std::fputs(config::str(imported.notes).c_str(), stderr);
  }
  return imported.text.empty() || policy::has_errors(imported.notes) ? kFailed : kFine;
}

}  // namespace ebbgate::app
