#include "kube/failure.h"

#include <charconv>
#include <nlohmann/json.hpp>

#include "base/escape.h"

namespace ebbgate::kube {
namespace {

constexpr Duration kLongestWait = std::chrono::hours(1);

[[nodiscard]] std::optional<Duration> seconds_of(std::int64_t count) {
  if (count < 0) return std::nullopt;
  const auto longest = std::chrono::duration_cast<std::chrono::seconds>(kLongestWait).count();
  return std::chrono::seconds(std::min<std::int64_t>(count, longest));
}

[[nodiscard]] std::optional<Duration> seconds_of(const std::string* text) {
  if (text == nullptr) return std::nullopt;
  std::int64_t count = 0;
  const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), count);
  if (error != std::errc() || end != text->data() + text->size()) return std::nullopt;
  return seconds_of(count);
}

[[nodiscard]] std::string text_of(const nlohmann::json& object, const char* key) {
  const auto found = object.find(key);
  return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

}  // namespace

bool Failure::is_retryable() const {
  if (kind == Kind::kNetwork)
    return error != Reason::kDraining && error != Reason::kMalformedRequest;
  return kind == Kind::kStatus && (status == 429 || status >= 500);
}

std::string Failure::describe(std::string_view what) const {
  std::string text(what);
  if (kind == Kind::kStatus) {
    text += ": the API answered " + std::to_string(status);
    if (!reason.empty()) text += " " + escaped_prose(reason, 128);
  }
  if (!message.empty()) text += ": " + escaped_prose(message, 1024);
  return text;
}

Error Failure::to_error(std::string_view what) const {
  Reason why = error;
  if (kind == Kind::kUnreadable || kind == Kind::kStatus) why = Reason::kOriginInvalid;
  const bool is_ours = kind == Kind::kInvalid || kind == Kind::kCredentials;
  return {why, is_ours ? Side::kSelf : Side::kOrigin, describe(what)};
}

Failure failure_of(Error error) {
  Failure failure;
  const bool is_ours = error.side == Side::kSelf && error.reason == Reason::kInternal;
  failure.kind = is_ours ? Failure::Kind::kCredentials : Failure::Kind::kNetwork;
  failure.error = error.reason;
  failure.message = std::move(error.detail);
  return failure;
}

Failure failure_of(int status, std::string_view body, const std::string* retry_after) {
  Failure failure;
  failure.status = status;
  failure.retry_after = seconds_of(retry_after);
  const nlohmann::json json = nlohmann::json::parse(body, nullptr, false);
  if (!json.is_object() || text_of(json, "kind") != "Status") {
    failure.message = std::string(body.substr(0, 256));
    return failure;
  }
  failure.reason = text_of(json, "reason");
  failure.message = text_of(json, "message");
  const auto code = json.find("code");
  if (code != json.end() && code->is_number_integer() && *code >= 100 && *code <= 599) {
    failure.status = code->get<int>();
  }
  const auto details = json.find("details");
  if (details != json.end() && details->is_object()) {
    const auto causes = details->find("causes");
    if (causes != details->end() && causes->is_array()) {
      for (const nlohmann::json& each : *causes) {
        if (!each.is_object()) continue;
        failure.causes.push_back(
            {text_of(each, "reason"), text_of(each, "message"), text_of(each, "field")});
      }
    }
    const auto wait = details->find("retryAfterSeconds");
    if (!failure.retry_after && wait != details->end() && wait->is_number_integer()) {
      failure.retry_after = seconds_of(wait->get<std::int64_t>());
    }
  }
  return failure;
}

}  // namespace ebbgate::kube
