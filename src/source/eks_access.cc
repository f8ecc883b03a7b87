#include "source/eks_access.h"

#include <memory>
#include <utility>

#include "aws/eks.h"
#include "aws/sts.h"
#include "base/base64.h"

namespace ebbgate::source {
namespace {

constexpr Duration kMargin = std::chrono::minutes(4);

net::Task<Result<kube::Credential>> mint(aws::Client& client, const Clock& clock,
                                         std::string name) {
  const auto token = co_await aws::sts::eks_token(client, std::move(name));
  if (!token) co_return std::unexpected(token.error().to_error("a token for the cluster"));
  // The token's time is AWS's, which ours may differ from.
  const Duration left = token->expiration - client.now();
  co_return kube::Credential{.token = token->token, .expires = clock.wall() + left};
}

}  // namespace

net::Task<Result<kube::Access>> eks_access(net::Loop& loop, const Clock& clock, aws::Client& client,
                                           std::string name, Deadline deadline) {
  const auto cluster = co_await aws::eks::describe_cluster(client, name, deadline);
  if (!cluster) co_return std::unexpected(cluster.error().to_error("eks DescribeCluster"));
  const auto unfit = [&](const std::string& why) {
    return fail(Reason::kInternal, Side::kSelf, "the cluster " + name + " " + why);
  };
  if (!*cluster) co_return unfit("is not there in " + client.region());
  const aws::eks::Cluster& found = **cluster;
  if (found.endpoint.empty()) co_return unfit("has no endpoint: it is " + found.status);
  auto authority = base64_decoded(found.certificate_authority);
  if (!authority || authority->empty()) co_return unfit("has no authority that can be read");
  kube::Access access;
  access.server = found.endpoint;
  access.ca_pem = *std::move(authority);
  access.authenticator = std::make_unique<kube::MintedAuthenticator>(
      loop, clock, [&client, &clock, name] { return mint(client, clock, name); }, kMargin);
  co_return access;
}

}  // namespace ebbgate::source
