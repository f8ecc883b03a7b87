// Rendered manifests as the objects that an API is given, in the order in which it takes them, and
// how an object would differ from what is there, field by field. Texts in, values out.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "deploy/kube/manifests.h"

namespace ebbgate::deploy {

struct KubeObject {
  KubePart part = KubePart::kGateway;
  std::string api_version = {};
  std::string kind = {};
  std::string in_namespace = {};  // empty: a kind that has none, or none is said
  std::string name = {};
  std::string json = {};

  [[nodiscard]] std::string str() const;  // "Deployment ebbgate-system/ebbgate"
};

// The objects of the files that are YAML, without kustomize's, in the order in which they are to be
// applied: types first, then namespaces, rights, settings, what runs, and last what closes doors.
// Errors: kInternal, with the file.
[[nodiscard]] Result<std::vector<KubeObject>> objects_of(std::span<const KubeFile> files);

struct FieldChange {
  std::string field = {};   // `.spec.template.spec.containers[name="ebbgate"].image`
  std::string before = {};  // JSON, cut where it is long; empty: it is not there
  std::string after = {};   // empty: it goes
  bool operator==(const FieldChange&) const = default;
};

// In: an object as the API has it, and as it would be; neither has to be readable. Of metadata only
// what people write counts, status does not. What a Secret holds is not shown.
[[nodiscard]] std::vector<FieldChange> changes_between(std::string_view live,
                                                       std::string_view after);

// Whether `manager` is told apart as the owner of the same fields by server-side apply in both.
[[nodiscard]] bool has_same_fields(std::string_view live, std::string_view after,
                                   std::string_view manager);

}  // namespace ebbgate::deploy
