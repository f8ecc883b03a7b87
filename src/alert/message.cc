#include "alert/message.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/escape.h"
#include "base/reason.h"

namespace ebbgate::alert {
namespace {

using Json = nlohmann::ordered_json;

// So many groups of a summary are told one by one.
constexpr std::size_t kMaxListed = 20;
// Names can be long; what follows them has to fit too.
constexpr std::size_t kMaxName = 200;

std::string shown(std::string_view text) {
  return escaped_prose(text, kMaxName);
}

std::string subject_line(const std::string& text) {
  std::string line = escaped_prose(text, kMaxSubject);
  if (line.size() > kMaxSubject) line.resize(kMaxSubject);
  return line;
}

std::string who(const Alert& alert) {
  if (alert.subject_kind == "others") return "further clients, too many to tell apart";
  return shown(alert.subject) + " (" + shown(alert.subject_kind) + ")";
}

std::string what(const Attempt& attempt) {
  if (attempt.host.empty()) return "a request that could not be read";
  std::string out = shown(attempt.method.empty() ? "-" : attempt.method) + " ";
  const bool is_v6 = attempt.host.find(':') != std::string::npos;
  out += is_v6 ? "[" + shown(attempt.host) + "]" : shown(attempt.host);
  if (attempt.port != 0) out += ":" + std::to_string(attempt.port);
  return out;
}

std::string why(const Attempt& attempt) {
  const auto reason = reason_of(attempt.reason);
  return shown(attempt.reason) + (reason ? ": " + std::string(info(*reason).summary) : "");
}

std::string times(std::uint64_t count) {
  return count == 1 ? "once" : std::to_string(count) + " times";
}

std::string row(std::string_view name, const std::string& value) {
  std::string out(name);
  out.resize(10, ' ');
  return out + value + "\n";
}

Json json_of(const Tally& tally) {
  return {
      {"domain", tally.name},        {"count", tally.count},        {"firstSeen", tally.first.time},
      {"lastSeen", tally.last.time}, {"host", tally.last.host},     {"port", tally.last.port},
      {"method", tally.last.method}, {"reason", tally.last.reason}, {"policy", tally.last.policy},
      {"client", tally.last.client}, {"id", tally.last.id}};
}

std::string json_of(const Alert& alert, std::string_view gateway, std::uint64_t total) {
  Json groups = Json::array();
  for (const Tally& tally : alert.tallies) groups.push_back(json_of(tally));
  const Json object = {{"alert", alert.kind == Alert::Kind::kFirst ? "denied" : "denied-summary"},
                       {"gateway", gateway},
                       {"subject", {{"kind", alert.subject_kind}, {"name", alert.subject}}},
                       {"count", total},
                       {"groups", std::move(groups)},
                       {"beyond", alert.beyond}};
  return object.dump(-1, ' ', true, Json::error_handler_t::replace);
}

void explain(std::string& text, const Attempt& attempt) {
  text +=
      "\nWhy, and what would allow it, with the gateway's JSON log at hand:\n  ebbgate explain "
      "--id " +
      shown(attempt.id) + " --log FILE\n";
}

Message compose_first(const Alert& alert, std::string_view gateway) {
  const Tally& tally = alert.tallies.front();
  const Attempt& attempt = tally.last;
  Message message;
  message.subject = subject_line("Ebbgate refused: " + alert.subject + " -> " + tally.name);
  message.text =
      "A request was refused that the policy does not allow. It is the first of its kind.\n\n" +
      row("who", who(alert)) + row("address", shown(attempt.client)) + row("what", what(attempt)) +
      row("why", why(attempt)) + row("how often", times(tally.count)) +
      row("when", shown(attempt.time)) + row("request", shown(attempt.id)) +
      row("gateway", shown(gateway));
  if (!attempt.policy.empty()) message.text += row("policy", shown(attempt.policy));
  explain(message.text, attempt);
  message.text += "\nFurther attempts of this client at " + shown(tally.name) +
                  " are counted, and told in one summary an hour.\n";
  message.json = json_of(alert, gateway, tally.count);
  return message;
}

Message compose_summary(const Alert& alert, std::string_view gateway) {
  std::uint64_t total = alert.beyond;
  for (const Tally& tally : alert.tallies) total += tally.count;
  Message message;
  message.subject = subject_line("Ebbgate refused " + std::to_string(total) +
                                 " further requests of " + alert.subject);
  message.text =
      "Requests that were refused within the last hour, besides those that were told before.\n\n" +
      row("who", who(alert)) + row("how often", times(total)) + row("gateway", shown(gateway)) +
      "\n";
  const std::size_t listed = std::min(alert.tallies.size(), kMaxListed);
  std::uint64_t rest = alert.beyond;
  for (std::size_t i = listed; i < alert.tallies.size(); ++i) rest += alert.tallies[i].count;
  for (std::size_t i = 0; i < listed; ++i) {
    const Tally& tally = alert.tallies[i];
    message.text += "- " + shown(tally.name) + ": " + times(tally.count) + ", " +
                    shown(tally.first.time) + " to " + shown(tally.last.time) + "; last " +
                    what(tally.last) + " (" + shown(tally.last.reason) + "), request " +
                    shown(tally.last.id) + "\n";
  }
  if (rest > 0) message.text += "- at other names: " + times(rest) + "\n";
  if (listed > 0) explain(message.text, alert.tallies.front().last);
  message.json = json_of(alert, gateway, total);
  return message;
}

}  // namespace

Message compose(const Alert& alert, std::string_view gateway) {
  return alert.kind == Alert::Kind::kFirst ? compose_first(alert, gateway)
                                           : compose_summary(alert, gateway);
}

Message compose_dropped(std::uint64_t count, std::string_view gateway) {
  Message message;
  message.subject = subject_line("Ebbgate could not send " + std::to_string(count) + " alerts");
  message.text = "The alerts could not be sent for a while, and " + std::to_string(count) +
                 (count == 1 ? " of them is" : " of them are") +
                 " lost. The refusals are in the gateway's log all the same.\n\n" +
                 row("gateway", shown(gateway));
  message.json = Json{{"alert", "alerts-dropped"}, {"gateway", gateway}, {"count", count}}.dump(
      -1, ' ', true, Json::error_handler_t::replace);
  return message;
}

}  // namespace ebbgate::alert
