// `ebbgate kube probe`: what runs in the pod that `ebbgate kube verify` makes. It tries what the
// command line says and prints a line of JSON for each attempt.
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "app/exit_code.h"
#include "app/kube_command.h"
#include "app/own_flags.h"
#include "base/escape.h"
#include "config/arguments.h"
#include "config/duration.h"
#include "config/settings.h"
#include "deploy/kube_attempts.h"
#include "dns/resolver.h"
#include "net/loop.h"
#include "noproxy/target.h"

namespace ebbgate::app {
namespace {

constexpr const char* kHelp = R"(usage: ebbgate kube probe [FLAGS] ATTEMPT...

Tries what is reached from here, and prints a line of JSON for each attempt as it ends. It is what
`ebbgate kube verify` runs in a pod; all that is sent is a CONNECT and questions to name servers.

  connect:HOST:PORT           a TCP connection past the proxy
  tunnel:HOST:PORT            CONNECT through the proxy
  query:NAME[@ADDRESS]        a question to a name server, over UDP; default: that of resolv.conf
  query-tcp:NAME[@ADDRESS]    the same over TCP

Example:
  ebbgate kube probe connect:1.1.1.1:443 tunnel:sts.amazonaws.com:443 query:example.com@8.8.8.8

Flags:
  --proxy URL        Default: HTTPS_PROXY or https_proxy.
  --timeout TIME     Of each attempt; default: 4s.
  --help             This text.

Exit codes: 0 all were tried, 1 failed, 2 usage.
)";

int refuse(const std::string& message) {
  std::fprintf(stderr, "ebbgate kube probe: %s; see `ebbgate kube probe --help`\n",
               escaped_prose(message).c_str());
  return kUsage;
}

std::string variable(const char* name) {
  const char* value = std::getenv(name);  // NOLINT: no thread sets it
  return value == nullptr ? "" : value;
}

// The proxy of the flag or of the environment, or why there is none.
void take_proxy(std::string url, deploy::AttemptOptions& options) {
  for (const char* name : {"HTTPS_PROXY", "https_proxy"}) {
    if (url.empty()) url = variable(name);
  }
  if (url.empty()) {
    options.no_proxy = "neither HTTPS_PROXY nor https_proxy is set";
    return;
  }
  const auto target = noproxy::Target::parse(url);
  const auto port = target ? Port::of(target->port) : std::nullopt;
  auto host =
      target ? Host::parse(target->in_url()) : Result<Host>(std::unexpected(target.error()));
  if (host && port) {
    options.proxy = Authority{*std::move(host), *port};
  } else {
    options.no_proxy = "\"" + url + "\" is no proxy's URL";
  }
}

}  // namespace

int run_kube_probe(std::span<const char* const> words) {
  const std::vector<config::FlagSyntax> flags = {{"proxy"}, {"timeout"}};
  const config::Arguments arguments = config::split_arguments(words, flags);
  if (arguments.help) {
    std::fputs(kHelp, stdout);
    return kFine;
  }
  if (!arguments.problems.empty()) {
    std::fputs(config::str(arguments.problems).c_str(), stderr);
    return kUsage;
  }
  deploy::AttemptOptions options;
  std::string proxy;
  for (const config::Flag& flag : arguments.flags) {
    if (flag.name == "proxy") {
      proxy = flag.value;
    } else if (const auto time = config::read_duration(flag.value); time && time->count() > 0) {
      options.timeout = *time;
    } else {
      return refuse("--timeout: " +
                    (time ? std::string("is to be more than nothing") : time.error()));
    }
  }
  std::vector<deploy::Attempt> attempts;
  for (const std::string& word : arguments.operands) {
    auto attempt = deploy::Attempt::parse(word);
    if (!attempt) return refuse("\"" + word + "\" is no attempt");
    attempts.push_back(*std::move(attempt));
  }
  if (attempts.empty()) return refuse("say what to try");
  take_proxy(std::move(proxy), options);
  if (const auto text = config::read_file("/etc/resolv.conf")) {
    options.name_server = deploy::name_server_of(*text);
  }
  options.random = [] { return random_seed(); };
  options.tell = [](const deploy::Attempted& attempted) {
    std::puts(deploy::to_line(attempted).c_str());
    (void)std::fflush(stdout);
  };
  auto loop = net::Loop::make();
  if (!loop) return refuse(loop.error().detail);
  auto resolver = dns::Resolver::make(**loop, {});
  if (!resolver) return refuse(resolver.error().detail);
  deploy::make_attempts(**loop, **resolver, attempts, options);
  return kFine;
}

}  // namespace ebbgate::app
