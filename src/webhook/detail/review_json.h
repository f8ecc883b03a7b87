// An AdmissionReview as JSON, read as far as both webhooks need it, and the answers to it.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "webhook/review.h"

namespace ebbgate::webhook::detail {

// Not the ordered kind, which looks for a key among all of them one by one.
using Json = nlohmann::json;

// The member of an object; null where there is none, where it is `null`, or where `from` is no
// object.
[[nodiscard]] const Json* member(const Json& from, const char* key);
// The text of a member; empty where it is none.
[[nodiscard]] std::string text_of(const Json& from, const char* key);

struct Review {
  Json request;
  std::string uid;
  std::string operation;
  std::string sub_resource;
  std::string group;  // of the object, as the three below
  std::string version;
  std::string kind;
  std::string in_namespace;
  std::string name;  // perhaps `build-…`, where the API server is still to choose it

  [[nodiscard]] const Json& object() const;  // null where there is none
};

// Errors: kMalformedRequest, with what is wrong. Deeper than 100 levels is refused: nothing of
// Kubernetes is, and what walks over it recurses.
[[nodiscard]] Result<Review> parse_review(std::string_view body);

[[nodiscard]] Reply malformed(const Error& error);

// `patch`: operations of RFC 6902, or empty.
[[nodiscard]] Reply allowed(const Review& review, Outcome outcome,
                            const std::vector<std::string>& warnings = {},
                            const Json& patch = Json::array());
[[nodiscard]] Reply refused(const Review& review, int code, const std::string& reason,
                            const std::string& message);

}  // namespace ebbgate::webhook::detail
