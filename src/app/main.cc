// The program: one word chooses the subcommand, each of which is a file of this folder.
#include <algorithm>
#include <array>
#include <cstdio>
#include <exception>
#include <span>
#include <string_view>

#include "app/bundles_command.h"
#include "app/check_command.h"
#include "app/diff_command.h"
#include "app/eks_command.h"
#include "app/exit_code.h"
#include "app/explain_command.h"
#include "app/import_command.h"
#include "app/kube_command.h"
#include "app/learn_command.h"
#include "app/noproxy_command.h"
#include "app/policy_command.h"
#include "app/run_command.h"
#include "app/test_command.h"
#include "app/unused_command.h"
#include "app/version.h"
#include "app/webhook_command.h"
#include "tls/client_context.h"

namespace {

struct Command {
  std::string_view name;
  std::string_view summary;
  int (*run)(std::span<const char* const> words);  // the words after the command's name
};

constexpr std::array kCommands = {
    Command{"run", "the gateway", ebbgate::app::run_gateway},
    Command{"check", "validate settings and policies", ebbgate::app::run_check},
    Command{"explain", "why is this allowed or denied", ebbgate::app::run_explain},
    Command{"test", "unit tests of a policy", ebbgate::app::run_test},
    Command{"bundles", "list, show and verify named sets of hosts", ebbgate::app::run_bundles},
    Command{"policy", "push a policy to where gateways read it", ebbgate::app::run_policy},
    Command{"diff", "what a change of policy means, replayed over logs", ebbgate::app::run_diff},
    Command{"learn", "the smallest policy that covers a log", ebbgate::app::run_learn},
    Command{"unused", "entries of a policy that nothing uses", ebbgate::app::run_unused},
    Command{"import", "from Squid, Smokescreen, tinyproxy", ebbgate::app::run_import},
    Command{"kube", "what a Kubernetes cluster is given", ebbgate::app::run_kube},
    Command{"webhook", "Kubernetes admission: pods get the proxy, policies are judged",
            ebbgate::app::run_webhook},
    Command{"noproxy", "build, explain and lint NO_PROXY", ebbgate::app::run_noproxy},
    Command{"eks", "a cluster behind gateways: plan, apply, verify, destroy",
            ebbgate::app::run_eks},
};

void print_usage(std::FILE* where) {
  std::fputs("usage: ebbgate COMMAND [ARGUMENTS]\n\n", where);
  for (const Command& command : kCommands) {
    std::fprintf(where, "  %-10s %s\n", command.name.data(), command.summary.data());
  }
  std::fputs(
      "\nEach command has --help. Exit codes: 0 fine, 1 failed, 2 usage, 3 invalid configuration.\n"
      "Example: ebbgate run --allow .amazonaws.com\n",
      where);
}

int run(std::span<const char* const> words) {
  const std::string_view name = words.empty() ? "" : words.front();
  if (name == "--help" || name == "-h" || name == "help") {
    print_usage(stdout);
    return ebbgate::app::kFine;
  }
  if (name == "--version" || name == "version") {
    std::printf("ebbgate %s\n", ebbgate::app::kVersion.data());
    return ebbgate::app::kFine;
  }
  const auto command = std::ranges::find(kCommands, name, &Command::name);
  if (command == kCommands.end()) {
    if (!name.empty()) std::fprintf(stderr, "ebbgate: there is no command \"%s\"\n\n", name.data());
    print_usage(stderr);
    return ebbgate::app::kUsage;
  }
  return command->run(words.subspan(1));
}

}  // namespace

int main(int argc, char** argv) {
  try {
    ebbgate::tls::initialise();
    const std::span<const char* const> words(argv, static_cast<std::size_t>(argc));
    return run(words.subspan(words.empty() ? 0 : 1));
  } catch (const std::exception& failure) {
    std::fprintf(stderr, "ebbgate: %s\n", failure.what());
    return ebbgate::app::kFailed;
  }
}
