#include "app/eks_command.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <functional>
#include <string_view>

#include "app/eks_job.h"
#include "app/exit_code.h"
#include "base/escape.h"
#include "config/arguments.h"
#include "config/duration.h"
#include "config/settings.h"
#include "deploy/check.h"
#include "deploy/script.h"

namespace ebbgate::app {
namespace {

constexpr const char* kHelp = R"(usage: ebbgate eks plan|apply|verify|destroy [FLAGS]
       ebbgate eks token --cluster NAME [--region REGION]

Brings up an EKS cluster whose only way out is a fleet of gateways, as one file describes it
(docs/eks.md, deploy/eks.yaml). Everything is checked before the first call to AWS. The state of the
stacks in AWS is the only memory: what was interrupted, or failed, goes on where it stopped.

  plan       shows the stacks, their parameters, what they cost, and what is different from what
             stands. It changes nothing, and works without credentials too.
  apply      makes or changes the stacks, and writes a kubeconfig and the manifests of the proxy.
             What removes or replaces something needs --yes.
  verify     proves it: private endpoint, nodes, an allowed and a refused request, the alarm, the
             address that destinations see.
  destroy    deletes the stacks in reverse order, and lists what is retained. Needs --yes.
  token      prints a token for the cluster's API, as kubectl asks for it by the kubeconfig.

Examples:
  ebbgate eks plan --config eks.yaml
  ebbgate eks apply --config eks.yaml
  ebbgate eks verify --config eks.yaml --format json
  ebbgate eks apply --config eks.yaml --bastion-script > apply.sh

Flags:
  --config FILE          Default: eks.yaml.
  --region REGION        Instead of the file's.
  --profile NAME         A profile of ~/.aws; default: what the environment says.
  --ca-file FILE         Whom to trust instead of the system's authorities.
  --templates DIR        Other templates than those that come with the program.
  --format text|json     Default: text.
  --poll-interval TIME   Between two looks at what is under way; default: 5s.
  --call-timeout TIME    Of one exchange with AWS; default: 10s.
  --bastion-script       plan, apply: print the same as a shell script of aws and kubectl commands,
                         and do nothing.
  --offline              plan: ask AWS nothing.
  --write-templates DIR  plan: write the templates there.
  --yes                  apply, destroy: what removes or replaces something may be done.
  --output DIR           apply: where files are written; default: the cluster's name, beside FILE.
  --timeout TIME         apply, destroy: how long to follow one stack; default: 1h.
  --allowed HOST:PORT    verify: what has to be let pass; default: the first name of `domains`.
  --refused HOST:PORT    verify: what has to be refused; default: ebbgate-verify.invalid:443.
  --echo URL             verify: an http service that answers with its caller's address.
  --proxy HOST:PORT      verify: ask this gateway instead of the load balancer.
  --kubeconfig FILE      verify: for kubectl; default: the one that apply has written.
  --skip CHECK           verify: leave a check out; may be repeated.
  --wait TIME            verify: how long the alarm may take; default: 6m.
  --help                 This text.

Exit codes: 0 fine, 1 failed (the last line says what to do next), 2 usage, 3 invalid file.
)";

int refuse(const std::string& message) {
  std::fprintf(stderr, "ebbgate eks: %s; see `ebbgate eks --help`\n",
               escaped_prose(message).c_str());
  return kUsage;
}

using Take = std::function<std::string(const std::string&)>;  // what is wrong; empty: nothing

struct Flag {
  std::string_view name;
  config::FlagValue value;
  std::string_view of;  // the subcommands that have it, with blanks around; empty: all
  Take take;
};

Take into(std::string& where) {
  return [&where](const std::string& value) {
    where = value;
    return value.empty() ? std::string("needs a value") : std::string();
  };
}
Take into(bool& where) {
  return [&where](const std::string& value) {
    where = value != "false";
    return std::string();
  };
}
Take into(Duration& where) {
  return [&where](const std::string& value) {
    const auto parsed = config::read_duration(value);
    if (!parsed) return parsed.error();
    where = *parsed;
    return std::string();
  };
}

std::vector<Flag> flags_of(EksOptions& options) {
  using enum config::FlagValue;
  return {
      {"config", kRequired, "", into(options.config)},
      {"region", kRequired, "", into(options.region)},
      {"profile", kRequired, "", into(options.profile)},
      {"ca-file", kRequired, "", into(options.ca_file)},
      {"templates", kRequired, "", into(options.templates)},
      {"poll-interval", kRequired, "", into(options.poll)},
      {"call-timeout", kRequired, "", into(options.call_timeout)},
      {"format", kRequired, "",
       [&](const std::string& value) {
         options.json = value == "json";
         return options.json || value == "text" ? std::string() : std::string("is text or json");
       }},
      {"bastion-script", kNone, " plan apply ", into(options.script)},
      {"offline", kNone, " plan ", into(options.offline)},
      {"write-templates", kRequired, " plan ", into(options.write_templates)},
      {"yes", kNone, " apply destroy ", into(options.yes)},
      {"output", kRequired, " apply verify ", into(options.output)},
      {"timeout", kRequired, " apply destroy ", into(options.timeout)},
      {"allowed", kRequired, " verify ", into(options.allowed)},
      {"refused", kRequired, " verify ", into(options.refused)},
      {"echo", kRequired, " verify ", into(options.echo)},
      {"kubeconfig", kRequired, " verify ", into(options.kubeconfig)},
      {"proxy", kRequired, " verify ", into(options.proxy)},
      {"wait", kRequired, " verify ", into(options.wait)},
      {"skip", kRequired, " verify ",
       [&](const std::string& value) {
         options.skip.push_back(value);
         return std::string();
       }},
      {"cluster", kRequired, " token ", into(options.cluster)},
  };
}

int complain(const std::vector<config::Problem>& problems) {
  std::fputs(config::str(problems).c_str(), stderr);
  return kInvalid;
}

// The file, checked, and the plan that follows from it; or the exit code.
std::expected<EksJob, int> prepare(EksOptions options) {
  EksJob job;
  const auto text = config::read_file(options.config);
  if (!text) {
    say(options.config + ": " + text.error());
    say_next("write one (deploy/eks.yaml is an example), or name it by --config");
    return std::unexpected(kInvalid);
  }
  auto loaded = config::parse_eks(*text, options.config);
  if (policy::has_errors(loaded.problems)) return std::unexpected(complain(loaded.problems));
  job.settings = std::move(loaded.settings);
  if (!options.region.empty()) job.settings.region.value = options.region;
  auto checked = deploy::check(job.settings);
  if (policy::has_errors(checked.problems)) return std::unexpected(complain(checked.problems));
  job.warnings = std::move(checked.problems);
  job.allowlist = std::move(checked.allowlist);
  if (options.templates.empty()) {
    job.templates = deploy::builtin_templates();
  } else {
    auto templates = deploy::load_templates(options.templates);
    if (!templates) {
      say(templates.error().detail);
      return std::unexpected(kUsage);
    }
    job.templates = *std::move(templates);
  }
  job.plan = deploy::make_plan(job.settings, job.allowlist);
  for (const deploy::Step& step : job.plan.steps) {
    const deploy::Template* found = deploy::find_template(job.templates, step.id);
    for (const deploy::Argument& each : step.arguments) {
      if (found != nullptr && found->parameter(each.name) != nullptr) continue;
      say("the template " + step.id + " has no parameter " + each.name);
      return std::unexpected(kUsage);
    }
  }
  job.options = std::move(options);
  return job;
}

struct Subcommand {
  std::string_view name;
  int (*run)(const EksJob& job);
};
constexpr std::array kSubcommands = {Subcommand{"plan", plan_eks}, Subcommand{"apply", apply_eks},
                                     Subcommand{"verify", verify_eks},
                                     Subcommand{"destroy", destroy_eks}};

}  // namespace

