#include "app/explain_command.h"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <fstream>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "app/exit_code.h"
#include "app/explanation.h"
#include "app/lookup.h"
#include "app/options.h"
#include "base/clock.h"
#include "base/escape.h"
#include "config/arguments.h"
#include "config/bundles.h"
#include "config/load_policy.h"
#include "config/settings.h"

namespace ebbgate::app {
namespace {

constexpr const char* kHelp = R"(usage: ebbgate explain TARGET [FLAGS]
       ebbgate explain --id ID --log FILE [FLAGS]

Why a request is allowed or refused: each step of the decision with the entry that matched, the
entry that came nearest, and the line that would allow it. TARGET is a host, host:port (443 where
none is named) or a URL of http or https; http:// asks for a request in the clear.

Examples:
  ebbgate explain registry-1.docker.io --policy policy.yaml --from 10.64.8.3
  ebbgate explain https://api.github.com/ --allow-file hosts.list --resolve --sni api.github.com
  ebbgate explain --id 0c5tq2v8m1a4x9kd --log access.json --policy policy.yaml

Flags:
  --from ADDRESS         The client; without it, only what is for everyone counts.
  --user USER            The user that the client proved to be.
  --namespace NAMESPACE  The Kubernetes namespace of the client's pod.
  --service-account NAME Its service account.
  --pod-labels N=V,...   Its labels.
  --method METHOD        Of a request in the clear; CONNECT asks for a tunnel.
  --sni NAME             The server name of the TLS handshake, to be judged too.
  --resolve              Resolve the name, with --dns if given, and judge each address.
  --id ID                Explain the request of that id, as the log has it.
  --log FILE             The JSON log that has it; - for standard input.
  --format text|json     What to print; default: text.
  --help                 This text.
  and each flag of `ebbgate run` that says where policies are; see `ebbgate run --help`.

Exit codes: 0 it is let pass, 1 it is refused, 2 usage, 3 the policy is invalid.
)";

constexpr Duration kPatience = std::chrono::seconds(10);  // for a name to resolve

struct Options {
  ExplainWords words;
  bool resolves = false;
  std::string id;
  std::string log;
  bool as_json = false;
};

int refuse(const std::string& message) {
  std::fprintf(stderr, "ebbgate explain: %s\n", escaped_prose(message).c_str());
  return kUsage;
}

// Takes the flags of this command out of `arguments`; the others are those of `run`. Out: what is
// wrong with them, if anything.
std::optional<std::string> take_own_flags(config::Arguments& arguments, Options& options) {
  std::optional<std::string> wrong;
  std::erase_if(arguments.flags, [&](const config::Flag& flag) {
    for (const ExplainField& field : kExplainFields) {
      if (flag.name != field.name) continue;
      options.words.*field.word = flag.value;
      return true;
    }
    if (flag.name == "id") {
      options.id = flag.value;
    } else if (flag.name == "log") {
      options.log = flag.value;
    } else if (flag.name == "resolve") {
      options.resolves = flag.value == "true";
    } else if (flag.name == "format") {
      options.as_json = flag.value == "json";
      if (flag.value != "text" && flag.value != "json") wrong = "--format is text or json";
    } else {
      return false;
    }
    return true;
  });
  if (options.id.empty() != options.log.empty()) wrong = "--id and --log go together";
  if (arguments.operands.size() != (options.id.empty() ? 1 : 0)) {
    wrong = "name one target, or --id and --log";
  } else if (options.id.empty()) {
    options.words.target = arguments.operands.front();
  }
  return wrong;
}

// What the log says of a request.
struct LoggedRequest {
  ExplainWords words;
  std::vector<IpAddress> addresses;
  std::string told;  // a sentence about the event, for people
};

std::string text_at(const nlohmann::json& event, const char* key) {
  const auto found = event.find(key);
  return found != event.end() && found->is_string() ? found->get<std::string>() : "";
}

// Takes what one more event of the request says.
void take_event(const nlohmann::json& event, LoggedRequest& request) {
  ExplainWords& words = request.words;
  const auto fill = [&](std::string& into, std::string value) {
    if (!value.empty()) into = std::move(value);
  };
  const std::string host = text_at(event, "host");
  const auto port = event.find("port");
  if (!host.empty() && port != event.end() && port->is_number_unsigned()) {
    words.target = host + ":" + std::to_string(port->get<unsigned>());
  } else {
    fill(words.target, text_at(event, "target"));
  }
  const std::string method = text_at(event, "method");
  fill(words.method, method);
  // Of a request in the clear the path counts too.
  if (method != "CONNECT" && text_at(event, "target").contains("://")) {
    words.target = text_at(event, "target");
  }
  fill(words.from, text_at(event, "client"));
  fill(words.user, text_at(event, "user"));
  fill(words.sni, text_at(event, "sni"));
  if (const auto subject = event.find("subject"); subject != event.end() && subject->is_object()) {
    fill(words.pod_namespace, text_at(*subject, "namespace"));
  }
  if (const auto address = IpAddress::parse(text_at(event, "address"))) {
    request.addresses = {*address};
  }
  request.told = text_at(event, "time") + " " + text_at(event, "phase") + ": " +
                 text_at(event, "verdict") + " " + text_at(event, "reason");
  if (const std::string rule = text_at(event, "rule"); !rule.empty()) request.told += " by " + rule;
  if (const std::string version = text_at(event, "policyVersion"); !version.empty()) {
    request.told += ", policy " + version;
  }
}

// The events of that id; nothing where there is none. Lines that are no JSON are passed over.
std::optional<LoggedRequest> find_in_log(std::istream& log, const std::string& id) {
  std::optional<LoggedRequest> found;
  const std::string mark = '"' + id + '"';
  for (std::string line; std::getline(log, line);) {
    if (!line.contains(mark)) continue;  // most lines are not worth parsing
    const auto event = nlohmann::json::parse(line, nullptr, false);
    if (!event.is_object() || text_at(event, "id") != id) continue;
    if (!found) found.emplace();
    take_event(event, *found);
  }
  return found;
}

bool is_let_pass(const policy::Policy& policy, const policy::Subject& subject,
                 const policy::Request& request) {
  return policy::decide(policy, subject, request, SystemClock().wall()).verdict !=
         policy::Verdict::kDeny;
}

// Resolves the target's name, as the gateway would: where it is let pass only. Of a target that is
// an address, the server name that was asked about.
void resolve(const policy::Policy& policy, const dns::ResolverOptions& options,
             policy::Inquiry& inquiry) {
  const auto asked = policy::parse_target(inquiry.target, inquiry.method);
  if (!asked) return;
  const policy::Subject& subject = inquiry.subject;
  const Host& host = asked->authority.host;
  if (host.name() != nullptr && is_let_pass(policy, subject, asked->request())) {
    auto found = look_up(*host.name(), options, kPatience);
    inquiry.lookup.emplace();
    if (found) {
      inquiry.lookup->addresses = *std::move(found);
    } else {
      inquiry.lookup->failure = std::move(found.error().detail);
    }
  } else if (host.address() != nullptr && inquiry.handshake) {
    const Hostname& server_name = *inquiry.handshake->server_name;
    const Host named(server_name);
    if (!is_let_pass(policy, subject, {.host = named, .port = asked->authority.port})) return;
    const auto found = look_up(server_name, options, kPatience);
    inquiry.handshake->name_leads_here =
        found && std::ranges::find(*found, *host.address()) != found->end();
  }
}

}  // namespace

