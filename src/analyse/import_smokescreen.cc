// Smokescreen's decision (acl/v1/acl.go): a domain of the role passes; else what the global deny
// list has is refused; else what the global allow list has passes; else the role's action counts.
#include <algorithm>
#include <utility>

#include "analyse/detail/access_policy.h"
#include "analyse/import.h"
#include "config/smokescreen.h"

namespace ebbgate::analyse {
namespace {

using config::SmokescreenAction;
using config::SmokescreenDomain;
using config::SmokescreenService;
using detail::AccessRule;
using detail::AddressSet;
using detail::Box;
using policy::PolicyProblem;
using policy::Severity;

class SmokescreenImporter {
 public:
  SmokescreenImporter(const ImportedFile& conf, const std::vector<RoleAddresses>& roles)
      : file_(conf.name), acl_(config::parse_smokescreen(conf.text, conf.name)), roles_(roles) {}

  Imported run() {
    if (!acl_.problems.empty()) {
      out_.notes = std::move(acl_.problems);
      return std::move(out_);
    }
    AddressSet others = AddressSet::everyone();
    for (const SmokescreenService& service : acl_.services) {
      const auto role = std::ranges::find(roles_, service.name, &RoleAddresses::role);
      if (role == roles_.end()) {
        note(service.position, Severity::kWarning,
             "the role " + service.name + " is left out: it is a name in certificates",
             "say where its clients are: --role " + service.name + "=CIDR");
        continue;
      }
      AddressSet from;
      for (const Cidr& block : role->from) from.add(block);
      others = others.without(from);
      add_service(service, from, "service " + service.name);
    }
    if (acl_.fallback) add_service(*acl_.fallback, others, "default");
    if (boxes_.empty()) {
      note({}, Severity::kWarning, "nothing is let pass");
    } else {
      out_.text = detail::documents_of(
          boxes_, {.file = file_, .name = "smokescreen", .methods = {"CONNECT"}}, out_.notes);
      note({}, Severity::kWarning, "Smokescreen does not limit ports, and neither do the entries",
           "write `ports: [443]` where that is all that is needed");
    }
    return std::move(out_);
  }

 private:
  void note(policy::Position position, Severity severity, std::string message,
            std::string fix = {}) {
    PolicyProblem made{.severity = severity,
                       .file = file_,
                       .position = position,
                       .message = std::move(message),
                       .fix = std::move(fix)};
    // The global lists are looked at for every role, and are wrong once.
    if (std::ranges::find(out_.notes, made) == out_.notes.end()) {
      out_.notes.push_back(std::move(made));
    }
  }

  AccessRule rule(bool allows, const Box& like, const std::vector<SmokescreenDomain>& domains,
                  const std::string& origin) {
    AccessRule made{.allows = allows, .box = like};
    made.box.hosts = {};
    made.box.origin = origin;
    for (const SmokescreenDomain& domain : domains) {
      const auto pattern = policy::Pattern::parse(domain.glob);
      if (pattern && !domain.glob.starts_with('.') && !pattern->ports()) {
        made.box.hosts.in.add(*pattern);
      } else {
        note(domain.position, allows ? Severity::kWarning : Severity::kError,
             "\"" + domain.glob + "\" is neither a name nor `*.` before one",
             allows ? "list the names that are needed" : "add deny entries for what it refused");
      }
    }
    return made;
  }

  void add_service(const SmokescreenService& service, const AddressSet& from,
                   const std::string& origin) {
    for (const std::string& key : service.other_keys) {
      note(service.position, Severity::kWarning,
           "`" + key + "` of " + origin + " is not carried over");
    }
    const Box like{.from = from,
                   .hosts = {},
                   .is_reported = service.action == SmokescreenAction::kReport,
                   .origin = {}};
    const std::string here = file_ + ": " + origin;
    std::vector<AccessRule> rules = {
        rule(true, like, service.allowed, here),
        rule(false, like, acl_.global_deny, file_ + ": global_deny_list"),
        rule(true, like, acl_.global_allow, file_ + ": global_allow_list, for " + origin)};
    if (service.action == SmokescreenAction::kOpen) {
      rules.push_back({.allows = true, .box = like});
      rules.back().box.hosts = detail::HostSet::everything();
      rules.back().box.origin = here + ", which is open";
    }
    auto boxes = detail::allowed_boxes(rules);
    if (!boxes) {
      return note(service.position, Severity::kError, origin + " has too many exceptions");
    }
    if (boxes->empty() && like.is_reported) {
      note(service.position, Severity::kWarning,
           origin + " only reports, and lists nothing: it is left out",
           "run the gateway with --report-only to see what it needs");
    }
    std::ranges::move(*boxes, std::back_inserter(boxes_));
  }

  const std::string& file_;
  config::SmokescreenAcl acl_;
  const std::vector<RoleAddresses>& roles_;
  std::vector<Box> boxes_;
  Imported out_;
};

}  // namespace

Imported import_smokescreen(const ImportedFile& conf, const std::vector<RoleAddresses>& roles) {
  return SmokescreenImporter(conf, roles).run();
}

}  // namespace ebbgate::analyse
