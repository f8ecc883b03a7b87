#include "alert/attempt.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "base/ip.h"
#include "base/reason.h"
#include "policy/suffix.h"

namespace ebbgate::alert {
namespace {

using Json = nlohmann::json;

// What says nothing about where somebody wanted to go.
constexpr std::array kOfTheGateway = {
    Reason::kNoPolicy, Reason::kPolicyTooOld, Reason::kOverLimit, Reason::kOverCapacity,
    Reason::kDraining, Reason::kAuditStalled, Reason::kInternal};

std::string text(const Json& object, const char* key) {
  const auto found = object.find(key);
  return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

template <typename T>
T number(const Json& object, const char* key, T otherwise) {
  const auto found = object.find(key);
  return found != object.end() && found->is_number_unsigned() ? found->get<T>() : otherwise;
}

void read_subject(const Json& event, Attempt& attempt) {
  const auto subject = event.find("subject");
  if (subject != event.end() && subject->is_object()) {
    attempt.subject_kind = text(*subject, "kind");
    attempt.subject = text(*subject, "name");
    const std::string name_space = text(*subject, "namespace");
    if (!name_space.empty()) attempt.subject = name_space + "/" + attempt.subject;
  }
  if (!attempt.subject.empty()) return;
  attempt.subject = text(event, "user");
  attempt.subject_kind = attempt.subject.empty() ? "address" : "user";
  if (attempt.subject.empty()) attempt.subject = attempt.client;
}

}  // namespace

std::optional<Attempt> read_attempt(std::string_view line) {
  const Json event = Json::parse(line, nullptr, false);
  if (!event.is_object() || text(event, "verdict") != "DENY") return std::nullopt;
  Attempt attempt{.time = text(event, "time"),
                  .id = text(event, "id"),
                  .count = number<std::uint64_t>(event, "count", 1),
                  .subject_kind = {},
                  .subject = {},
                  .client = text(event, "client"),
                  .method = text(event, "method"),
                  .host = text(event, "host"),
                  .port = number<std::uint16_t>(event, "port", 0),
                  .reason = text(event, "reason"),
                  .policy = text(event, "policy")};
  const auto reason = reason_of(attempt.reason);
  if (reason && std::ranges::find(kOfTheGateway, *reason) != kOfTheGateway.end()) {
    return std::nullopt;
  }
  read_subject(event, attempt);
  return attempt;
}

std::string group_of(const Attempt& attempt) {
  if (attempt.host.empty()) return "(none)";
  if (IpAddress::parse(attempt.host)) return attempt.host;
  const std::string_view domain = policy::registrable_domain(attempt.host);
  return std::string(domain.empty() ? std::string_view(attempt.host) : domain);
}

}  // namespace ebbgate::alert
