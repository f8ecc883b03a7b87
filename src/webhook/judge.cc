#include "webhook/judge.h"

#include <algorithm>
#include <iterator>
#include <string>
#include <utility>
#include <vector>

#include "base/escape.h"
#include "config/document_yaml.h"
#include "config/load_policy.h"
#include "config/resource.h"
#include "policy/policy.h"
#include "webhook/detail/review_json.h"

namespace ebbgate::webhook {
namespace {

using detail::Json;
using policy::PolicyProblem;

constexpr std::size_t kMostProblems = 20;
constexpr std::size_t kMostWarnings = 10;

// The first of those that have this severity, for people.
std::vector<std::string> texts(const std::vector<config::ResourceProblem>& problems,
                               policy::Severity severity, std::size_t most) {
  std::vector<std::string> out;
  std::size_t count = 0;
  for (const config::ResourceProblem& problem : problems) {
    if (problem.severity != severity) continue;
    if (++count <= most) out.push_back(problem.str());
  }
  if (count > most) out.push_back("and " + std::to_string(count - most) + " more");
  return out;
}

std::vector<PolicyProblem> problems_of(const config::ResourceText& resource, WallTime now) {
  auto parsed = config::parse_documents(resource.text(), "", {.are_resources = true});
  std::vector<PolicyProblem> out = std::move(parsed.problems);
  if (policy::has_errors(out)) return out;
  // Its own words are judged here, whatever is delegated to its namespace: that may change.
  for (policy::Document& document : parsed.documents) document.resource_namespace.clear();
  auto compiled = policy::Policy::compile(std::move(parsed.documents));
  std::ranges::move(compiled.problems, std::back_inserter(out));
  if (compiled.policy != nullptr) {
    std::ranges::move(config::expiry_warnings(*compiled.policy, now), std::back_inserter(out));
  }
  return out;
}

}  // namespace

Reply judge(std::string_view body, WallTime now) {
  const auto review = detail::parse_review(body);
  if (!review) return detail::malformed(review.error());
  if (review->operation == "DELETE") return detail::allowed(*review, Outcome::kAccepted);
  const bool is_known = review->version == "v1alpha1" &&
                        (review->kind == "EgressPolicy" || review->kind == "ClusterEgressPolicy");
  const std::string what =
      escaped(review->kind, 64) + " of " + escaped(review->group + "/" + review->version, 128);
  if (review->group != "ebbgate.dev") {
    // A configuration that sends others here is not to stop the cluster.
    return detail::allowed(*review, Outcome::kPassed,
                           {"ebbgate judges its own policies, and not " + what});
  }
  if (!is_known) {
    return detail::refused(*review, 422, "Invalid",
                           "this ebbgate knows EgressPolicy and ClusterEgressPolicy of "
                           "ebbgate.dev/v1alpha1, and not " +
                               what + ": upgrade it, or write the version that it knows");
  }
  if (!review->object().is_object()) {
    return detail::malformed(
        {Reason::kMalformedRequest, Side::kClient, "the review's request has no `object`"});
  }
  // What is made with generateName has no name yet.
  const bool is_namespaced = review->kind == "EgressPolicy";
  const auto resource = config::ResourceText::read(
      review->object().dump(-1, ' ', false, Json::error_handler_t::replace),
      {.kind = review->kind,
       .in_namespace = is_namespaced ? review->in_namespace : "",
       .name = "unnamed"});
  if (!resource)
    return detail::malformed({Reason::kMalformedRequest, Side::kClient, resource.error()});
  const auto problems = resource->located(problems_of(*resource, now));
  const auto errors = texts(problems, policy::Severity::kError, kMostProblems);
  if (!errors.empty()) {
    std::string message;
    for (const std::string& error : errors) message += (message.empty() ? "" : "\n") + error;
    return detail::refused(*review, 422, "Invalid", message);
  }
  return detail::allowed(*review, Outcome::kAccepted,
                         texts(problems, policy::Severity::kWarning, kMostWarnings));
}

}  // namespace ebbgate::webhook
