// From the configuration of another proxy to a policy (`ebbgate import`): text in, documents and a
// list of what could not be carried over out. Nothing is guessed: where the two languages differ,
// the document refuses rather than allows, and says so.
#pragma once

#include <expected>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/ip.h"
#include "policy/problem.h"

namespace ebbgate::analyse {

struct Imported {
  std::string text;  // documents as YAML with comments, which `ebbgate check` accepts; may be empty
  // Of severity kError where the policy allows more than the configuration did, or means something
  // else; kWarning where it allows less, or where something is not about policy.
  std::vector<policy::PolicyProblem> notes;
};

struct ImportedFile {
  std::string name;
  std::string text;
};

// The files that a configuration names: one, or several where the path is a pattern (`*.conf`). Or
// why they cannot be read.
using ReadFiles =
    std::function<std::expected<std::vector<ImportedFile>, std::string>(const std::string& path)>;

// Squid 5 to 7: acl src, dst, dstdomain, dstdom_regex (of the forms that are patterns), port,
// method, ssl::server_name; http_access in its order; ssl_bump splice and terminate; include;
// quoted lists.
[[nodiscard]] Imported import_squid(const ImportedFile& conf, const ReadFiles& read);

// A role of Smokescreen, which is a name in a client's certificate, and where its clients are.
struct RoleAddresses {
  std::string role;
  std::vector<Cidr> from;
};

// Smokescreen's ACL (YAML): services with their action, default, the global lists. A service whose
// role has no addresses in `roles` is left out: a document for everyone would let in too many.
[[nodiscard]] Imported import_smokescreen(const ImportedFile& conf,
                                          const std::vector<RoleAddresses>& roles);

// tinyproxy: Allow and Deny, ConnectPort, Filter with FilterType, FilterDefaultDeny and FilterURLs.
[[nodiscard]] Imported import_tinyproxy(const ImportedFile& conf, const ReadFiles& read);

}  // namespace ebbgate::analyse
