#include "deploy/prepared.h"

#include <array>
#include <nlohmann/json.hpp>
#include <string_view>
#include <utility>

namespace ebbgate::deploy {
namespace {

using nlohmann::json;

constexpr const char* kGroup = "ebbgate.dev";

// A few that stand for all that the overlay grants: the roles come whole, or not at all.
struct Right {
  std::string_view verb;
  std::string_view group;
  std::string_view resource;
  std::string_view in_namespace;
};
constexpr std::array kRights = std::to_array<Right>({
    {"list", "", "pods", ""},
    {"list", kGroup, "egresspolicies", ""},
    {"list", kGroup, "clusteregresspolicies", ""},
    {"create", "coordination.k8s.io", "leases", "ebbgate-system"},
});

std::string review(const Right& right) {
  json what{{"verb", right.verb}, {"group", right.group}, {"resource", right.resource}};
  if (!right.in_namespace.empty()) what["namespace"] = right.in_namespace;
  return json{{"apiVersion", "authorization.k8s.io/v1"},
              {"kind", "SubjectAccessReview"},
              {"spec",
               {{"user", "ebbgate"},
                {"groups", {kGatewayGroup, "system:authenticated"}},
                {"resourceAttributes", std::move(what)}}}}
      .dump();
}

bool is_allowed(const std::string& answer) {
  const json document = json::parse(answer, nullptr, false);
  const auto status = document.find("status");
  return document.is_object() && status != document.end() && status->is_object() &&
         status->value("allowed", json()) == true;
}

}  // namespace

net::Task<std::string> missing_for_gateways(kube::Client& api) {
  for (const char* plural : {"egresspolicies", "clusteregresspolicies"}) {
    const kube::Resource type{.group = kGroup, .version = "v1alpha1", .plural = plural};
    const auto is_served = co_await api.serves(type);
    if (!is_served) co_return is_served.error().describe("the types of the API");
    if (!*is_served) co_return "it has no type " + type.str();
  }
  for (const Right& right : kRights) {
    const auto answer = co_await api.create(
        {.group = "authorization.k8s.io", .plural = "subjectaccessreviews"}, review(right));
    if (!answer) co_return answer.error().describe("the rights of gateways");
    if (!is_allowed(*answer)) {
      co_return "the group " + std::string(kGatewayGroup) + " may not " + std::string(right.verb) +
          " " + std::string(right.resource);
    }
  }
  co_return std::string();
}

}  // namespace ebbgate::deploy
