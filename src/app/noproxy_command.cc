#include "app/noproxy_command.h"

#include <CLI/CLI.hpp>
#include <cstdio>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "app/exit_code.h"
#include "base/escape.h"
#include "noproxy/build.h"
#include "noproxy/dialects.h"
#include "noproxy/lint.h"

namespace ebbgate::app {
namespace {

constexpr const char* kExamples = R"(Examples:
  ebbgate noproxy --vpc-cidr 10.64.0.0/16 --service-cidr 172.20.0.0/16 --region eu-west-2 \
      --endpoint https://0A1B.gr7.eu-west-2.eks.amazonaws.com --vpc-endpoint s3,ecr.api,ecr.dkr
  ebbgate noproxy --explain https://10.64.3.4:8443/ --value 10.64.0.0/16,.example.com
  ebbgate noproxy --lint '*.example.com, .amazonaws.com')";

// What was written on the command line.
struct Options {
  std::vector<std::string> vpc_cidrs;
  std::vector<std::string> service_cidrs;
  std::string endpoint;
  std::string region;
  std::vector<std::string> vpc_endpoints;
  std::vector<std::string> extras;
  std::optional<std::string> explain;
  std::optional<std::string> lint;
  std::optional<std::string> value;
  std::string format = "text";
  bool wants_java = false;

