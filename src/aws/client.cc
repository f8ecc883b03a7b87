#include "aws/client.h"

#include <algorithm>
#include <array>
#include <span>
#include <utility>

#include "aws/detail/service_error.h"
#include "aws/detail/time.h"
#include "aws/sigv4.h"

namespace ebbgate::aws {
namespace {

constexpr int kRetryCost = 5;
// AWS takes signatures that are up to 5 minutes off; a smaller difference is not the cause.
constexpr Duration kTolerableSkew = std::chrono::minutes(4);

// Of one call: the second takes back what one server of many, whose own clock was wrong, said.
constexpr int kMaxCorrections = 2;

constexpr std::array<std::string_view, 7> kSkewCodes = {
    "RequestTimeTooSkewed", "RequestExpired",        "RequestInTheFuture",
    "AuthFailure",          "SignatureDoesNotMatch", "InvalidSignatureException",
    "InvalidSignature"};
constexpr std::array<std::string_view, 3> kExpiredCodes = {"ExpiredToken", "ExpiredTokenException",
                                                           "TokenRefreshRequired"};

[[nodiscard]] bool is_one_of(const Failure& failure, std::span<const std::string_view> codes) {
  return failure.kind == Failure::Kind::kService &&
         std::ranges::find(codes, failure.code) != codes.end();
}

[[nodiscard]] std::string_view content_type(Protocol protocol) {
  switch (protocol) {
    case Protocol::kJson:
      return "application/x-amz-json-1.1";
    case Protocol::kQuery:
      return "application/x-www-form-urlencoded; charset=utf-8";
    case Protocol::kRestJson:
      return "application/json";
    case Protocol::kRestXml:
      return {};  // the object's own, from the caller
  }
  return {};
}

// What is left for one exchange; zero or less when the deadline has come.
[[nodiscard]] Duration time_for_one(Duration most, Deadline deadline, MonotonicTime now) {
  return deadline.is_never() ? most : std::min(most, deadline.when() - now);
}

}  // namespace

Outcome<https::Request> Client::build(Call call, Deadline deadline) const {
  const Outcome<ServiceEndpoint> endpoint = endpoint_of(call.service, options_.region, *context_);
  if (!endpoint) return std::unexpected(endpoint.error());
  https::Request request;
  request.method = std::move(call.method);
  request.url = endpoint->url;
  if (!call.host_prefix.empty() && endpoint->is_overridden) {
    request.url += "/" + call.host_prefix;
  } else if (!call.host_prefix.empty()) {
    request.url.insert(request.url.find("://") + 3, call.host_prefix + ".");
  }
  request.url += call.path;
  if (!call.query.empty()) request.url += "?" + call.query;
  request.headers = std::move(call.headers);
  if (call.protocol == Protocol::kJson) {
    const std::string target(info(call.service).target);
    request.headers.push_back({"X-Amz-Target", target + "." + call.operation});
  }
  const std::string_view type = content_type(call.protocol);
  if (!type.empty() && !call.body.empty()) {
    request.headers.push_back({"Content-Type", std::string(type)});
  }
  request.body = std::move(call.body);
  request.max_body = call.max_body;
  request.timeout = time_for_one(options_.attempt_timeout, deadline, context_->loop.now());
  return request;
}

net::Task<Client::Attempt> Client::attempt(Call call, Deadline deadline) {
  const Protocol protocol = call.protocol;
  const SigningScope scope{options_.region, std::string(info(call.service).signing_name)};
  Outcome<Credentials> credentials = co_await credentials_->get();
  if (!credentials) co_return Attempt{std::unexpected(credentials.error()), {}, {}};
  Outcome<https::Request> request = build(std::move(call), deadline);
  if (!request) co_return Attempt{std::unexpected(request.error()), {}, {}};
  if (request->timeout <= Duration::zero()) {
    const Error late{Reason::kTimedOut, Side::kOrigin, "no answer in time"};
    co_return Attempt{std::unexpected(detail::network_failure(late)), {}, {}};
  }
  Result<https::Request> signed_request = sign(*std::move(request), *credentials, scope, now());
  if (!signed_request) {
    Failure failure = detail::network_failure(signed_request.error());
    failure.kind = Failure::Kind::kInvalid;
    co_return Attempt{std::unexpected(std::move(failure)), {}, {}};
  }
  Result<https::Response> response = co_await context_->transport.send(*std::move(signed_request));
  if (!response) {
    Failure failure = detail::network_failure(response.error());
    detail::redact(failure, {&credentials->secret_access_key, &credentials->session_token});
    co_return Attempt{std::unexpected(std::move(failure)), {}, {}};
  }
  const std::string* date = response->header("date");
  std::optional<WallTime> service_time;
  if (date != nullptr) service_time = detail::parse_http_date(*date);
  if ((response->status >= 200 && response->status < 300) || response->status == 304) {
    co_return Attempt{*std::move(response), service_time, *std::move(credentials)};
  }
  Failure failure = detail::read_service_error(protocol, *response);
  detail::redact(failure, {&credentials->secret_access_key, &credentials->session_token});
  co_return Attempt{std::unexpected(std::move(failure)), service_time, *std::move(credentials)};
}

Duration Client::pause_before(int next_attempt) {
  const int doublings = std::min(next_attempt - 2, 20);
  const Duration bound = std::min(options_.max_backoff, options_.backoff * (1 << doublings));
  return bound <= Duration::zero()
             ? Duration::zero()
             : Duration(static_cast<Duration::rep>(context_->random() %
                                                   static_cast<std::uint64_t>(bound.count() + 1)));
}

bool Client::corrects_clock(const Failure& failure, std::optional<WallTime> date) {
  if (!date || !is_one_of(failure, kSkewCodes)) return false;
  const Duration difference = *date - now();
  if (std::chrono::abs(difference) < kTolerableSkew) return false;
  skew_ += difference;
  return true;
}

net::Task<Outcome<https::Response>> Client::send(Call call, Deadline deadline) {
  int corrections = 0;
  bool has_new_credentials = false;
  for (int attempts = 1;;) {
    Call copy = call;
    Attempt last = co_await attempt(std::move(copy), deadline);
    if (last.outcome) {
      retry_budget_ = std::min(retry_budget_ + 1, options_.retry_budget);
      co_return std::move(last.outcome);
    }
    const Failure& failure = last.outcome.error();
    // These two say what is wrong, so that there is nothing to wait for.
    if (corrections < kMaxCorrections && corrects_clock(failure, last.date)) {
      ++corrections;
      continue;
    }
    if (!has_new_credentials && is_one_of(failure, kExpiredCodes)) {
      has_new_credentials = true;
      credentials_->reject(last.credentials);
      continue;
    }
    if (!failure.is_retryable || ++attempts > options_.max_attempts || retry_budget_ < kRetryCost) {
      co_return std::move(last.outcome);
    }
    const Deadline resume = context_->loop.after(pause_before(attempts));
    if (!resume.is_never()) {  // a pause of zero is none
      if (resume.when() >= deadline.when()) co_return std::move(last.outcome);
      const net::Wait::End end = co_await net::sleep_until(context_->loop, resume);
      if (end == net::Wait::End::kStopped) co_return std::move(last.outcome);
    }
    retry_budget_ -= kRetryCost;
  }
}

}  // namespace ebbgate::aws
