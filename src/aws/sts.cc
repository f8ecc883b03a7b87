#include "aws/sts.h"

#include "aws/detail/call.h"
#include "aws/detail/credential_document.h"
#include "aws/detail/digest.h"
#include "aws/sigv4.h"

namespace ebbgate::aws::sts {
namespace {

// EKS takes a token for 15 minutes from its signing, whatever the URL says; one less, so that
// clocks may differ.
constexpr std::chrono::minutes kTokenLife{14};
// What the aws program and aws-iam-authenticator put there; AWS ignores it for EKS.
constexpr std::chrono::seconds kUrlLife{60};

}  // namespace

net::Task<Outcome<Identity>> get_caller_identity(Client& client, Deadline deadline) {
  const detail::ReadXml<Identity> read =
      [](const detail::Element& result) -> std::optional<Identity> {
    Identity identity{result.text_at("Account"), result.text_at("Arn"), result.text_at("UserId")};
    if (identity.account.empty() || identity.arn.empty()) return std::nullopt;
    return identity;
  };
  return detail::query<Identity>(client, detail::Form(Service::kSts, "GetCallerIdentity"), deadline,
                                 read);
}

net::Task<Outcome<Credentials>> assume_role(Client& client, Role role, Deadline deadline) {
  detail::Form form(Service::kSts, "AssumeRole");
  form.add("RoleArn", role.arn).add("RoleSessionName", role.session_name);
  form.add_unless_empty("ExternalId", role.external_id);
  const detail::ReadXml<Credentials> read = [](const detail::Element& result) {
    return detail::read_credentials(result);
  };
  return detail::query<Credentials>(client, std::move(form), deadline, read);
}

Outcome<EksToken> make_eks_token(const Credentials& credentials, const std::string& region,
                                 const std::string& cluster, WallTime now) {
  https::Request request;
  request.url = "https://sts." + region + "." + std::string(partition_of(region).domain) +
                "/?Action=GetCallerIdentity&Version=2011-06-15";
  request.headers.push_back({"x-k8s-aws-id", cluster});
  const Result<std::string> url = presign(request, credentials, {region, "sts"}, now, kUrlLife);
  if (!url) return failed(Failure::Kind::kInvalid, url.error().detail);
  return EksToken{Secret("k8s-aws-v1." + detail::base64url(*url)), now + kTokenLife};
}

net::Task<Outcome<EksToken>> eks_token(Client& client, std::string cluster) {
  Outcome<Credentials> credentials = co_await client.credentials().get();
  if (!credentials) co_return std::unexpected(std::move(credentials.error()));
  co_return make_eks_token(*credentials, client.region(), cluster, client.now());
}

}  // namespace ebbgate::aws::sts