  [[nodiscard]] bool has_facts() const {
    return !(vpc_cidrs.empty() && service_cidrs.empty() && endpoint.empty() &&
             vpc_endpoints.empty() && extras.empty());
  }
};

void define(CLI::App& app, Options& options) {
  app.footer(kExamples);
  const auto facts = "What the value is built from";
  app.add_option("--vpc-cidr", options.vpc_cidrs, "a block of the VPC or of a peered one")
      ->delimiter(',')
      ->group(facts);
  app.add_option("--service-cidr", options.service_cidrs,
                 "the cluster's service block; of two, the first is that of the API's service")
      ->delimiter(',')
      ->group(facts);
  app.add_option("--endpoint", options.endpoint, "the cluster's endpoint, a name or a URL")
      ->group(facts);
  app.add_option("--region", options.region, "the region, such as eu-west-2")->group(facts);
  app.add_option("--vpc-endpoint", options.vpc_endpoints,
                 "a VPC endpoint that exists, such as s3 or ecr.api")
      ->delimiter(',')
      ->group(facts);
  app.add_option("--extra", options.extras, "a further name, address or block")
      ->delimiter(',')
      ->group(facts);
  auto* explain =
      app.add_option("--explain", options.explain, "say which clients would use the proxy for URL");
  app.add_option("--lint", options.lint, "find what is wrong with VALUE")->excludes(explain);
  app.add_option("--value", options.value,
                 "the value to explain; without it, the one that is built, or that of no_proxy");
  app.add_flag("--java", options.wants_java, "write the value of -Dhttp.nonProxyHosts instead");
  app.add_option("--format", options.format, "text, env (both variables) or json")
      ->check(CLI::IsMember({"text", "env", "json"}));
}

int refuse(const std::string& message) {
  std::fprintf(stderr, "ebbgate noproxy: %s\n", escaped_prose(message).c_str());
  return kUsage;
}

void write_json(const nlohmann::ordered_json& json) {
  std::puts(json.dump(2, ' ', false, nlohmann::json::error_handler_t::replace).c_str());
}

std::unexpected<Error> not_a_block(const std::string& text) {
  return fail(Reason::kMalformedRequest, Side::kSelf, "'" + text + "' is no address block");
}

Result<noproxy::ClusterFacts> facts_of(const Options& options) {
  noproxy::ClusterFacts facts;
  for (const std::string& text : options.vpc_cidrs) {
    const auto block = Cidr::parse(text);
    if (!block) return not_a_block(text);
    facts.vpc_cidrs.push_back(*block);
  }
  for (const std::string& text : options.service_cidrs) {
    const auto block = Cidr::parse(text);
    if (!block) return not_a_block(text);
    facts.service_cidrs.push_back(*block);
  }
  if (!options.endpoint.empty()) {
    const auto target = noproxy::Target::parse(options.endpoint);
    if (!target) return std::unexpected(target.error());
    auto name = Hostname::parse(target->host);
    if (!name) return std::unexpected(std::move(name.error()));
    facts.cluster_endpoint = *std::move(name);
  }
  facts.region = options.region;
  facts.vpc_endpoints = options.vpc_endpoints;
  facts.extras = options.extras;
  return facts;
}

Result<std::vector<std::string>> entries_of(const Options& options) {
  const auto facts = facts_of(options);
  if (!facts) return std::unexpected(facts.error());
  return noproxy::build_entries(*facts);
}

std::optional<std::string> environment(const char* variable) {
  const char* value = std::getenv(variable);
  return value == nullptr ? std::nullopt : std::optional<std::string>(value);
}

int build(const Options& options) {
  const auto entries = entries_of(options);
  if (!entries) return refuse(entries.error().detail);
  const std::string value = noproxy::join(*entries);
  const std::string java = noproxy::java_non_proxy_hosts(*entries);
  if (options.format == "json") {
    write_json({{"noProxy", value}, {"entries", *entries}, {"javaNonProxyHosts", java}});
  } else if (options.wants_java) {
    std::puts(java.c_str());
  } else if (options.format == "env") {
    std::printf("NO_PROXY=%s\nno_proxy=%s\n", value.c_str(), value.c_str());
  } else {
    std::puts(value.c_str());
  }
  return kFine;
}

int explain(const Options& options) {
  const auto target = noproxy::Target::parse(*options.explain);
  if (!target) return refuse("--explain: " + target.error().detail);
  std::string value;
  if (options.value) {
    value = *options.value;
  } else if (options.has_facts()) {
    const auto entries = entries_of(options);
    if (!entries) return refuse(entries.error().detail);
    value = noproxy::join(*entries);
  } else {
    auto from_environment = environment("no_proxy");
    if (!from_environment) from_environment = environment("NO_PROXY");
    if (!from_environment) {
      return refuse("--explain needs --value, the facts of a cluster, or no_proxy to be set");
    }
    value = *from_environment;
  }
  const auto answers = noproxy::explain(*target, value);
  if (options.format == "json") {
    nlohmann::ordered_json clients = nlohmann::ordered_json::array();
    for (const noproxy::Answer& answer : answers) {
      clients.push_back({{"client", noproxy::name(answer.client)},
                         {"uses", answer.is_direct ? "direct" : "proxy"},
                         {"entry", answer.entry},
                         {"why", answer.why}});
    }
    write_json({{"url", *options.explain}, {"noProxy", value}, {"clients", std::move(clients)}});
    return kFine;
  }
  for (const noproxy::Answer& answer : answers) {
    std::printf("%-14s %-7s %s\n", std::string(noproxy::name(answer.client)).c_str(),
                answer.is_direct ? "direct" : "proxy", escaped_prose(answer.why).c_str());
  }
  return kFine;
}

int lint(const Options& options) {
  const noproxy::VpcEndpoints endpoints{options.region, options.vpc_endpoints};
  const auto entries = entries_of(options);  // refuses endpoints and regions that are none
  if (!entries) return refuse(entries.error().detail);
  auto findings = noproxy::lint(*options.lint, endpoints);
  const auto upper = environment("NO_PROXY");
  const auto lower = environment("no_proxy");
  // The environment is looked at only where the value is its own.
  if (upper == options.lint || lower == options.lint) {
    if (auto differs = noproxy::lint_case(upper, lower)) findings.push_back(*std::move(differs));
  }
  if (options.format == "json") {
    nlohmann::ordered_json all = nlohmann::ordered_json::array();
    for (const noproxy::Finding& finding : findings) {
      all.push_back({{"pitfall", noproxy::word(finding.pitfall)},
                     {"entry", finding.entry},
                     {"text", finding.text}});
    }
    write_json({{"noProxy", *options.lint}, {"findings", std::move(all)}});
  } else {
    for (const noproxy::Finding& finding : findings) {
      std::printf("%s: %s: %s\n", escaped_prose(finding.entry).c_str(),
                  std::string(noproxy::word(finding.pitfall)).c_str(),
                  escaped_prose(finding.text).c_str());
    }
  }
  return findings.empty() ? kFine : kFailed;
}

}  // namespace

int run_noproxy(std::span<const char* const> words) {
  CLI::App app(
      "Builds the NO_PROXY value of a cluster, says how each client reads one, and finds what is "
      "wrong with it.",
      "ebbgate noproxy");
  Options options;
  define(app, options);
  try {
    app.parse(std::vector<std::string>(words.rbegin(), words.rend()));  // the last one first
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? kFine : kUsage;
  }
  if (options.explain) return explain(options);
  if (options.lint) return lint(options);
  if (!options.has_facts()) {
    return refuse("nothing to do: give the facts of a cluster, --explain or --lint; see --help");
  }
  return build(options);
}

}  // namespace ebbgate::app
