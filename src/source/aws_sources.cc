#include "source/aws_sources.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <string_view>
#include <utility>

#include "aws/s3.h"
#include "aws/secretsmanager.h"
#include "aws/ssm.h"
#include "base/escape.h"
#include "source/detail/text.h"

namespace ebbgate::source {
namespace {

constexpr Duration kPatience = std::chrono::seconds(30);
constexpr std::size_t kMaxSignature = 1024;  // octets
constexpr std::string_view kSignatureEnding = ".sig";

std::unexpected<Error> invalid(std::string what) {
  return fail(Reason::kOriginInvalid, Side::kOrigin, std::move(what));
}

// The failure as a sentence, and what the gateway lacks where it may not read.
std::unexpected<Error> failed(const aws::Failure& failure, std::string_view operation,
                              std::string_view permission) {
  Error error = failure.to_error(operation);
  if (failure.status == 403 || failure.code.contains("AccessDenied")) {
    error.detail += "; the gateway's role needs " + std::string(permission) + " on it";
  }
  return std::unexpected(std::move(error));
}

std::unexpected<Error> failed_object(const aws::Failure& failure, const aws::s3::ObjectId& id) {
  auto error = failed(failure, "s3 GetObject",
                      id.version_id.empty() ? "s3:GetObject" : "s3:GetObjectVersion");
  if (failure.status == 403) {
    error.error().detail += ", or there is no such object: S3 tells only who has s3:ListBucket";
  }
  error.error().detail += " (s3://" + escaped(id.bucket) + "/" + escaped(id.key) + ")";
  return error;
}

Deadline patience(const aws::Client& client) {
  return client.context().loop.after(kPatience);
}

// What a parameter is known by. Its version alone is not enough: a parameter that was deleted and
// made again counts from 1.
std::string state_of(const aws::ssm::Parameter& parameter) {
  return std::to_string(parameter.version) + " " + detail::sha256_hex(parameter.value);
}

// Of a parameter's token, which is its state and perhaps the ETag of what it points to after a
// blank: the latter, where the former still holds.
std::string etag_of(std::string_view token, std::string_view state) {
  if (!token.starts_with(state)) return {};
  token.remove_prefix(state.size());
  return token.starts_with(' ') ? std::string(token.substr(1)) : std::string();
}

bool is_sha256(std::string_view text) {
  return text.size() == 64 && std::ranges::all_of(text, [](char c) {
           return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
         });
}

}  // namespace

Result<std::optional<Pointer>> parse_pointer(std::string_view value) {
  const auto json = nlohmann::json::parse(value, nullptr, false);
  if (!json.is_object() || !json.contains("bucket")) return std::nullopt;
  Pointer out;
  for (const auto& [key, member] : json.items()) {
    std::string* to = key == "bucket"      ? &out.bucket
                      : key == "key"       ? &out.key
                      : key == "versionId" ? &out.version_id
                      : key == "sha256"    ? &out.sha256
                      : key == "signature" ? &out.signature
                                           : nullptr;
    if (to == nullptr || !member.is_string()) {
      return invalid("the parameter points to an object, but `" + escaped(key) + "` is " +
                     (to == nullptr ? "unknown there" : "no text") +
                     "; write bucket, key, versionId, sha256 and signature as texts");
    }
    *to = member.get<std::string>();
  }
  if (out.bucket.empty() || out.key.empty()) {
    return invalid("the parameter points to an object without its bucket or key");
  }
  std::ranges::transform(out.sha256, out.sha256.begin(), [](char c) {
    return c >= 'A' && c <= 'F' ? static_cast<char>(c + 32) : c;
  });
  if (!out.sha256.empty() && !is_sha256(out.sha256)) {
    return invalid("the parameter's sha256 is not 64 hexadecimal digits");
  }
  return out;
}

net::Task<Result<std::optional<Fetched>>> SsmSource::fetch(std::string token) {
  const Deadline deadline = patience(*client_);
  auto parameter = co_await aws::ssm::get_parameter(*client_, url_.name, deadline);
  if (!parameter) {
    co_return failed(parameter.error(), "ssm GetParameter", "ssm:GetParameter");
  }
  std::string state = state_of(*parameter);
  auto pointer = parse_pointer(parameter->value);
  if (!pointer) co_return std::unexpected(std::move(pointer.error()));
  if (*pointer && !((*pointer)->is_pinned() && token == state)) {
    Pointer target = **std::move(pointer);
    const std::string known = target.is_pinned() ? std::string() : etag_of(token, state);
    auto followed = co_await follow(std::move(target), known);
    if (!followed) co_return std::unexpected(std::move(followed.error()));
    if (!*followed) co_return std::nullopt;
    Fetched found = **std::move(followed);
    found.token = found.token.empty() ? std::move(state) : state + " " + found.token;
    found.version = "version " + std::to_string(parameter->version);
    found.sequence = parameter->version;
    co_return found;
  }
  if (token == state) co_return std::nullopt;
  co_return Fetched{.text = std::move(parameter->value),
                    .token = std::move(state),
                    .version = "version " + std::to_string(parameter->version),
                    .sequence = parameter->version};
}

net::Task<Result<std::optional<Fetched>>> SsmSource::follow(Pointer pointer, std::string known) {
  const aws::s3::ObjectId id{
      .bucket = pointer.bucket, .key = pointer.key, .version_id = pointer.version_id};
  const Deadline deadline = patience(*client_);
  auto object = co_await aws::s3::get_object(*client_, id, known, kMaxText, deadline);
  if (!object) co_return failed_object(object.error(), id);
  if (!*object) co_return std::nullopt;
  aws::s3::Object found = **std::move(object);
  if (!pointer.sha256.empty() && detail::sha256_hex(found.body) != pointer.sha256) {
    co_return invalid("the object s3://" + escaped(pointer.bucket) + "/" + escaped(pointer.key) +
                      " is not the one that the parameter names: its SHA-256 is another");
  }
  co_return Fetched{.text = std::move(found.body),
                    .token = pointer.is_pinned() ? std::string() : found.info.etag,
                    .signature = std::move(pointer.signature)};
}

net::Task<Result<std::string>> SsmSource::fetch_signature() {
  const Deadline deadline = patience(*client_);
  auto parameter = co_await aws::ssm::get_parameter(
      *client_, url_.name + std::string(kSignatureEnding), deadline);
  if (!parameter) {
    co_return failed(parameter.error(), "ssm GetParameter", "ssm:GetParameter");
  }
  co_return std::move(parameter->value);
}

net::Task<Result<std::optional<Fetched>>> S3Source::fetch(std::string token) {
  const aws::s3::ObjectId id{.bucket = url_.bucket, .key = url_.name};
  const Deadline deadline = patience(*client_);
  auto object = co_await aws::s3::get_object(*client_, id, std::move(token), kMaxText, deadline);
  if (!object) co_return failed_object(object.error(), id);
  if (!*object) co_return std::nullopt;
  aws::s3::Object found = **std::move(object);
  const aws::s3::ObjectInfo& info = found.info;
  co_return Fetched{.text = std::move(found.body),
                    .token = info.etag,
                    .version = info.version_id.empty() ? info.etag : info.version_id,
                    .sequence = detail::parse_http_date(info.last_modified)};
}

net::Task<Result<std::string>> S3Source::fetch_signature() {
  const aws::s3::ObjectId id{.bucket = url_.bucket,
                             .key = url_.name + std::string(kSignatureEnding)};
  const Deadline deadline = patience(*client_);
  auto object = co_await aws::s3::get_object(*client_, id, {}, kMaxSignature, deadline);
  if (!object) co_return failed_object(object.error(), id);
  if (!*object) co_return invalid("S3 says that nothing has changed, to who has nothing");
  co_return std::move((*object)->body);
}

net::Task<Result<std::optional<Fetched>>> SecretSource::fetch(std::string token) {
  const Deadline deadline = patience(*client_);
  auto secret = co_await aws::secretsmanager::get_secret_value(*client_, url_.name, deadline);
  if (!secret) {
    co_return failed(secret.error(), "secretsmanager GetSecretValue",
                     "secretsmanager:GetSecretValue");
  }
  if (!token.empty() && token == secret->version_id) co_return std::nullopt;
  co_return Fetched{.text = secret->value.reveal(),
                    .token = secret->version_id,
                    .version = secret->version_id,
                    .sequence = secret->created};
}

net::Task<Result<std::string>> SecretSource::fetch_signature() {
  const Deadline deadline = patience(*client_);
  auto secret = co_await aws::secretsmanager::get_secret_value(
      *client_, url_.name + std::string(kSignatureEnding), deadline);
  if (!secret) {
    co_return failed(secret.error(), "secretsmanager GetSecretValue",
                     "secretsmanager:GetSecretValue");
  }
  co_return secret->value.reveal();
}

}  // namespace ebbgate::source