int run_explain(std::span<const char* const> words) {
  std::vector<config::FlagSyntax> flags(config::run_flags().begin(), config::run_flags().end());
  for (const ExplainField& field : kExplainFields) {
    if (field.word != &ExplainWords::target) flags.push_back({field.name});
  }
  flags.push_back({"id"});
  flags.push_back({"log"});
  flags.push_back({"format"});
  flags.push_back({"resolve", config::FlagValue::kNone});
  config::Arguments arguments = config::split_arguments(words, flags);
  if (arguments.help) {
    std::fputs(kHelp, stdout);
    return kFine;
  }
  Options options;
  if (const auto wrong = take_own_flags(arguments, options); wrong && arguments.problems.empty()) {
    return refuse(*wrong + "; `ebbgate explain --help` has examples");
  }
  arguments.operands.clear();
  const config::LoadedSettings settings = config::load_settings(arguments);
  if (settings.validity != config::Validity::kValid) {
    std::fputs(config::str(settings.problems).c_str(), stderr);
    return settings.validity == config::Validity::kUsage ? kUsage : kInvalid;
  }

  std::optional<LoggedRequest> logged;
  if (!options.id.empty()) {
    std::ifstream file(options.log == "-" ? "/dev/stdin" : options.log);
    if (!file) return refuse("cannot read " + options.log);
    logged = find_in_log(file, options.id);
    if (!logged) {
      std::fprintf(stderr, "ebbgate explain: the log has no request %s\n",
                   escaped(options.id).c_str());
      return kFailed;
    }
    options.words = logged->words;
  }
  auto inquiry = inquiry_of(options.words);
  if (!inquiry) return refuse(inquiry.error().detail);
  if (logged && !logged->addresses.empty()) inquiry->lookup = policy::Lookup{logged->addresses};

  const config::LoadedPolicy loaded = config::look_at_policy(settings.settings);
  if (loaded.policy == nullptr) {
    std::fputs(config::str(loaded.problems).c_str(), stderr);
    return kInvalid;
  }
  if (options.resolves) resolve(*loaded.policy, resolver_options(settings.settings), *inquiry);
  const policy::AddressGuard guard(guard_settings(settings.settings, settings.settings.listen));
  const policy::Finding finding = policy::answer(*loaded.policy, guard, *inquiry,
                                                 SystemClock().wall(), config::builtin_bundles());
  if (options.as_json) {
    std::fputs(json(finding).c_str(), stdout);
  } else {
    if (logged) std::printf("logged: %s\nnow:    ", escaped_prose(logged->told).c_str());
    std::fputs(policy::text(finding).c_str(), stdout);
  }
  return finding.verdict == policy::Verdict::kDeny ? kFailed : kFine;
}

}  // namespace ebbgate::app
