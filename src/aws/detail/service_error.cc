#include "aws/detail/service_error.h"

#include <algorithm>
#include <array>

#include "aws/detail/json.h"
#include "aws/detail/xml.h"

namespace ebbgate::aws::detail {
namespace {

// LimitExceededException is not among them: it is a quota, which waiting does not change.
constexpr std::array<std::string_view, 14> kThrottling = {"Throttling",
                                                          "ThrottlingException",
                                                          "ThrottledException",
                                                          "RequestThrottled",
                                                          "RequestThrottledException",
                                                          "TooManyRequestsException",
                                                          "TooManyRequests",
                                                          "ProvisionedThroughputExceededException",
                                                          "RequestLimitExceeded",
                                                          "BandwidthLimitExceeded",
                                                          "SlowDown",
                                                          "EC2ThrottledException",
                                                          "TooManyUpdates",
                                                          "TransactionInProgressException"};
constexpr std::array<std::string_view, 13> kTransient = {"RequestTimeout",
                                                         "RequestTimeoutException",
                                                         "PriorRequestNotComplete",
                                                         "InternalError",
                                                         "InternalFailure",
                                                         "InternalServerError",
                                                         "InternalServiceError",
                                                         "InternalServiceException",
                                                         "ServiceUnavailable",
                                                         "ServiceUnavailableException",
                                                         "Unavailable",
                                                         "ServerException",
                                                         "OperationAborted"};

struct CodeAndMessage {
  std::string code;
  std::string message;
  std::string request_id;
};

[[nodiscard]] CodeAndMessage read_json(const https::Response& response) {
  CodeAndMessage read;
  if (const std::string* type = response.header("x-amzn-errortype")) read.code = *type;
  const std::optional<Json> body = parse_json(response.body);
  if (!body) return read;
  for (const char* key : {"__type", "code"}) {
    if (read.code.empty()) read.code = text_at(*body, key);
  }
  for (const char* key : {"message", "Message"}) {
    if (read.message.empty()) read.message = text_at(*body, key);
  }
  return read;
}

[[nodiscard]] CodeAndMessage read_xml(const https::Response& response) {
  CodeAndMessage read;
  const std::optional<Element> body = parse_xml(response.body);
  if (!body) return read;
  // <ErrorResponse> of the query protocol, <Response> of EC2, <Error> of S3.
  const Element* error = body->at("Error");
  if (error == nullptr) error = body->at("Errors/Error");
  if (error == nullptr && body->name == "Error") error = &*body;
  if (error == nullptr) return read;
  read.code = error->text_at("Code");
  read.message = error->text_at("Message");
  for (const char* name : {"RequestId", "RequestID"}) {
    if (read.request_id.empty()) read.request_id = body->text_at(name);
  }
  return read;
}

// `com.amazonaws.ssm#ParameterNotFound` and `ParameterNotFound:http://…` without what is around.
[[nodiscard]] std::string bare(std::string_view code) {
  code = code.substr(0, code.find(':'));
  if (const std::size_t hash = code.rfind('#'); hash != std::string_view::npos) {
    code.remove_prefix(hash + 1);
  }
  const bool is_word = !code.empty() && code.size() <= 128 && std::ranges::all_of(code, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '_' || c == '-';
  });
  return is_word ? std::string(code) : std::string();
}

}  // namespace

Failure read_service_error(Protocol protocol, const https::Response& response) {
  const bool is_json = protocol == Protocol::kJson || protocol == Protocol::kRestJson;
  CodeAndMessage read = is_json ? read_json(response) : read_xml(response);
  Failure failure;
  failure.status = response.status;
  failure.code = bare(read.code);
  if (failure.code.empty()) failure.code = std::to_string(response.status);
  failure.message = std::move(read.message);
  // What was to be signed, headers and all, stands in the answer to a wrong signature.
  failure.message.resize(
      std::min(failure.message.find("The Canonical String"), failure.message.size()));
  while (failure.message.ends_with('\n')) failure.message.pop_back();
  for (const char* name : {"x-amzn-requestid", "x-amz-request-id"}) {
    const std::string* id = response.header(name);
    if (id != nullptr && failure.request_id.empty()) failure.request_id = *id;
  }
  if (failure.request_id.empty()) failure.request_id = std::move(read.request_id);
  failure.is_throttling =
      response.status == 429 || std::ranges::find(kThrottling, failure.code) != kThrottling.end();
  failure.is_retryable = failure.is_throttling || response.status >= 500 ||
                         std::ranges::find(kTransient, failure.code) != kTransient.end();
  return failure;
}

Failure network_failure(const Error& error) {
  Failure failure;
  failure.kind = Failure::Kind::kNetwork;
  failure.reason = error.reason;
  failure.message = error.detail;
  failure.is_retryable =
      error.reason == Reason::kDnsFailed || error.reason == Reason::kConnectFailed ||
      error.reason == Reason::kTimedOut || error.reason == Reason::kOriginInvalid ||
      error.reason == Reason::kOriginClosed;
  return failure;
}

void redact(Failure& failure, std::initializer_list<const Secret*> secrets) {
  for (const Secret* secret : secrets) {
    const std::string& text = secret->reveal();
    for (std::string* shown : {&failure.message, &failure.request_id}) {
      while (!text.empty() && shown->contains(text)) {
        shown->replace(shown->find(text), text.size(), "…");
      }
    }
  }
  if (failure.message.size() > kMaxMessage) failure.message.resize(kMaxMessage);
  if (failure.request_id.size() > kMaxMessage) failure.request_id.clear();
}

}  // namespace ebbgate::aws::detail
