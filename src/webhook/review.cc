#include "webhook/review.h"

#include <array>
#include <utility>

#include "base/base64.h"
#include "base/escape.h"
#include "webhook/detail/review_json.h"

namespace ebbgate::webhook {

std::string_view word(Outcome outcome) {
  constexpr std::array<std::string_view, kOutcomes> kWords = {"injected", "unchanged", "passed",
                                                              "accepted", "refused",   "malformed"};
  return kWords[static_cast<std::size_t>(outcome)];
}

namespace detail {
namespace {

constexpr int kMaxDepth = 100;
constexpr std::string_view kVersion = "admission.k8s.io/v1";
constexpr std::size_t kMaxWarning = 256;  // octets; the API server cuts what is much longer

std::unexpected<Error> wrong(std::string detail) {
  return fail(Reason::kMalformedRequest, Side::kClient, std::move(detail));
}

std::string dumped(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

// Of what is no JSON it may say either; the parser sees to that. (Its own way to watch the depth
// looks through all elements of a list after each of them.)
bool is_too_deep(std::string_view text) {
  int depth = 0;
  bool is_in_string = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (is_in_string) {
      if (c == '\\') ++i;
      if (c == '"') is_in_string = false;
      continue;
    }
    if (c == '"') is_in_string = true;
    if ((c == '[' || c == '{') && ++depth > kMaxDepth) return true;
    if (c == ']' || c == '}') --depth;
  }
  return false;
}

Reply reply_to(const Review& review, Outcome outcome, Json response) {
  const Json whole{
      {"apiVersion", kVersion}, {"kind", "AdmissionReview"}, {"response", std::move(response)}};
  std::string about = review.kind + " ";
  if (!review.in_namespace.empty()) about += review.in_namespace + "/";
  return {.status = 200,
          .body = dumped(whole),
          .outcome = outcome,
          .uid = review.uid,
          .operation = review.operation,
          .about = about + review.name,
          .detail = {}};
}

}  // namespace

const Json* member(const Json& from, const char* key) {
  if (!from.is_object()) return nullptr;
  const auto found = from.find(key);
  return found == from.end() || found->is_null() ? nullptr : &*found;
}

std::string text_of(const Json& from, const char* key) {
  const Json* found = member(from, key);
  return found != nullptr && found->is_string() ? found->get<std::string>() : std::string();
}

const Json& Review::object() const {
  static const Json kNone;
  const Json* found = member(request, "object");
  return found == nullptr ? kNone : *found;
}

Result<Review> parse_review(std::string_view body) {
  if (is_too_deep(body)) return wrong("the review is nested too deeply");
  Json json = Json::parse(body, nullptr, false);
  if (json.is_discarded()) return wrong("the review is not JSON");
  if (text_of(json, "kind") != "AdmissionReview") return wrong("this is no AdmissionReview");
  if (const std::string version = text_of(json, "apiVersion"); version != kVersion) {
    return wrong("the review is of " + escaped(version, 64) + ", and " + std::string(kVersion) +
                 " is what is understood: admissionReviewVersions has to name v1");
  }
  const auto request = json.find("request");
  if (request == json.end() || !request->is_object()) return wrong("the review has no `request`");
  Review review;
  review.request = std::move(*request);
  review.uid = text_of(review.request, "uid");
  if (review.uid.empty()) return wrong("the review's request has no `uid`");
  review.operation = text_of(review.request, "operation");
  review.sub_resource = text_of(review.request, "subResource");
  const Json* kind = member(review.request, "kind");
  if (kind == nullptr || text_of(*kind, "kind").empty()) {
    return wrong("the review's request does not say what `kind` it is about");
  }
  review.group = text_of(*kind, "group");
  review.version = text_of(*kind, "version");
  review.kind = text_of(*kind, "kind");
  review.in_namespace = text_of(review.request, "namespace");
  review.name = text_of(review.request, "name");
  if (review.name.empty()) {
    if (const Json* metadata = member(review.object(), "metadata")) {
      review.name = text_of(*metadata, "name");
      if (review.name.empty()) review.name = text_of(*metadata, "generateName");
    }
  }
  return review;
}

Reply malformed(const Error& error) {
  return {.status = 400,
          .body = error.detail + '\n',
          .outcome = Outcome::kMalformed,
          .uid = {},
          .operation = {},
          .about = {},
          .detail = error.detail};
}

Reply allowed(const Review& review, Outcome outcome, const std::vector<std::string>& warnings,
              const Json& patch) {
  Json response{{"uid", review.uid}, {"allowed", true}};
  if (!patch.empty()) {
    response["patchType"] = "JSONPatch";
    response["patch"] = base64_encoded(dumped(patch));
  }
  Json cut = Json::array();
  for (const std::string& warning : warnings) cut.push_back(warning.substr(0, kMaxWarning));
  if (!cut.empty()) response["warnings"] = std::move(cut);
  Reply reply = reply_to(review, outcome, std::move(response));
  for (const std::string& warning : warnings) {
    reply.detail += (reply.detail.empty() ? "" : "\n") + warning;
  }
  return reply;
}

Reply refused(const Review& review, int code, const std::string& reason,
              const std::string& message) {
  Reply reply = reply_to(
      review, Outcome::kRefused,
      {{"uid", review.uid},
       {"allowed", false},
       {"status",
        {{"status", "Failure"}, {"message", message}, {"reason", reason}, {"code", code}}}});
  reply.detail = message;
  return reply;
}

}  // namespace detail
}  // namespace ebbgate::webhook
