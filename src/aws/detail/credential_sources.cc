#include "aws/detail/credential_sources.h"

#include <algorithm>
#include <array>

#include "aws/detail/call.h"
#include "aws/detail/credential_document.h"
#include "aws/detail/service_error.h"
#include "aws/endpoint.h"
#include "aws/profile.h"

namespace ebbgate::aws::detail {
namespace {

constexpr int kTries = 3;
constexpr std::size_t kMaxAnswer = 64 << 10;

[[nodiscard]] std::string variable(const Context& context, const char* name) {
  return context.environment(name).value_or(std::string());
}

[[nodiscard]] std::unexpected<Failure> faulty(std::string message) {
  return failed(Failure::Kind::kCredentials, std::move(message));
}

[[nodiscard]] Outcome<Secret> read_token(const Context& context, const std::string& path) {
  const Result<std::string> text = context.read_file(path);
  if (!text) return faulty("the token file cannot be read: " + text.error().detail);
  const std::size_t first = text->find_first_not_of(" \t\r\n");
  if (first == std::string::npos) return faulty("the token file " + path + " is empty");
  std::string token = text->substr(first, text->find_last_not_of(" \t\r\n") - first + 1);
  if (!std::ranges::all_of(token, [](char c) { return c >= ' ' && c < '\x7f'; })) {
    return faulty("the token file " + path + " holds no token");
  }
  return Secret(std::move(token));
}

// One answer of a credentials endpoint, asked again where it fails for the moment. `secret` never
// comes out in a message.
[[nodiscard]] net::Task<Outcome<https::Response>> ask(Context& context, https::Request request,
                                                      Secret secret) {
  for (int tries = 1;; ++tries) {
    https::Request copy = request;
    Result<https::Response> response = co_await context.transport.send(std::move(copy));
    if (response && response->status == 200) co_return *std::move(response);
    Failure failure = response ? read_service_error(Protocol::kQuery, *response)
                               : network_failure(response.error());
    if (response && failure.code == std::to_string(response->status)) {
      failure = read_service_error(Protocol::kJson, *response);
    }
    redact(failure, {&secret});
    if (!failure.is_retryable || tries == kTries) co_return std::unexpected(std::move(failure));
    // Up to 0.5 s, then up to 1 s.
    const Duration pause(static_cast<Duration::rep>(context.random() % 500'000'000U) * tries);
    const Deadline resume = context.loop.after(pause);
    if (resume.is_never()) continue;  // a pause of zero is none
    const net::Wait::End end = co_await net::sleep_until(context.loop, resume);
    if (end == net::Wait::End::kStopped) co_return std::unexpected(std::move(failure));
  }
}

[[nodiscard]] std::unexpected<Failure> as_credential_failure(Failure failure, std::string what) {
  what = failure.describe(what);
  auto result = faulty(std::move(what));
  result.error().is_retryable = failure.is_retryable;
  result.error().reason = failure.reason;
  return result;
}

}  // namespace

MaybeCredentials from_environment(const Context& context) {
  Credentials found{variable(context, "AWS_ACCESS_KEY_ID"),
                    Secret(variable(context, "AWS_SECRET_ACCESS_KEY")),
                    Secret(variable(context, "AWS_SESSION_TOKEN")), std::nullopt};
  if (found.access_key_id.empty() && found.secret_access_key.empty()) return std::nullopt;
  if (found.access_key_id.empty()) {
    return faulty("AWS_SECRET_ACCESS_KEY is set without AWS_ACCESS_KEY_ID");
  }
  if (found.secret_access_key.empty()) {
    return faulty("AWS_ACCESS_KEY_ID is set without AWS_SECRET_ACCESS_KEY");
  }
  return found;
}

MaybeCredentials from_profile(const Context& context, const std::string& name, bool is_required) {
  const Outcome<Profile> profile = read_profile(context, name);
  if (!profile) return faulty(profile.error().message);
  const auto value = [&profile](std::string_view key) {
    const auto found = profile->find(key);
    return found == profile->end() ? std::string() : found->second;
  };
  for (const char* key : {"role_arn", "credential_process", "sso_session", "sso_start_url"}) {
    if (profile->contains(std::string_view(key))) {
      return faulty("profile " + name + " uses " + key +
                    ", which ebbgate does not: run `eval \"$(aws configure export-credentials "
                    "--profile " +
                    name + " --format env)\"` first");
    }
  }
  Credentials found{value("aws_access_key_id"), Secret(value("aws_secret_access_key")),
                    Secret(value("aws_session_token")), std::nullopt};
  if (!found.access_key_id.empty() && !found.secret_access_key.empty()) return found;
  if (!found.access_key_id.empty() || !found.secret_access_key.empty()) {
    return faulty("profile " + name + " has half of a key");
  }
  if (is_required) return faulty("there are no credentials in profile " + name);
  return std::nullopt;
}

net::Task<MaybeCredentials> from_web_identity(Context& context, std::string region) {
  const std::string path = variable(context, "AWS_WEB_IDENTITY_TOKEN_FILE");
  if (path.empty()) co_return std::nullopt;
  const std::string role = variable(context, "AWS_ROLE_ARN");
  if (role.empty()) co_return faulty("AWS_WEB_IDENTITY_TOKEN_FILE is set without AWS_ROLE_ARN");
  for (const char* name : {"AWS_REGION", "AWS_DEFAULT_REGION"}) {
    if (region.empty()) region = variable(context, name);
  }
  const Outcome<ServiceEndpoint> endpoint = endpoint_of(Service::kSts, region, context);
  if (!endpoint) co_return faulty("web identity: " + endpoint.error().message);
  const Outcome<Secret> token = read_token(context, path);
  if (!token) co_return std::unexpected(token.error());
  std::string session = variable(context, "AWS_ROLE_SESSION_NAME");
  if (session.empty()) session = "ebbgate";

  static constexpr std::string_view kOperation = "AssumeRoleWithWebIdentity";
  Form form(Service::kSts, std::string(kOperation));
  form.add("RoleArn", role).add("RoleSessionName", session);
  form.add("WebIdentityToken", token->reveal());
  https::Request request;
  request.method = "POST";
  request.url = endpoint->url + "/";
  request.headers = {{"Content-Type", "application/x-www-form-urlencoded; charset=utf-8"}};
  request.body = form.call().body;
  request.timeout = std::chrono::seconds(5);
  request.max_body = kMaxAnswer;
  Outcome<https::Response> response = co_await ask(context, std::move(request), *token);
  if (!response) {
    co_return as_credential_failure(std::move(response.error()), std::string(kOperation));
  }
  const std::optional<Element> root = parse_xml(response->body);
  const Element* result = root ? result_of(*root, std::string(kOperation)) : nullptr;
  std::optional<Credentials> found;
  if (result != nullptr) found = read_credentials(*result);
  if (!found) co_return faulty(std::string(kOperation) + ": the answer cannot be read");
  co_return found;
}

bool may_hold_credentials(const https::Url& url) {
  if (url.scheme == https::Scheme::kHttps) return true;
  const IpAddress* address = url.authority.host.address();
  if (address == nullptr) return false;
  static const std::array<Cidr, 5> allowed = {
      *Cidr::parse("127.0.0.0/8"), *Cidr::parse("::1"), *Cidr::parse("169.254.170.2"),
      *Cidr::parse("169.254.170.23"), *Cidr::parse("fd00:ec2::23")};
  return std::ranges::any_of(allowed, [&](const Cidr& cidr) { return cidr.contains(*address); });
}

net::Task<MaybeCredentials> from_container(Context& context) {
  const std::string relative = variable(context, "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI");
  const std::string full = variable(context, "AWS_CONTAINER_CREDENTIALS_FULL_URI");
  if (relative.empty() && full.empty()) co_return std::nullopt;
  if (!relative.empty() && !relative.starts_with('/')) {
    co_return faulty("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI does not begin with a slash");
  }
  https::Request request;
  request.url = relative.empty() ? full : "http://169.254.170.2" + relative;
  const Result<https::Url> url = https::Url::parse(request.url);
  if (!url) co_return faulty("the container's credentials URI: " + url.error().detail);
  if (!may_hold_credentials(*url)) {
    co_return faulty(
        "the container's credentials URI leads to " + url->authority.host.str() +
        ": only https, 127.0.0.1, 169.254.170.2, 169.254.170.23 and [fd00:ec2::23] are asked");
  }
  // The file is read each time: the kubelet writes a new token there.
  Secret token(variable(context, "AWS_CONTAINER_AUTHORIZATION_TOKEN"));
  const std::string path = variable(context, "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE");
  if (!path.empty()) {
    Outcome<Secret> read = read_token(context, path);
    if (!read) co_return std::unexpected(std::move(read.error()));
    token = *std::move(read);
  }
  if (token.reveal().find_first_of("\r\n") != std::string::npos) {
    co_return faulty("AWS_CONTAINER_AUTHORIZATION_TOKEN holds a line break");
  }
  if (!token.empty()) request.headers.push_back({"Authorization", token.reveal()});
  request.timeout = std::chrono::seconds(2);
  request.max_body = kMaxAnswer;
  Outcome<https::Response> response = co_await ask(context, std::move(request), token);
  if (!response) {
    co_return as_credential_failure(std::move(response.error()), "the container's credentials");
  }
  Outcome<Credentials> found = read_credentials(response->body);
  if (!found) {
    co_return as_credential_failure(std::move(found.error()), "the container's credentials");
  }
  co_return *std::move(found);
}

net::Task<MaybeCredentials> from_instance(Imds& imds) {
  static constexpr std::string_view kBase = "latest/meta-data/iam/security-credentials/";
  Outcome<std::optional<std::string>> roles = co_await imds.get(std::string(kBase));
  if (!roles && roles.error().kind == Failure::Kind::kInvalid) co_return std::nullopt;
  if (!roles) {
    co_return as_credential_failure(std::move(roles.error()), "the instance's credentials");
  }
  if (!*roles) co_return std::nullopt;
  const std::string role = (*roles)->substr(0, (*roles)->find_first_of("\r\n"));
  const bool is_name = !role.empty() && std::ranges::all_of(role, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           std::string_view("+=,.@_-").contains(c);
  });
  if (!is_name) co_return faulty("the instance's credentials: no name of a role came");
  Outcome<std::optional<std::string>> document = co_await imds.get(std::string(kBase) + role);
  if (!document) {
    co_return as_credential_failure(std::move(document.error()), "the instance's credentials");
  }
  Outcome<Credentials> found = read_credentials(document->value_or(std::string()));
  if (!found) {
    co_return as_credential_failure(std::move(found.error()), "the instance's credentials");
  }
  co_return *std::move(found);
}

}  // namespace ebbgate::aws::detail
