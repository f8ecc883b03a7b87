// YAML that is not a policy (manifests of our own, what kubeadm keeps in a ConfigMap) as JSON: text
// in, a JSON text for each document out. Aliases are written out, as Kubernetes' own tools do.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace ebbgate::config {

// Documents that hold nothing are left out. Scalars are what the core schema of YAML 1.2 (10.3.2)
// says, keys are texts. Errors: kMalformedRequest with the line, for what is no YAML, for tags and
// merge keys, and for more than 100,000 nodes with all aliases written out, or 64 levels of them.
[[nodiscard]] Result<std::vector<std::string>> yaml_as_json(std::string_view text);

}  // namespace ebbgate::config
