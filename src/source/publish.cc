#include "source/publish.h"

#include <nlohmann/json.hpp>
#include <utility>

#include "aws/s3.h"
#include "aws/ssm.h"
#include "source/detail/text.h"
#include "source/policy_source.h"

namespace ebbgate::source {
namespace {

using config::SourceKind;

constexpr std::string_view kSignatureEnding = ".sig";

std::unexpected<Error> failed(const aws::Failure& failure, std::string_view operation,
                              std::string_view permission) {
  Error error = failure.to_error(operation);
  if (failure.status == 403 || failure.code.contains("AccessDenied")) {
    error.detail += "; who pushes needs " + std::string(permission) + " on it";
  }
  return std::unexpected(std::move(error));
}

net::Task<Result<aws::s3::ObjectInfo>> put_object(aws::Client& client, config::SourceUrl to,
                                                  std::string text, Deadline deadline) {
  const bool is_signature = to.name.ends_with(kSignatureEnding);
  aws::s3::PutObject put{.bucket = to.bucket,
                         .key = to.name,
                         .body = std::move(text),
                         .content_type = is_signature ? "text/plain" : "application/yaml"};
  auto written = co_await aws::s3::put_object(client, std::move(put), deadline);
  if (!written) co_return failed(written.error(), "s3 PutObject", "s3:PutObject");
  co_return *std::move(written);
}

// Out: what this state is called.
net::Task<Result<std::string>> put_text(aws::Client& client, config::SourceUrl to, std::string text,
                                        Deadline deadline) {
  if (to.kind == SourceKind::kS3) {
    auto written = co_await put_object(client, std::move(to), std::move(text), deadline);
    if (!written) co_return std::unexpected(std::move(written.error()));
    co_return written->version_id.empty() ? "an object without a version, " + written->etag
                                          : "version " + written->version_id;
  }
  aws::ssm::PutParameter put{.name = std::move(to.name), .value = std::move(text)};
  const auto version = co_await aws::ssm::put_parameter(client, std::move(put), deadline);
  if (!version) co_return failed(version.error(), "ssm PutParameter", "ssm:PutParameter");
  co_return "version " + std::to_string(*version);
}

std::string pointer_to(const config::SourceUrl& object, const aws::s3::ObjectInfo& info,
                       const std::string& digest, const std::string& signature) {
  nlohmann::ordered_json pointer{{"bucket", object.bucket}, {"key", object.name}};
  if (!info.version_id.empty()) pointer["versionId"] = info.version_id;
  pointer["sha256"] = digest;
  if (!signature.empty()) pointer["signature"] = signature;
  return pointer.dump();
}

}  // namespace

std::optional<std::string> publication_fault(const Publication& publication) {
  const SourceKind kind = publication.to.kind;
  if (kind != SourceKind::kSsm && kind != SourceKind::kS3) {
    return "policies are pushed to ssm:// and s3:// only; write to " +
           std::string(publication.to.shown()) + " by its own tools";
  }
  if (publication.via && publication.via->kind != SourceKind::kS3) {
    return "--via " + publication.via->text + " is no object; write s3://bucket/key";
  }
  if (publication.via && kind == SourceKind::kS3) {
    return "--via is for parameters; an object holds the policy itself";
  }
  if (publication.text.size() > kMaxText) {
    return "it has " + std::to_string(publication.text.size()) + " octets, and gateways take " +
           std::to_string(kMaxText);
  }
  if (kind == SourceKind::kSsm && !publication.via && publication.text.size() > kMaxParameter) {
    return "it has " + std::to_string(publication.text.size()) + " octets, and a parameter takes " +
           std::to_string(kMaxParameter) + "; add --via s3://bucket/key for the text";
  }
  return std::nullopt;
}

net::Task<Result<std::string>> publish(aws::Client& client, Publication publication,
                                       Deadline deadline) {
  std::string value = std::move(publication.text);
  if (publication.via) {
    const std::string digest = detail::sha256_hex(value);
    auto written = co_await put_object(client, *publication.via, std::move(value), deadline);
    if (!written) co_return std::unexpected(std::move(written.error()));
    value = pointer_to(*publication.via, *written, digest, publication.signature);
  } else if (!publication.signature.empty()) {
    config::SourceUrl beside = publication.to;
    beside.name += kSignatureEnding;
    auto signature =
        co_await put_text(client, std::move(beside), std::move(publication.signature), deadline);
    if (!signature) {
      signature.error().detail = "its signature: " + signature.error().detail;
      co_return signature;
    }
  }
  co_return co_await put_text(client, std::move(publication.to), std::move(value), deadline);
}

}  // namespace ebbgate::source
