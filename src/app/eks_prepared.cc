#include "app/eks_prepared.h"

#include <algorithm>
#include <utility>

#include "app/kube_session.h"
#include "aws/cloudformation.h"
#include "deploy/prepared.h"
#include "source/eks_access.h"

namespace ebbgate::app {
namespace {

namespace cfn = aws::cloudformation;

// Out: what is missing; empty: the cluster is prepared.
net::Task<std::string> ask(AwsSession& session, const EksJob& job) {
  net::Loop& loop = session.loop();
  const SystemClock clock;
  const Duration patience = job.options.call_timeout;
  auto access = co_await source::eks_access(loop, clock, session.client(), job.plan.cluster,
                                            loop.after(patience * 2));
  if (!access) co_return "its API cannot be asked from here: " + access.error().detail;
  kube::ClientOptions options;
  options.timeout = patience;
  options.max_attempts = 2;
  const auto api = KubeSession::make(loop, *std::move(access), std::move(options));
  if (!api) co_return "its API cannot be asked from here: " + api.error().detail;
  co_return co_await deploy::missing_for_gateways((*api)->client());
}

}  // namespace

net::Task<aws::Outcome<void>> learn_prepared(AwsSession& session, const EksJob& job,
                                             deploy::Facts& facts, bool is_new) {
  if (!job.settings.gateway.kube.value) co_return aws::Outcome<void>();
  const Deadline deadline = session.loop().after(std::chrono::minutes(1));
  auto stack =
      co_await cfn::describe_stack(session.client(), job.plan.step("gateway")->stack, deadline);
  if (!stack) co_return std::unexpected(std::move(stack.error()));
  const cfn::Pairs::value_type told("KubeCluster", job.plan.cluster);
  const bool is_told = *stack && std::ranges::count((*stack)->parameters, told) > 0;
  if (!is_told && (is_new || !facts.outputs.contains("cluster"))) {
    facts.why_unprepared = "it is new";
  } else if (!is_told) {
    facts.why_unprepared = co_await ask(session, job);
  }
  facts.kube_cluster = facts.why_unprepared.empty() ? job.plan.cluster : std::string();
  co_return aws::Outcome<void>();
}

}  // namespace ebbgate::app
