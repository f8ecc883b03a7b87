#include "aws/imds.h"

#include <algorithm>

#include "aws/detail/service_error.h"
#include "https/url.h"

namespace ebbgate::aws {
namespace {

constexpr std::chrono::hours kTokenLife{6};  // the most that the service grants
constexpr Duration kTimeout = std::chrono::seconds(1);
constexpr int kTries = 3;
constexpr std::size_t kMaxAnswer = 64 << 10;

[[nodiscard]] Outcome<std::string> base_url(const Context& context) {
  const auto value = [&context](const char* name) {
    return context.environment(name).value_or(std::string());
  };
  if (value("AWS_EC2_METADATA_DISABLED") == "true") {
    return failed(Failure::Kind::kInvalid, "AWS_EC2_METADATA_DISABLED is true");
  }
  std::string url = value("AWS_EC2_METADATA_SERVICE_ENDPOINT");
  if (url.empty()) {
    const std::string mode = value("AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE");
    return mode == "IPv6" || mode == "ipv6" ? "http://[fd00:ec2::254]" : "http://169.254.169.254";
  }
  const Result<https::Url> parsed = https::Url::parse(url);
  if (!parsed || parsed->target.contains('?')) {
    return failed(Failure::Kind::kInvalid, "AWS_EC2_METADATA_SERVICE_ENDPOINT is no URL of a host");
  }
  while (url.ends_with('/')) url.pop_back();
  return url;
}

[[nodiscard]] bool is_token(std::string_view text) {
  return !text.empty() && text.size() <= 4096 &&
         std::ranges::all_of(text, [](char c) { return c > ' ' && c < '\x7f'; });
}

}  // namespace

// One request, again where nothing answered in time or the service failed.
net::Task<Outcome<https::Response>> Imds::exchange(std::string method, std::string path,
                                                   https::Header header) {
  Outcome<std::string> base = base_url(*context_);
  if (!base) co_return std::unexpected(std::move(base.error()));
  https::Request request;
  request.method = std::move(method);
  request.url = *base + "/" + path;
  request.headers.push_back(std::move(header));
  request.timeout = kTimeout;
  request.max_body = kMaxAnswer;
  for (int tries = 1;; ++tries) {
    https::Request copy = request;
    Result<https::Response> response = co_await context_->transport.send(std::move(copy));
    if (response && (response->status < 500 || tries == kTries)) co_return *std::move(response);
    if (response) continue;
    Failure failure = detail::network_failure(response.error());
    if (tries == kTries || !failure.is_retryable) {
      failure.message = "the instance metadata service does not answer (" + failure.message +
                        "); in a container, the instance's hop limit has to be 2";
      co_return std::unexpected(std::move(failure));
    }
  }
}

net::Task<Outcome<Secret>> Imds::token() {
  if (!token_.empty() && context_->loop.now() < token_good_until_) co_return token_;
  const std::string seconds =
      std::to_string(std::chrono::duration_cast<std::chrono::seconds>(kTokenLife).count());
  https::Header life{"X-aws-ec2-metadata-token-ttl-seconds", seconds};
  Outcome<https::Response> response = co_await exchange("PUT", "latest/api/token", std::move(life));
  if (!response) co_return std::unexpected(std::move(response.error()));
  // No way back to version 1, whose answers anybody could be made to fetch.
  if (response->status != 200 || !is_token(response->body)) {
    co_return failed(Failure::Kind::kUnreadable,
                     "the instance metadata service gives no session token (status " +
                         std::to_string(response->status) + ")");
  }
  token_ = Secret(std::move(response->body));
  // A minute less, so that it does not run out on its way.
  token_good_until_ = context_->loop.now() + kTokenLife - std::chrono::minutes(1);
  co_return token_;
}

net::Task<Outcome<std::optional<std::string>>> Imds::get(std::string path) {
  for (int tries = 1;; ++tries) {
    Outcome<Secret> session = co_await token();
    if (!session) co_return std::unexpected(std::move(session.error()));
    https::Header header{"X-aws-ec2-metadata-token", session->reveal()};
    Outcome<https::Response> response = co_await exchange("GET", path, std::move(header));
    if (!response) co_return std::unexpected(std::move(response.error()));
    if (response->status == 200) co_return std::move(response->body);
    if (response->status == 404) co_return std::nullopt;
    if (response->status == 401 && tries == 1) {  // the token is another instance's, or forgotten
      token_ = {};
      continue;
    }
    Failure failure;
    failure.kind = Failure::Kind::kUnreadable;
    failure.status = response->status;
    failure.is_retryable = response->status >= 500;
    failure.message =
        "the instance metadata service answers " + std::to_string(response->status) + " to " + path;
    co_return std::unexpected(std::move(failure));
  }
}

net::Task<Outcome<std::string>> Imds::required(std::string path) {
  Outcome<std::optional<std::string>> value = co_await get(path);
  if (!value) co_return std::unexpected(std::move(value.error()));
  if (!*value || (*value)->empty()) {
    co_return failed(Failure::Kind::kUnreadable,
                     "the instance metadata service has nothing at " + path);
  }
  co_return **std::move(value);
}

net::Task<Outcome<std::string>> Imds::instance_id() {
  return required("latest/meta-data/instance-id");
}
net::Task<Outcome<std::string>> Imds::region() {
  return required("latest/meta-data/placement/region");
}
net::Task<Outcome<std::string>> Imds::availability_zone() {
  return required("latest/meta-data/placement/availability-zone");
}
net::Task<Outcome<std::optional<std::string>>> Imds::public_ipv4() {
  return get("latest/meta-data/public-ipv4");
}
net::Task<Outcome<std::optional<std::string>>> Imds::target_lifecycle_state() {
  return get("latest/meta-data/autoscaling/target-lifecycle-state");
}

}  // namespace ebbgate::aws
