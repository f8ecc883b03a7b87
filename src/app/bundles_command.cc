#include "app/bundles_command.h"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "app/exit_code.h"
#include "app/lookup.h"
#include "base/escape.h"
#include "config/arguments.h"
#include "config/bundles.h"
#include "config/settings.h"

namespace ebbgate::app {
namespace {

using Json = nlohmann::ordered_json;

constexpr const char* kHelp = R"(usage: ebbgate bundles list [--format json]
       ebbgate bundles show NAME [--region REGION] [--account ACCOUNT] [--format json]
       ebbgate bundles verify [NAME...] [--region REGION] [--account ACCOUNT] [--dns HOST[:PORT]]

The named sets of hosts that an entry of a policy can use, as in `bundle: docker-hub`. `show` prints
the hosts with the parameters filled in, or with their names where they are not given. `verify`
resolves each name and connects to it from here, and says which failed; hosts that are unsure count
as failed only with --unsure.

Examples:
  ebbgate bundles list
  ebbgate bundles show ecr --region eu-west-2 --account 111122223333
  ebbgate bundles verify docker-hub quay

Flags:
  --region REGION        The parameter region, as in eu-west-2.
  --account ACCOUNT      The parameter account; optional in every bundle.
  --dns HOST[:PORT]      The name server to ask, instead of those of resolv.conf.
  --unsure               verify: count unsure hosts that fail, too.
  --format text|json     What to print; default: text.
  --help                 This text.

Exit codes: 0 fine, 1 a host could not be reached, 2 usage.
)";

constexpr Duration kPatience = std::chrono::seconds(20);  // for all of `verify`

struct Options {
  policy::BundleArguments arguments;
  dns::ResolverOptions dns;
  bool counts_unsure = false;
  bool as_json = false;
};

int refuse(const std::string& message) {
  std::fprintf(stderr, "ebbgate bundles: %s; see `ebbgate bundles --help`\n",
               escaped_prose(message).c_str());
  return kUsage;
}

void print(const Json& json) {
  std::puts(json.dump(2).c_str());
}

// Those of the arguments that the bundle knows: one command line may be for several bundles.
policy::BundleArguments arguments_for(const policy::Bundle& bundle, const Options& options) {
  policy::BundleArguments known;
  for (const auto& argument : options.arguments) {
    const auto& parameters = bundle.parameters;
    if (std::ranges::find(parameters, argument.first, &policy::BundleParameter::name) !=
        parameters.end()) {
      known.push_back(argument);
    }
  }
  return known;
}

int list(const Options& options) {
  Json rows = Json::array();
  for (const policy::Bundle& bundle : config::builtin_bundles()) {
    std::string parameters;
    for (const policy::BundleParameter& each : bundle.parameters) {
      parameters += (parameters.empty() ? "" : ", ") + each.name + (each.is_optional ? "?" : "");
    }
    if (options.as_json) {
      rows.push_back({{"name", bundle.name},
                      {"version", bundle.version},
                      {"verified", bundle.verified},
                      {"summary", bundle.summary},
                      {"hosts", bundle.hosts.size()}});
    } else {
      std::printf("%-20s %s  %s%s\n", bundle.name.c_str(), bundle.version.c_str(),
                  bundle.summary.c_str(),
                  parameters.empty() ? "" : (" (" + parameters + ")").c_str());
    }
  }
  if (options.as_json) print(rows);
  return kFine;
}

struct ShownHost {
  const policy::BundleHost* host;
  std::string pattern;
};

// The hosts as a policy would have them, or with the names of their parameters.
Result<std::vector<ShownHost>> hosts_of(const policy::Bundle& bundle, const Options& options) {
  std::vector<ShownHost> hosts;
  const policy::BundleArguments arguments = arguments_for(bundle, options);
  if (arguments.empty()) {
    for (const policy::BundleHost& host : bundle.hosts) hosts.push_back({&host, host.host});
    return hosts;
  }
  const auto expanded = policy::expand(bundle, arguments, policy::BundlePorts::kOwn);
  if (!expanded) return fail(Reason::kMalformedRequest, Side::kSelf, expanded.error().message);
  for (const policy::ExpandedHost& each : *expanded) {
    hosts.push_back({each.host, each.pattern.str()});
  }
  return hosts;
}

std::string remark_on(const policy::BundleHost& host) {
  std::string remark = host.note;
  const auto add = [&](const std::string& text) { remark += (remark.empty() ? "" : "; ") + text; };
  if (!host.since.empty()) add("since " + host.since);
  if (!host.until.empty()) add("until " + host.until);
  if (!host.unless.empty()) add("not with " + host.unless);
  if (host.is_unsure) add("unsure");
  return remark;
}

int show(const policy::Bundle& bundle, const Options& options) {
  const auto hosts = hosts_of(bundle, options);
  if (!hosts) return refuse(hosts.error().detail);
  if (options.as_json) {
    Json out{{"name", bundle.name},
             {"version", bundle.version},
             {"verified", bundle.verified},
             {"summary", bundle.summary},
             {"risk", bundle.risk}};
    if (!bundle.caveat.empty()) out["caveat"] = bundle.caveat;
    out["sources"] = bundle.sources;
    Json parameters = Json::array();
    for (const policy::BundleParameter& each : bundle.parameters) {
      parameters.push_back({{"name", each.name},
                            {"doc", each.doc},
                            {"example", each.example},
                            {"optional", each.is_optional}});
    }
    out["parameters"] = std::move(parameters);
    Json rows = Json::array();
    for (const ShownHost& each : *hosts) {
      Json row{{"host", each.pattern}};
      if (!each.host->since.empty()) row["since"] = each.host->since;
      if (!each.host->until.empty()) row["until"] = each.host->until;
      if (!each.host->unless.empty()) row["unless"] = each.host->unless;
      if (each.host->is_unsure) row["unsure"] = true;
      if (!each.host->note.empty()) row["note"] = each.host->note;
      rows.push_back(std::move(row));
    }
    out["hosts"] = std::move(rows);
    print(out);
    return kFine;
  }
  std::printf(
      "# %s, %s\n# version %s, its names compared with what is published of them on %s\n# risk: "
      "%s\n",
      bundle.name.c_str(), bundle.summary.c_str(), bundle.version.c_str(), bundle.verified.c_str(),
      bundle.risk.c_str());
  if (!bundle.caveat.empty()) std::printf("# caveat: %s\n", bundle.caveat.c_str());
  for (const std::string& source : bundle.sources) std::printf("# source: %s\n", source.c_str());
  for (const policy::BundleParameter& each : bundle.parameters) {
    std::printf("# parameter %s%s: %s, as in %s\n", each.name.c_str(),
                each.is_optional ? " (optional)" : "", each.doc.c_str(), each.example.c_str());
  }
  for (const ShownHost& each : *hosts) {
    const std::string remark = remark_on(*each.host);
    std::printf("%-50s%s%s\n", each.pattern.c_str(), remark.empty() ? "" : " # ", remark.c_str());
  }
  return kFine;
}

// A host of a bundle that can be connected to: a wide one cannot.
struct Target {
  const policy::Bundle* bundle;
  const policy::BundleHost* host;
  std::pair<Hostname, Port> to;
};

int verify(const std::vector<const policy::Bundle*>& bundles, const Options& options) {
  std::vector<Target> targets;
  for (const policy::Bundle* bundle : bundles) {
    const auto expanded =
        policy::expand(*bundle, arguments_for(*bundle, options), policy::BundlePorts::kOwn);
    if (!expanded) return refuse(expanded.error().message);
    for (const policy::ExpandedHost& each : *expanded) {
      auto name = Hostname::parse(each.pattern.name());
      const auto port = Port::of(each.pattern.ports() ? each.pattern.ports()->first : 443);
      if (each.pattern.kind() != policy::PatternKind::kName || !name || !port) {
        std::fprintf(stderr, "%s: %s stands for many names, none of which is tried\n",
                     bundle->name.c_str(), each.pattern.str().c_str());
        continue;
      }
      targets.push_back({bundle, each.host, {*std::move(name), *port}});
    }
  }
  std::vector<std::pair<Hostname, Port>> all;
  for (const Target& target : targets) all.push_back(target.to);
  const std::vector<Reached> reached = try_to_reach(std::move(all), options.dns, kPatience);
  std::size_t failed = 0;
  Json rows = Json::array();
  for (std::size_t i = 0; i < reached.size(); ++i) {
    const auto& [name, port, outcome] = reached[i];
    const bool is_unsure = targets[i].host->is_unsure;
    if (!outcome && (!is_unsure || options.counts_unsure)) ++failed;
    const std::string where = name.str() + ":" + std::to_string(port.value());
    if (options.as_json) {
      Json row{{"bundle", targets[i].bundle->name}, {"host", where}, {"ok", outcome.has_value()}};
      if (is_unsure) row["unsure"] = true;
      if (outcome) row["address"] = outcome->address.str();
      if (!outcome) {
        row["reason"] = word(outcome.error().reason);
        row["error"] = escaped_prose(outcome.error().detail);
      }
      rows.push_back(std::move(row));
      continue;
    }
    std::printf("%-7s %s %s: %s\n",
                outcome     ? "ok"
                : is_unsure ? "unsure"
                            : "FAILED",
                targets[i].bundle->name.c_str(), where.c_str(),
                outcome ? outcome->address.str().c_str()
                        : (std::string(word(outcome.error().reason)) + ", " +
                           escaped_prose(outcome.error().detail))
                              .c_str());
  }
  if (options.as_json) {
    print({{"hosts", std::move(rows)}, {"failed", failed}});
  } else {
    std::printf("%zu of %zu hosts could not be reached\n", failed, reached.size());
  }
  return failed == 0 ? kFine : kFailed;
}

// What is wrong with the flags, if anything.
std::string take_flags(const config::Arguments& arguments, Options& options) {
  for (const config::Flag& flag : arguments.flags) {
    if (flag.name == "format") {
      options.as_json = flag.value == "json";
      if (flag.value != "json" && flag.value != "text") return "--format is text or json";
    } else if (flag.name == "unsure") {
      options.counts_unsure = flag.value == "true";
    } else if (flag.name == "dns") {
      const auto address = IpAddress::parse(flag.value);
      const auto server = address ? Endpoint{*address, 53} : Endpoint::parse(flag.value);
      if (!server) return "--dns is an address, perhaps with a port";
      options.dns.servers.push_back(*server);
    } else {
      options.arguments.emplace_back(flag.name, flag.value);
    }
  }
  return "";
}

}  // namespace

