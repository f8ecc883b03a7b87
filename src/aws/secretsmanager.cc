#include "aws/secretsmanager.h"

#include <cmath>

#include "aws/detail/call.h"
#include "aws/detail/digest.h"

namespace ebbgate::aws::secretsmanager {
namespace {

using detail::Json;

// A time as JSON of AWS has it: seconds since 1970, with a fraction.
[[nodiscard]] std::optional<std::int64_t> milliseconds_at(const Json& json, std::string_view key) {
  constexpr double kMostSeconds = 1e11;  // far beyond any date, and well within the integer
  const Json* value = detail::at(json, key);
  if (value == nullptr || !value->is_number()) return std::nullopt;
  const auto seconds = value->get<double>();
  if (!(seconds >= 0 && seconds < kMostSeconds)) return std::nullopt;
  return std::llround(seconds * 1000);
}

[[nodiscard]] std::optional<SecretValue> read_secret(const Json& json) {
  SecretValue secret{detail::text_at(json, "Name"),
                     detail::text_at(json, "ARN"),
                     detail::text_at(json, "VersionId"),
                     {},
                     milliseconds_at(json, "CreatedDate")};
  const Json* text = detail::at(json, "SecretString");
  if (text != nullptr && text->is_string()) {
    secret.value = Secret(text->get<std::string>());
    return secret;
  }
  const Json* binary = detail::at(json, "SecretBinary");
  if (binary == nullptr || !binary->is_string()) return std::nullopt;
  std::optional<std::string> octets = detail::base64_decoded(binary->get<std::string>());
  if (!octets) return std::nullopt;
  secret.value = Secret(*std::move(octets));
  return secret;
}

}  // namespace

net::Task<Outcome<SecretValue>> get_secret_value(Client& client, std::string id,
                                                 Deadline deadline) {
  const Json body = {{"SecretId", id}};
  return detail::fetch<SecretValue>(
      client, detail::json_call(Service::kSecretsManager, "GetSecretValue", body), deadline,
      detail::reading_json<SecretValue>(read_secret));
}

}  // namespace ebbgate::aws::secretsmanager
