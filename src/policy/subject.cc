#include "policy/subject.h"

#include <algorithm>

namespace ebbgate::policy {
namespace {

bool has_labels(const Pod& pod, const SubjectRule& rule) {
  if (rule.pod_labels.empty()) return true;
  if (pod.labels == nullptr) return false;
  return std::ranges::all_of(rule.pod_labels, [&](const auto& wanted) {
    const auto label = pod.labels->find(wanted.first);
    return label != pod.labels->end() && label->second == wanted.second;
  });
}

bool is_pod(const SubjectRule& rule, const Pod& pod) {
  return pod.pod_namespace == *rule.pod_namespace &&
         (!rule.service_account || pod.service_account == *rule.service_account) &&
         has_labels(pod, rule);
}

}  // namespace

bool matches(const SubjectRule& rule, const Subject& subject) {
  if (rule.cidr && !(subject.address && rule.cidr->contains(subject.address->unmapped()))) {
    return false;
  }
  if (rule.user && subject.user != rule.user) return false;
  if (rule.certificate && subject.certificate != rule.certificate) return false;
  return !rule.pod_namespace || (subject.pod && is_pod(rule, *subject.pod));
}

bool concerns(const Document& document, const Subject& subject) {
  return document.subjects.empty() ||
         std::ranges::any_of(document.subjects,
                             [&](const SubjectRule& rule) { return matches(rule, subject); });
}

}  // namespace ebbgate::policy
