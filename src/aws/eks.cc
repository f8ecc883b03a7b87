#include "aws/eks.h"

#include "aws/detail/call.h"
#include "aws/sigv4.h"

namespace ebbgate::aws::eks {
namespace {

using detail::Json;
using detail::Nothing;

[[nodiscard]] Call rest_call(std::string operation, std::string method, const std::string& cluster,
                             std::string rest) {
  Call call;
  call.service = Service::kEks;
  call.protocol = Protocol::kRestJson;
  call.operation = std::move(operation);
  call.method = std::move(method);
  call.path = "/clusters/" + percent_encoded(cluster) + std::move(rest);
  return call;
}

// The object at `key`, or an empty one.
[[nodiscard]] Json object_at(const Json& json, std::string_view key) {
  const Json* value = detail::at(json, key);
  return value == nullptr ? Json::object() : *value;
}

[[nodiscard]] std::optional<Cluster> read_cluster(const Json& json) {
  const Json cluster = object_at(json, "cluster");
  const Json network = object_at(cluster, "kubernetesNetworkConfig");
  const Json vpc = object_at(cluster, "resourcesVpcConfig");
  Cluster read;
  read.name = detail::text_at(cluster, "name");
  read.arn = detail::text_at(cluster, "arn");
  read.version = detail::text_at(cluster, "version");
  read.status = detail::text_at(cluster, "status");
  read.endpoint = detail::text_at(cluster, "endpoint");
  read.certificate_authority = detail::text_at(object_at(cluster, "certificateAuthority"), "data");
  read.service_cidr = detail::text_at(network, "serviceIpv4Cidr");
  if (read.service_cidr.empty()) read.service_cidr = detail::text_at(network, "serviceIpv6Cidr");
  read.vpc = detail::text_at(vpc, "vpcId");
  read.security_group = detail::text_at(vpc, "clusterSecurityGroupId");
  read.subnets = detail::texts_at(vpc, "subnetIds");
  read.authentication_mode =
      detail::text_at(object_at(cluster, "accessConfig"), "authenticationMode");
  read.has_private_endpoint = detail::is_true_at(vpc, "endpointPrivateAccess");
  read.has_public_endpoint = detail::is_true_at(vpc, "endpointPublicAccess");
  if (read.name.empty() || read.status.empty()) return std::nullopt;
  return read;
}

struct EntryPage {
  std::vector<std::string> principals;
  std::string next;
};
[[nodiscard]] std::optional<EntryPage> read_entries(const Json& json) {
  if (detail::at(json, "accessEntries") == nullptr) return std::nullopt;
  return EntryPage{detail::texts_at(json, "accessEntries"), detail::text_at(json, "nextToken")};
}

}  // namespace

net::Task<Outcome<std::optional<Cluster>>> describe_cluster(Client& client, std::string name,
                                                            Deadline deadline) {
  net::Task<Outcome<Cluster>> task =
      detail::fetch<Cluster>(client, rest_call("DescribeCluster", "GET", name, ""), deadline,
                             detail::reading_json<Cluster>(read_cluster));
  Outcome<Cluster> cluster = co_await task;
  if (cluster) co_return *std::move(cluster);
  if (cluster.error().is("ResourceNotFoundException")) co_return std::nullopt;
  co_return std::unexpected(std::move(cluster.error()));
}

net::Task<Outcome<void>> create_access_entry(Client& client, AccessEntry entry, Deadline deadline) {
  Json body = {{"principalArn", entry.principal_arn}, {"type", entry.type}};
  if (!entry.groups.empty()) body["kubernetesGroups"] = entry.groups;
  Call call = rest_call("CreateAccessEntry", "POST", entry.cluster, "/access-entries");
  call.body = detail::to_text(body);
  net::Task<Outcome<void>> task = detail::done(detail::fetch<Nothing>(
      client, std::move(call), deadline, detail::reading_json<Nothing>(detail::read_nothing)));
  Outcome<void> outcome = co_await task;
  if (!outcome && outcome.error().is("ResourceInUseException")) co_return Outcome<void>();
  co_return outcome;
}

net::Task<Outcome<std::vector<std::string>>> list_access_entries(Client& client,
                                                                 std::string cluster,
                                                                 Deadline deadline) {
  std::vector<std::string> principals;
  Call call = rest_call("ListAccessEntries", "GET", cluster, "/access-entries");
  for (int pages = 0; pages < 200; ++pages) {
    Call copy = call;
    net::Task<Outcome<EntryPage>> task = detail::fetch<EntryPage>(
        client, std::move(copy), deadline, detail::reading_json<EntryPage>(read_entries));
    Outcome<EntryPage> page = co_await task;
    if (!page) co_return std::unexpected(std::move(page.error()));
    for (std::string& each : page->principals) principals.push_back(std::move(each));
    if (page->next.empty()) co_return principals;
    call.query = "nextToken=" + percent_encoded(page->next);
  }
  co_return detail::unreadable(call.operation);
}

net::Task<Outcome<void>> associate_access_policy(Client& client, AccessPolicy policy,
                                                 Deadline deadline) {
  Json scope = {{"type", policy.namespaces.empty() ? "cluster" : "namespace"}};
  if (!policy.namespaces.empty()) scope["namespaces"] = policy.namespaces;
  const Json body = {{"policyArn", policy.policy_arn}, {"accessScope", std::move(scope)}};
  Call call =
      rest_call("AssociateAccessPolicy", "POST", policy.cluster,
                "/access-entries/" + percent_encoded(policy.principal_arn) + "/access-policies");
  call.body = detail::to_text(body);
  return detail::done(detail::fetch<Nothing>(client, std::move(call), deadline,
                                             detail::reading_json<Nothing>(detail::read_nothing)));
}

}  // namespace ebbgate::aws::eks
