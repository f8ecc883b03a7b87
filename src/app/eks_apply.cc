// `ebbgate eks apply` and `destroy`: one stack after another through the driver, and the files that
// kubectl needs at the end.
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "app/eks_job.h"
#include "app/eks_prepared.h"
#include "app/exit_code.h"
#include "base/escape.h"
#include "config/settings.h"
#include "deploy/driver.h"
#include "deploy/facts.h"
#include "deploy/manifests.h"
#include "deploy/progress.h"
#include "deploy/script.h"

namespace ebbgate::app {
namespace {

using Json = nlohmann::ordered_json;
using deploy::End;

struct Done {
  std::string step;
  std::string stack;
  deploy::StackResult result;
};

struct Run {
  std::vector<Done> steps;
  deploy::Facts facts;
  std::vector<config::Problem> problems;
  std::string why;  // it ended before all steps, and not in one of them
  std::string next;
  std::vector<std::string> written;

  [[nodiscard]] bool is_good() const {
    return why.empty() && problems.empty() &&
           std::ranges::all_of(steps, [](const Done& each) { return each.result.is_good(); });
  }
  [[nodiscard]] bool has_changed() const {
    return !written.empty() || std::ranges::any_of(steps, [](const Done& each) {
      return each.result.end != End::kUnchanged;
    });
  }
};

const std::string* output(const deploy::Facts& facts, const std::string& step,
                          std::string_view name) {
  const auto found = facts.outputs.find(step);
  if (found == facts.outputs.end()) return nullptr;
  for (const auto& [key, value] : found->second) {
    if (key == name) return &value;
  }
  return nullptr;
}

// Where progress goes: to standard error where standard output is for programs.
std::FILE* display(const EksJob& job) {
  return job.options.json ? stderr : stdout;
}

deploy::Progress make_progress(const EksJob& job) {
  std::FILE* to = display(job);
  const bool is_terminal = ::isatty(::fileno(to)) == 1;
  return {is_terminal, [to](std::string_view text) {
            (void)std::fwrite(text.data(), 1, text.size(), to);
            (void)std::fflush(to);
          }};
}

deploy::DriverOptions driver_options(const EksJob& job) {
  deploy::DriverOptions options;
  options.poll = job.options.poll;
  options.patience = job.options.timeout;
  options.yes = job.options.yes;
  return options;
}

void stop(Run& run, const aws::Failure& failure, std::string_view what) {
  run.why = failure.describe(what);
  run.next = deploy::next_step(failure);
}

deploy::StackResult would_write_over(const std::string& parameter) {
  deploy::StackResult result;
  result.end = End::kNeedsYes;
  result.why =
      "the change of `domains`, `bundles` or `policy` would write over the policy that was "
      "pushed to " +
      parameter;
  result.next =
      "push the whole list by `ebbgate policy push` and take the change of eks.yaml back, "
      "or have what was pushed in eks.yaml too and run the same command with --yes";
  return result;
}

net::Task<Run> bring_up(AwsSession& session, const EksJob& job, deploy::Progress& progress) {
  Run run;
  net::Loop& loop = session.loop();
  aws::Client& client = session.client();
  const auto soon = [&] { return loop.after(std::chrono::minutes(1)); };
  auto who = co_await aws::sts::get_caller_identity(client, soon());
  if (!who) {
    stop(run, who.error(), "sts GetCallerIdentity");
    co_return run;
  }
  std::fprintf(display(job), "%s in %s, account %s, as %s\n", job.plan.cluster.c_str(),
               job.plan.region.c_str(), escaped_prose(who->account).c_str(),
               escaped_prose(who->arn).c_str());
  auto zones = co_await deploy::learn_zones(client, job.settings, run.facts, soon());
  if (!zones) {
    stop(run, zones.error(), "ec2 DescribeAvailabilityZones");
    co_return run;
  }
  run.problems = *std::move(zones);
  if (!run.problems.empty()) co_return run;
  deploy::Driver driver(client, driver_options(job),
                        [&](const deploy::Note& note) { progress.take(note, loop.now()); });
  for (const deploy::Step& step : job.plan.steps) {
    if (step.id == "nodegroup") {
      auto network = co_await deploy::learn_network(client, job.settings, run.facts, soon());
      if (!network) {
        stop(run, network.error(), "ec2 DescribeVpcEndpoints");
        co_return run;
      }
    }
    if (step.id == "gateway") {
      const bool is_new = std::ranges::any_of(run.steps, [](const Done& each) {
        return each.step == "cluster" && each.result.end == End::kCreated;
      });
      auto prepared = co_await learn_prepared(session, job, run.facts, is_new);
      if (!prepared) {
        stop(run, prepared.error(), "cloudformation DescribeStacks");
        co_return run;
      }
    }
    if (step.id == "cluster") {
      auto log = co_await deploy::learn_control_plane_log(client, job.plan, run.facts, soon());
      if (!log) {
        stop(run, log.error(), "logs DescribeLogStreams");
        co_return run;
      }
    }
    const deploy::Template* found = deploy::find_template(job.templates, step.id);
    auto order = deploy::order_of(job.plan, step, *found, job.settings, run.facts);
    if (!order) {
      run.why = step.stack + ": " + order.error().detail;
      run.next =
          "compare the stack's outputs with those of the template, then run the same "
          "command again";
      co_return run;
    }
    progress.begin(step.id, step.stack, run.steps.size() + 1, job.plan.steps.size(), step.minutes,
                   loop.now());
    if (step.id == "gateway" && !job.options.yes) {
      auto pushed = co_await deploy::learn_pushed_policy(client, *order, soon());
      if (!pushed) {
        stop(run, pushed.error(), "ssm GetParameter");
        co_return run;
      }
      if (!pushed->empty()) {
        run.steps.push_back({step.id, step.stack, would_write_over(*pushed)});
        progress.end(run.steps.back().result, loop.now());
        co_return run;
      }
    }
    auto result = co_await driver.bring_up(*std::move(order));
    progress.end(result, loop.now());
    const bool is_good = result.is_good();
    if (is_good) run.facts.outputs[step.id] = result.outputs;
    run.steps.push_back({step.id, step.stack, std::move(result)});
    if (!is_good) co_return run;
  }
  co_return run;
}

// The program as kubectl finds it again.
std::string this_program() {
  std::error_code error;
  const auto path = std::filesystem::read_symlink("/proc/self/exe", error);
  return error ? "ebbgate" : path.string();
}

std::vector<deploy::File> files_of(const EksJob& job, const deploy::Facts& facts) {
  const auto text = [&](const std::string& step, std::string_view name) {
    const std::string* found = output(facts, step, name);
    return found == nullptr ? std::string() : *found;
  };
  deploy::ClusterAccess access;
  access.cluster = job.plan.cluster;
  access.region = job.plan.region;
  access.endpoint = text("cluster", "ClusterEndpoint");
  access.certificate_authority = text("cluster", "ClusterCertificateAuthority");
  access.program = this_program();
  const deploy::ProxySettings proxy{text("gateway", "ProxyUrl"), text("nodegroup", "NoProxy")};
  std::vector<deploy::File> files;
  files.push_back({"kubeconfig", deploy::kubeconfig(access), true});
  files.push_back({"proxy-environment-variables.yaml", deploy::proxy_config_map(proxy)});
  if (deploy::needs_proxy_in_cni(job.settings)) {
    files.push_back({"aws-node.yaml", deploy::proxy_daemon_set("aws-node")});
  }
  if (job.settings.gateway.kube.value) {
    files.push_back({"gateway-access.yaml", deploy::gateway_access(job.settings, facts)});
  }
  if (job.settings.access.value == config::AccessMode::kConfigMap) {
    const std::string role = job.settings.bastion ? job.settings.bastion->role.value : "";
    files.push_back({"aws-auth.yaml", deploy::aws_auth(text("nodegroup", "NodeRoleArn"), role)});
  }
  return files;
}

// Puts the text there as a whole or not at all. Out: whether it is there.
bool put(const std::string& path, const std::string& text, bool is_private) {
  const std::string draft = path + ".new";
  const int fd =
      ::open(draft.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, is_private ? 0600 : 0644);
  if (fd < 0) return false;
  std::size_t done = 0;
  while (done < text.size()) {
    const ssize_t count = ::write(fd, text.data() + done, text.size() - done);
    if (count < 0) break;
    done += static_cast<std::size_t>(count);
  }
  const bool is_whole = ::close(fd) == 0 && done == text.size();
  return is_whole && std::rename(draft.c_str(), path.c_str()) == 0;
}

void write_files(const EksJob& job, Run& run) {
  namespace fs = std::filesystem;
  const fs::path folder = output_folder(job);
  std::error_code error;
  fs::create_directories(folder, error);
  for (const deploy::File& file : files_of(job, run.facts)) {
    const std::string path = (folder / file.name).string();
    const auto before = config::read_file(path);
    if (before && *before == file.text) continue;
    if (!put(path, file.text, file.is_private)) {
      run.why = path + " cannot be written";
      run.next =
          "make room for it, or name another folder by --output, and run the same command "
          "again: the stacks stand";
      return;
    }
    run.written.push_back(path);
  }
}

void print_end(const EksJob& job, const Run& run) {
  const std::string folder = output_folder(job);
  for (const std::string& path : run.written) std::printf("wrote %s\n", path.c_str());
  std::printf(run.has_changed() ? "\n%s stands.\n" : "\n%s stands; nothing has changed.\n",
              job.plan.cluster.c_str());
  if (const std::string* line = output(run.facts, "nodegroup", "ShellLine")) {
    std::printf("For a shell in the VPC: %s\n", escaped_prose(*line, 8192).c_str());
  }
  for (deploy::ByHand hand : job.plan.by_hand) {
    std::printf("By hand: %s\n", hand.what.c_str());
    const std::string* peering = output(run.facts, "peering", "PeeringConnectionId");
    for (std::string& command : hand.commands) {
      const std::string_view mark = "PEERING_CONNECTION_ID";
      const std::size_t at = command.find(mark);
      if (peering != nullptr && at != std::string::npos) command.replace(at, mark.size(), *peering);
      std::printf("  %s\n", command.c_str());
    }
  }
  std::printf("On the bastion:\n%s", deploy::kubectl_commands(job.settings, folder).c_str());
  if (run.facts.why_unprepared.empty()) {
    std::printf("next: run `ebbgate eks verify --config %s` there\n", job.options.config.c_str());
  } else {
    std::printf(
        "Gateways do not ask the cluster yet: %s.\n"
        "next: run `ebbgate eks apply --config %s` there once more, after these commands\n",
        escaped_prose(run.facts.why_unprepared).c_str(), job.options.config.c_str());
  }
}

Json to_json(const EksJob& job, const Run& run) {
  Json steps = Json::array();
  for (const Done& each : run.steps) {
    Json step{{"id", each.step}, {"stack", each.stack}, {"end", deploy::word(each.result.end)}};
    if (!each.result.why.empty()) step["why"] = each.result.why;
    if (!each.result.next.empty()) step["next"] = each.result.next;
    if (!each.result.retained.empty()) step["retained"] = each.result.retained;
    Json outputs = Json::object();
    for (const auto& [name, value] : each.result.outputs) outputs[name] = value;
    step["outputs"] = std::move(outputs);
    steps.push_back(std::move(step));
  }
  Json out{{"cluster", job.plan.cluster}, {"region", job.plan.region},
           {"succeeded", run.is_good()},  {"changed", run.has_changed()},
           {"steps", std::move(steps)},   {"written", run.written}};
  if (!run.facts.why_unprepared.empty()) out["whyNotKube"] = run.facts.why_unprepared;
  if (!run.why.empty()) out["why"] = run.why;
  if (!run.next.empty()) out["next"] = run.next;
  return out;
}

int finish(const EksJob& job, const Run& run) {
  if (!run.problems.empty()) {
    std::fputs(config::str(run.problems).c_str(), stderr);
    return kInvalid;
  }
  if (job.options.json) {
    const Json out = to_json(job, run);
    std::puts(out.dump(2, ' ', false, Json::error_handler_t::replace).c_str());
  }
  if (!run.why.empty()) {
    say(run.why);
    say_next(run.next);
  }
  return run.is_good() ? kFine : kFailed;
}

net::Task<Run> take_down(AwsSession& session, const EksJob& job, deploy::Progress& progress) {
  Run run;
  net::Loop& loop = session.loop();
  deploy::Driver driver(session.client(), driver_options(job),
                        [&](const deploy::Note& note) { progress.take(note, loop.now()); });
  for (auto step = job.plan.steps.rbegin(); step != job.plan.steps.rend(); ++step) {
    progress.begin(step->id, step->stack, run.steps.size() + 1, job.plan.steps.size(), {},
                   loop.now());
    auto result = co_await driver.take_down(step->stack);
    progress.end(result, loop.now());
    const bool is_good = result.is_good();
    run.steps.push_back({step->id, step->stack, std::move(result)});
    if (!is_good) co_return run;
  }
  co_return run;
}

}  // namespace

int apply_eks(const EksJob& job) {
  auto session = AwsSession::make(session_options(job.options, job.plan.region));
  if (!session) {
    say(session.error().detail);
    say_next("correct it and run the same command again");
    return kFailed;
  }
  deploy::Progress progress = make_progress(job);
  Run run = (*session)->run(bring_up(**session, job, progress));
  if (run.is_good()) write_files(job, run);
  const int code = finish(job, run);
  if (code == kFine && !job.options.json) print_end(job, run);
  return code;
}

int destroy_eks(const EksJob& job) {
  auto session = AwsSession::make(session_options(job.options, job.plan.region));
  if (!session) {
    say(session.error().detail);
    say_next("correct it and run the same command again");
    return kFailed;
  }
  deploy::Progress progress = make_progress(job);
  const Run run = (*session)->run(take_down(**session, job, progress));
  const int code = finish(job, run);
  if (code == kFine && !job.options.json) {
    std::printf("\n%s is gone.\n", job.plan.cluster.c_str());
    bool is_first = true;
    for (const Done& each : run.steps) {
      for (const std::string& kept : each.result.retained) {
        if (is_first) std::puts("Retained, to be deleted by whoever no longer needs it:");
        is_first = false;
        std::printf("  %s\n", escaped_prose(kept).c_str());
      }
    }
  }
  return code;
}

}  // namespace ebbgate::app
