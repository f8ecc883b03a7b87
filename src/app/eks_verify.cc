// `ebbgate eks verify`, the checklist; and `ebbgate eks token`, which kubectl calls.
#include <chrono>
#include <cstdio>
#include <filesystem>

#include "analyse/time_text.h"
#include "app/checklist.h"
#include "app/eks_job.h"
#include "app/exit_code.h"
#include "app/own_flags.h"
#include "deploy/facts.h"
#include "deploy/manifests.h"
#include "deploy/probe.h"
#include "deploy/verify.h"

namespace ebbgate::app {
namespace {

using Checks = aws::Outcome<std::vector<deploy::Check>>;

net::Task<Checks> run_checks(AwsSession& session, const EksJob& job, deploy::Probe& probe,
                             deploy::VerifyOptions options) {
  deploy::Facts facts;
  const Deadline deadline = session.loop().after(std::chrono::minutes(2));
  auto stacks = co_await deploy::learn_stacks(session.client(), job.plan, facts, deadline);
  if (!stacks) co_return std::unexpected(std::move(stacks.error()));
  co_return co_await deploy::verify(session.client(), probe, job.settings, job.plan,
                                    std::move(facts), std::move(options));
}

deploy::VerifyOptions verify_options(const EksJob& job) {
  deploy::VerifyOptions options;
  const EksOptions& given = job.options;
  options.allowed = given.allowed;
  if (!given.refused.empty()) options.refused = given.refused;
  if (!given.echo.empty()) options.echo = given.echo;
  options.skip = given.skip;
  options.kubeconfig = given.kubeconfig;
  if (options.kubeconfig.empty()) {
    const auto path = std::filesystem::path(output_folder(job)) / "kubeconfig";
    std::error_code error;
    if (std::filesystem::exists(path, error)) options.kubeconfig = path.string();
  }
  options.wait = given.wait;
  options.poll = given.poll;
  if (!given.json) options.tell = print_check;
  return options;
}

}  // namespace

int verify_eks(const EksJob& job) {
  const std::string fault = fault_of_skip(job.options.skip, deploy::check_names());
  if (!fault.empty()) {
    say(fault);
    return kUsage;
  }
  if (!job.options.echo.empty() && !job.options.echo.starts_with("http://")) {
    say("--echo: write an http:// URL");
    return kUsage;
  }
  deploy::VerifyOptions options = verify_options(job);
  if (!job.options.proxy.empty()) {
    auto proxy = Authority::parse(job.options.proxy);
    if (!proxy) {
      say("--proxy: " + proxy.error().detail);
      return kUsage;
    }
    options.proxy = *std::move(proxy);
  }
  auto session = AwsSession::make(session_options(job.options, job.plan.region));
  if (!session) {
    say(session.error().detail);
    return kFailed;
  }
  deploy::NetworkProbe probe((*session)->loop(), (*session)->resolver());
  const Checks checks = (*session)->run(run_checks(**session, job, probe, std::move(options)));
  if (!checks) {
    say(checks.error().describe("cloudformation DescribeStacks"));
    say_next(deploy::next_step(checks.error()));
    return kFailed;
  }
  if (job.options.json) {
    const std::string out =
        checklist_json({{"cluster", job.plan.cluster}, {"region", job.plan.region}}, *checks);
    std::puts(out.c_str());
  }
  return deploy::has_failed(*checks) ? kFailed : kFine;
}

int print_eks_token(const EksOptions& options) {
  if (options.cluster.empty()) {
    say("token: name the cluster by --cluster");
    return kUsage;
  }
  auto session = AwsSession::make(session_options(options, options.region));
  if (!session) {
    say(session.error().detail);
    return kFailed;
  }
  const auto token = (*session)->run(aws::sts::eks_token((*session)->client(), options.cluster));
  if (!token) {
    say(token.error().describe("token"));
    say_next(deploy::next_step(token.error()));
    return kFailed;
  }
  const std::int64_t expiration = milliseconds_of(token->expiration);
  std::fputs(deploy::exec_credential(token->token.reveal(), analyse::rfc3339(expiration)).c_str(),
             stdout);
  return kFine;
}

}  // namespace ebbgate::app