void say(const std::string& message) {
  std::fprintf(stderr, "ebbgate eks: %s\n", escaped_prose(message).c_str());
}

void say_next(const std::string& next) {
  std::fprintf(stderr, "next: %s\n", escaped_prose(next).c_str());
}

AwsSessionOptions session_options(const EksOptions& options, const std::string& region) {
  AwsSessionOptions out;
  out.region = region;
  out.profile = options.profile;
  out.ca_file = options.ca_file;
  out.call_timeout = options.call_timeout;
  out.backoff = std::min<Duration>(out.backoff, std::max<Duration>(options.poll, Duration(1)));
  return out;
}

std::string output_folder(const EksJob& job) {
  if (!job.options.output.empty()) return job.options.output;
  return (std::filesystem::path(job.options.config).parent_path() / job.plan.cluster).string();
}

int run_eks(std::span<const char* const> words) {
  EksOptions options;
  const std::vector<Flag> flags = flags_of(options);
  std::vector<config::FlagSyntax> syntax;
  for (const Flag& flag : flags) syntax.push_back({flag.name, flag.value});
  const config::Arguments arguments = config::split_arguments(words, syntax);
  if (arguments.help) {
    std::fputs(kHelp, stdout);
    return kFine;
  }
  if (!arguments.problems.empty()) {
    std::fputs(config::str(arguments.problems).c_str(), stderr);
    return kUsage;
  }
  if (arguments.operands.size() != 1) return refuse("say plan, apply, verify, destroy or token");
  const std::string& name = arguments.operands.front();
  for (const config::Flag& given : arguments.flags) {
    const auto flag = std::ranges::find(flags, given.name, &Flag::name);
    if (!flag->of.empty() && flag->of.find(" " + name + " ") == std::string_view::npos) {
      return refuse("--" + given.name + " says nothing to `" + name + "`");
    }
    const std::string fault = flag->take(given.value);
    if (!fault.empty()) return refuse("--" + given.name + ": " + fault);
  }
  if (name == "token") return print_eks_token(options);
  const auto* subcommand = std::ranges::find(kSubcommands, name, &Subcommand::name);
  if (subcommand == kSubcommands.end()) return refuse("there is no `" + name + "`");
  const auto job = prepare(std::move(options));
  if (!job) return job.error();
  if (!job->warnings.empty()) std::fputs(config::str(job->warnings).c_str(), stderr);
  if (job->options.script) {
    std::fputs(deploy::bastion_script(job->plan, job->settings).c_str(), stdout);
    return kFine;
  }
  return subcommand->run(*job);
}

}  // namespace ebbgate::app
