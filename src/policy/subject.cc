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

// Whether the subject has what the rule asks for besides a pod.
bool matches_but_for_pod(const SubjectRule& rule, const Subject& subject) {
  if (rule.cidr && !(subject.address && rule.cidr->contains(subject.address->unmapped()))) {
    return false;
  }
  if (rule.user && subject.user != rule.user) return false;
  return !rule.certificate || subject.certificate == rule.certificate;
}

bool may_match(const SubjectRule& rule, const Subject& subject, bool is_of_cluster) {
  if (subject.pod || !subject.may_be_pod) return matches(rule, subject);
  if (!matches_but_for_pod(rule, subject)) return false;
  return !rule.pod_namespace || is_of_cluster ||
         (subject.suspected && is_pod(rule, *subject.suspected));
}

}  // namespace

bool matches(const SubjectRule& rule, const Subject& subject) {
  return matches_but_for_pod(rule, subject) &&
         (!rule.pod_namespace || (subject.pod && is_pod(rule, *subject.pod)));
}

bool concerns(const Document& document, const Subject& subject) {
  return document.subjects.empty() ||
         std::ranges::any_of(document.subjects,
                             [&](const SubjectRule& rule) { return matches(rule, subject); });
}

bool may_concern(const Document& document, const Subject& subject) {
  const bool is_of_cluster = document.resource_namespace.empty();
  return document.subjects.empty() ||
         std::ranges::any_of(document.subjects, [&](const SubjectRule& rule) {
           return may_match(rule, subject, is_of_cluster);
         });
}

}  // namespace ebbgate::policy
