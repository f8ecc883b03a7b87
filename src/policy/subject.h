// Who asks: what is known of a client by the time its request is judged.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>

#include "base/ip.h"
#include "policy/document.h"

namespace ebbgate::policy {

using PodLabels = std::map<std::string, std::string, std::less<>>;

// The pod behind an address, as the Kubernetes API tells it.
struct Pod {
  std::string name = {};
  std::string pod_namespace = {};
  std::string uid = {};  // another pod of that name has another one; no rule asks for it
  std::string service_account = {};
  std::shared_ptr<const PodLabels> labels = {};  // pods of one template share them; null: none
};

// A field that is absent is not known, or its source of identity is off: a rule that asks for it
// does not match.
struct Subject {
  std::optional<IpAddress> address = {};  // absent for PROXY LOCAL and UNSPEC
  std::optional<std::string> user = {};
  std::optional<std::string> certificate = {};
  std::shared_ptr<const Pod> pod = {};
  // Without a pod: that the address is one that pods may have, and nobody knows (any more) whose it
  // is. What the cluster denies to some pod is then denied to it, and it has nothing of what pods
  // may.
  bool may_be_pod = false;
  // Who may be a pod: the one that had the address when it was last known. What that pod's
  // namespace takes from it is then taken from the subject; other namespaces have no say.
  std::shared_ptr<const Pod> suspected = {};
};

// Whether the subject has all that the rule asks for. An IPv4-mapped address counts as IPv4.
[[nodiscard]] bool matches(const SubjectRule& rule, const Subject& subject);

// Whether the document is about the subject: one of its subjects matches, or it names none.
[[nodiscard]] bool concerns(const Document& document, const Subject& subject);

// The pod that the subject is, or that it may be: what documents of that pod's namespace take away
// is then taken from it. Null: none is known.
[[nodiscard]] inline const Pod* supposed_pod(const Subject& subject) {
  if (subject.pod != nullptr) return subject.pod.get();
  return subject.may_be_pod ? subject.suspected.get() : nullptr;
}

// The same as concerns() for what a document takes away. By the cluster's word, who may be a pod
// may be any pod; by that of a namespace, only the one that had the address last.
[[nodiscard]] bool may_concern(const Document& document, const Subject& subject);

}  // namespace ebbgate::policy
