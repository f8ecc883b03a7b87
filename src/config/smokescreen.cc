// The keys, read by hand: another program's file may have more of them, which are no errors.
#include "config/smokescreen.h"

#include "config/detail/values.h"
#include "config/detail/yaml.h"

namespace ebbgate::config {
namespace {

using detail::NodeKind;
using detail::Value;

class SmokescreenReader {
 public:
  explicit SmokescreenReader(const std::string& file) : file_(file) {}

  SmokescreenAcl read(std::string_view text) {
    const auto yaml = detail::Yaml::parse(text, file_);
    if (!yaml) {
      acl_.problems = yaml.error();
      return std::move(acl_);
    }
    for (const Value& root : yaml->documents()) {
      for (const auto& [key, value] : root.members()) read_top(key, value);
    }
    if (acl_.services.empty() && !acl_.fallback && acl_.problems.empty()) {
      error({}, "the file has neither `services` nor `default`");
    }
    return std::move(acl_);
  }

 private:
  void error(policy::Position position, std::string message) {
    acl_.problems.push_back({.file = file_,
                             .position = position,
                             .message = std::move(message),
                             .fix = "name an ACL file of Smokescreen"});
  }

  void read_top(const Value& key, const Value& value) {
    if (key.text() == "services") {
      for (const Value& item : value.children()) acl_.services.push_back(service(item));
    } else if (key.text() == "default") {
      acl_.fallback = service(value);
    } else if (key.text() == "global_allow_list") {
      acl_.global_allow = domains(value);
    } else if (key.text() == "global_deny_list") {
      acl_.global_deny = domains(value);
    } else if (key.text() == "version" && value.text() != "v1") {
      error(value.position(), "the version " + detail::quoted(value.text()) + " is not known");
    }
  }

  SmokescreenService service(const Value& value) {
    SmokescreenService made;
    made.position = value.position();
    if (value.kind() != NodeKind::kMap) error(value.position(), "this is no service");
    for (const auto& [key, member] : value.members()) {
      const std::string_view name = key.text();
      if (name == "name") {
        made.name = member.text();
      } else if (name == "action") {
        made.action = action(member);
      } else if (name == "allowed_domains") {
        made.allowed = domains(member);
      } else if (name != "project" && member.kind() != NodeKind::kNull) {
        made.other_keys.emplace_back(name);
      }
    }
    return made;
  }

  SmokescreenAction action(const Value& value) {
    if (value.text() == "open") return SmokescreenAction::kOpen;
    if (value.text() == "report") return SmokescreenAction::kReport;
    if (value.text() != "enforce") {
      error(value.position(), detail::quoted(value.text()) + " is no action");
    }
    return SmokescreenAction::kEnforce;
  }

  static std::vector<SmokescreenDomain> domains(const Value& value) {
    std::vector<SmokescreenDomain> out;
    for (const Value& item : value.children()) {
      out.push_back({std::string(item.text()), item.position()});
    }
    return out;
  }

  const std::string& file_;
  SmokescreenAcl acl_;
};

}  // namespace

SmokescreenAcl parse_smokescreen(std::string_view text, const std::string& file) {
  return SmokescreenReader(file).read(text);
}

}  // namespace ebbgate::config
