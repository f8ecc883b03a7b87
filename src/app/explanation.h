// The answer of `ebbgate explain` and of the admin API's /explain: from the words of a command line
// or a query to a policy::Inquiry, and from its finding to text or JSON.
#pragma once

#include <array>
#include <string>
#include <string_view>

#include "admin/pages.h"
#include "base/clock.h"
#include "base/result.h"
#include "identity/pod_index.h"
#include "policy/address_guard.h"
#include "policy/inquiry.h"

namespace ebbgate::app {

// As somebody wrote it; what is empty was not said.
struct ExplainWords {
  std::string target;
  std::string from;
  std::string user;
  std::string pod_namespace;
  std::string service_account;
  std::string pod_labels;  // name=value, several with commas between
  std::string method;
  std::string sni;
};

// What a person calls each of them, as a flag or in a query.
struct ExplainField {
  std::string_view name;
  std::string ExplainWords::* word;
};
inline constexpr std::array kExplainFields = {
    ExplainField{"target", &ExplainWords::target},
    ExplainField{"from", &ExplainWords::from},
    ExplainField{"user", &ExplainWords::user},
    ExplainField{"namespace", &ExplainWords::pod_namespace},
    ExplainField{"service-account", &ExplainWords::service_account},
    ExplainField{"pod-labels", &ExplainWords::pod_labels},
    ExplainField{"method", &ExplainWords::method},
    ExplainField{"sni", &ExplainWords::sni},
};

// Errors, as kMalformedRequest: an address, labels or a server name that are none, and what is said
// of a pod without its namespace.
[[nodiscard]] Result<policy::Inquiry> inquiry_of(const ExplainWords& words);

// Asks for the pod that is behind the inquiry's address now, as the workers of a gateway do.
// Nothing where there is no address, or a pod was named.
void identify(policy::Inquiry& inquiry, identity::PodReader& pods, WallTime wall,
              MonotonicTime now);

// What the admin API's query asks. Errors: an unknown field, one given twice, no target.
[[nodiscard]] Result<ExplainWords> explain_words(const admin::Query& query);

// The finding as one JSON object with a line feed after it.
[[nodiscard]] std::string json(const policy::Finding& finding);

}  // namespace ebbgate::app
