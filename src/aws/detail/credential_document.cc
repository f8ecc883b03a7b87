#include "aws/detail/credential_document.h"

#include <algorithm>

#include "aws/detail/json.h"
#include "aws/detail/time.h"

namespace ebbgate::aws::detail {
namespace {

// What can stand in a header and in a signature's scope.
[[nodiscard]] bool is_visible(std::string_view text) {
  return std::ranges::all_of(text, [](char c) { return c > ' ' && c < '\x7f'; });
}

[[nodiscard]] bool is_usable(const Credentials& credentials) {
  return !credentials.access_key_id.empty() && !credentials.secret_access_key.empty() &&
         is_visible(credentials.access_key_id) && !credentials.access_key_id.contains('/') &&
         is_visible(credentials.secret_access_key.reveal()) &&
         is_visible(credentials.session_token.reveal());
}

[[nodiscard]] std::unexpected<Failure> unusable(std::string message) {
  return failed(Failure::Kind::kCredentials, std::move(message));
}

}  // namespace

Outcome<Credentials> read_credentials(std::string_view text) {
  const std::optional<Json> json = parse_json(text);
  if (!json) return unusable("what came is no JSON object");
  const std::string code = text_at(*json, "Code");
  if (!code.empty() && code != "Success") {
    return unusable("the endpoint says " + code + ": " + text_at(*json, "Message"));
  }
  Credentials credentials{text_at(*json, "AccessKeyId"), Secret(text_at(*json, "SecretAccessKey")),
                          Secret(text_at(*json, "Token")),
                          parse_iso8601(text_at(*json, "Expiration"))};
  if (!is_usable(credentials)) return unusable("what came holds no usable key");
  if (at(*json, "Expiration") != nullptr && !credentials.expiration) {
    return unusable("what came has an expiration that is no time");
  }
  return credentials;
}

std::optional<Credentials> read_credentials(const Element& result) {
  const Element* element = result.at("Credentials");
  if (element == nullptr) return std::nullopt;
  Credentials credentials{
      element->text_at("AccessKeyId"), Secret(element->text_at("SecretAccessKey")),
      Secret(element->text_at("SessionToken")), parse_iso8601(element->text_at("Expiration"))};
  if (!is_usable(credentials) || !credentials.expiration) return std::nullopt;
  return credentials;
}

}  // namespace ebbgate::aws::detail
