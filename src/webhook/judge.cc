#include "webhook/judge.h"

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/escape.h"
#include "config/document_yaml.h"
#include "config/load_policy.h"
#include "policy/policy.h"
#include "webhook/detail/review_json.h"

namespace ebbgate::webhook {
namespace {

using detail::Json;
using detail::Review;
using policy::PolicyProblem;

constexpr std::size_t kMostProblems = 20;
constexpr std::size_t kMostWarnings = 10;

// A resource as the parser reads it, with a line for each value, so that the line of a problem
// leads back to the field.
class Lines {
 public:
  explicit Lines(const Json& value) { write(value); }
  [[nodiscard]] const std::string& text() const { return text_; }

 private:
  void write(const Json& value) {
    if (!value.is_structured() || value.empty()) {
      text_ += value.dump(-1, ' ', false, Json::error_handler_t::replace);
      return;
    }
    text_ += value.is_object() ? "{\n" : "[\n";
    bool is_first = true;
    for (const auto& [key, child] : value.items()) {
      if (!std::exchange(is_first, false)) text_ += ",\n";
      if (value.is_object()) {
        text_ += Json(key).dump(-1, ' ', false, Json::error_handler_t::replace) + ": ";
      }
      write(child);
    }
    text_ += value.is_object() ? "\n}" : "\n]";
  }

  std::string text_;
};

// The path of the value that begins or ends on a line of Lines.
class PathOfLine {
 public:
  explicit PathOfLine(std::uint32_t line) : wanted_(line) {}
  // `spec.allow[0].hosts[2]`; empty for the whole.
  [[nodiscard]] std::string in(const Json& value) {
    std::string path;
    return find(value, path) ? path : std::string();
  }

 private:
  // Whether it is this one or one within; `path` is the value's, and becomes what was found.
  bool find(const Json& value, std::string& path) {
    if (line_ == wanted_) return true;
    if (!value.is_structured() || value.empty()) return false;
    const std::size_t size = path.size();
    std::size_t index = 0;
    for (const auto& [key, child] : value.items()) {
      ++line_;
      if (value.is_object()) {
        path += (path.empty() ? "" : ".") + key;
      } else {
        path += "[" + std::to_string(index++) + "]";
      }
      if (find(child, path)) return true;
      path.resize(size);
    }
    return ++line_ == wanted_;
  }

  std::uint32_t wanted_;
  std::uint32_t line_ = 1;
};

// As `ebbgate check` has it, with the field in place of file, line and column.
std::string str(const PolicyProblem& problem, const Json& resource) {
  const std::string path =
      problem.position.line == 0 ? "" : PathOfLine(problem.position.line).in(resource);
  std::string out = path.empty() ? problem.message : escaped(path) + ": " + problem.message;
  if (!problem.fix.empty()) out += "; " + problem.fix;
  return out;
}

// What of it a person wrote: the rest is Kubernetes' own.
Json written_part(const Review& review) {
  Json out = review.object();
  out.erase("status");
  const Json* metadata = detail::member(out, "metadata");
  Json kept = Json::object();
  if (metadata != nullptr) {
    for (const char* key : {"name", "namespace"}) {
      if (const Json* value = detail::member(*metadata, key)) kept[key] = *value;
    }
  }
  // What is made with generateName has no name yet.
  if (!kept.contains("name")) kept["name"] = "unnamed";
  if (!kept.contains("namespace") && review.kind == "EgressPolicy") {
    kept["namespace"] = review.in_namespace;
  }
  out["metadata"] = std::move(kept);
  return out;
}

struct Judgement {
  std::vector<PolicyProblem> problems;

  [[nodiscard]] std::vector<std::string> texts(policy::Severity severity, const Json& resource,
                                               std::size_t most) const {
    std::vector<std::string> out;
    std::size_t count = 0;
    for (const PolicyProblem& problem : problems) {
      if (problem.severity != severity) continue;
      if (++count <= most) out.push_back(str(problem, resource));
    }
    if (count > most) out.push_back("and " + std::to_string(count - most) + " more");
    return out;
  }
};

Judgement judge_resource(const Json& resource, WallTime now) {
  const Lines lines(resource);
  auto parsed = config::parse_documents(lines.text(), "", {.are_resources = true});
  Judgement out{.problems = std::move(parsed.problems)};
  if (policy::has_errors(out.problems)) return out;
  // Its own words are judged here, whatever is delegated to its namespace: that may change.
  for (policy::Document& document : parsed.documents) document.resource_namespace.clear();
  auto compiled = policy::Policy::compile(std::move(parsed.documents));
  std::ranges::move(compiled.problems, std::back_inserter(out.problems));
  if (compiled.policy != nullptr) {
    std::ranges::move(config::expiry_warnings(*compiled.policy, now),
                      std::back_inserter(out.problems));
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
  const Json resource = written_part(*review);
  const Judgement judgement = judge_resource(resource, now);
  const auto errors = judgement.texts(policy::Severity::kError, resource, kMostProblems);
  if (!errors.empty()) {
    std::string message;
    for (const std::string& error : errors) message += (message.empty() ? "" : "\n") + error;
    return detail::refused(*review, 422, "Invalid", message);
  }
  return detail::allowed(*review, Outcome::kAccepted,
                         judgement.texts(policy::Severity::kWarning, resource, kMostWarnings));
}

}  // namespace ebbgate::webhook
