// What the tests of this folder share: reviews of pods and policies, and what an API server makes
// of the answers: the patch undone and applied. Nothing else includes it.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "base/base64.h"
#include "webhook/review.h"

namespace ebbgate::webhook::testing {

using Json = nlohmann::ordered_json;

[[nodiscard]] inline Json review_of(const Json& object, const std::string& kind,
                                    const std::string& group = "",
                                    const std::string& version = "v1") {
  const std::string name_space = kind.starts_with("Cluster") ? "" : "shop";
  return {{"apiVersion", "admission.k8s.io/v1"},
          {"kind", "AdmissionReview"},
          {"request",
           {{"uid", "705ab4f5-6393-11e8-b7cc-42010a800002"},
            {"kind", {{"group", group}, {"version", version}, {"kind", kind}}},
            {"namespace", name_space},
            {"operation", "CREATE"},
            {"userInfo", {{"username", "alice"}}},
            {"object", object},
            {"oldObject", nullptr},
            {"dryRun", false}}}};
}

[[nodiscard]] inline Json response_of(const Reply& reply) {
  const Json whole = Json::parse(reply.body);
  if (whole.at("kind") != "AdmissionReview" || whole.at("apiVersion") != "admission.k8s.io/v1") {
    return {};
  }
  return whole.at("response");
}

// The operations of the answer; an empty array where there is none.
[[nodiscard]] inline Json patch_of(const Reply& reply) {
  const Json response = response_of(reply);
  if (!response.contains("patch")) return Json::array();
  if (response.at("patchType") != "JSONPatch") return {};
  return Json::parse(base64_decoded(response.at("patch").get<std::string>()).value());
}

// The object as the API server has it afterwards (RFC 6902). Throws where a path leads nowhere.
[[nodiscard]] inline Json patched(const Json& object, const Reply& reply) {
  const Json patch = patch_of(reply);
  return patch.empty() ? object : object.patch(patch);
}

}  // namespace ebbgate::webhook::testing
