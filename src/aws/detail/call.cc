#include "aws/detail/call.h"

#include "aws/sigv4.h"

namespace ebbgate::aws::detail {

std::unexpected<Failure> unreadable(std::string_view operation) {
  auto failure = failed(Failure::Kind::kUnreadable,
                        "the answer to " + std::string(operation) + " cannot be read");
  failure.error().is_retryable = true;
  return failure;
}

net::Task<Outcome<void>> done(net::Task<Outcome<Nothing>> task) {
  Outcome<Nothing> outcome = co_await task;
  if (!outcome) co_return std::unexpected(std::move(outcome.error()));
  co_return Outcome<void>();
}

Call json_call(Service service, std::string operation, const Json& body) {
  Call call;
  call.service = service;
  call.protocol = Protocol::kJson;
  call.operation = std::move(operation);
  call.body = to_text(body);
  return call;
}

Form::Form(Service service, std::string operation)
    : service_(service), operation_(std::move(operation)) {
  add("Action", operation_).add("Version", info(service).version);
}

Form& Form::add(std::string_view name, std::string_view value) {
  if (!body_.empty()) body_ += '&';
  body_ += percent_encoded(name) + "=" + percent_encoded(value);
  return *this;
}

Form& Form::add_unless_empty(std::string_view name, std::string_view value) {
  return value.empty() ? *this : add(name, value);
}

Form& Form::add_list(const std::string& name, const std::vector<std::string>& values) {
  for (std::size_t i = 0; i < values.size(); ++i) {
    add(name + "." + std::to_string(i + 1), values[i]);
  }
  return *this;
}

Call Form::call() const {
  Call call;
  call.service = service_;
  call.operation = operation_;
  call.body = body_;
  return call;
}

const Element* result_of(const Element& root, const std::string& operation) {
  if (root.name != operation + "Response") return nullptr;
  const Element* result = root.at(operation + "Result");
  return result == nullptr ? &root : result;
}

}  // namespace ebbgate::aws::detail