int run_bundles(std::span<const char* const> words) {
  const std::vector<config::FlagSyntax> flags = {
      {"region"}, {"account"}, {"dns"}, {"format"}, {"unsure", config::FlagValue::kNone}};
  const config::Arguments arguments = config::split_arguments(words, flags);
  if (arguments.help) {
    std::fputs(kHelp, stdout);
    return kFine;
  }
  if (!arguments.problems.empty()) {
    std::fputs(config::str(arguments.problems).c_str(), stderr);
    return kUsage;
  }
  Options options;
  if (const std::string wrong = take_flags(arguments, options); !wrong.empty()) {
    return refuse(wrong);
  }
  const std::vector<std::string>& operands = arguments.operands;
  const std::string what = operands.empty() ? "" : operands.front();
  std::vector<const policy::Bundle*> named;
  for (std::size_t i = 1; i < operands.size(); ++i) {
    const policy::Bundle* bundle = policy::find_bundle(config::builtin_bundles(), operands[i]);
    if (bundle == nullptr) {
      const std::string near(config::nearest_bundle(operands[i]));
      return refuse("there is no bundle " + operands[i] +
                    (near.empty() ? "" : "; do you mean " + near));
    }
    named.push_back(bundle);
  }
  if (what == "list" && named.empty()) return list(options);
  if (what == "show" && named.size() == 1) return show(*named.front(), options);
  if (what == "verify") {
    if (named.empty()) {
      for (const policy::Bundle& each : config::builtin_bundles()) named.push_back(&each);
    }
    return verify(named, options);
  }
  return refuse(what == "show" ? "name one bundle to show" : "say list, show or verify");
}

}  // namespace ebbgate::app
