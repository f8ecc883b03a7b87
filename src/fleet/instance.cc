#include "fleet/instance.h"

#include <chrono>
#include <optional>
#include <utility>

#include "aws/autoscaling.h"
#include "fleet/backoff.h"

namespace ebbgate::fleet {
namespace {

constexpr Duration kCallTimeout = std::chrono::seconds(20);

// A tag of the instance; empty where it has none, or its metadata shows no tags.
net::Task<std::string> tag(aws::Imds& imds, std::string key) {
  net::Task<aws::Outcome<std::optional<std::string>>> task =
      imds.get("latest/meta-data/tags/instance/" + key);
  const auto found = co_await task;
  if (!found || !*found) co_return std::string();
  co_return **found;
}

net::Task<aws::Outcome<Instance>> identify_once(aws::Imds& imds, Instance known) {
  if (known.id.empty()) {
    net::Task<aws::Outcome<std::string>> task = imds.instance_id();
    auto id = co_await task;
    if (!id) co_return std::unexpected(std::move(id.error()));
    known.id = std::move(*id);
  }
  if (known.group.empty()) {
    net::Task<std::string> task = tag(imds, "aws:autoscaling:groupName");
    known.group = co_await task;
  }
  if (known.stack.empty()) {
    net::Task<std::string> task = tag(imds, "aws:cloudformation:stack-name");
    known.stack = co_await task;
  }
  if (known.stack_resource.empty()) {
    net::Task<std::string> task = tag(imds, "aws:cloudformation:logical-id");
    known.stack_resource = co_await task;
  }
  co_return known;
}

}  // namespace

net::Task<Instance> identify(aws::Context& context, aws::Imds& imds, Instance known, Say say) {
  bool was_said = false;
  for (Backoff backoff;;) {
    net::Task<aws::Outcome<Instance>> task = identify_once(imds, known);
    auto found = co_await task;
    if (found) co_return std::move(*found);
    if (!std::exchange(was_said, true)) {
      say("aws: " + found.error().describe("the instance metadata service") +
          "; asking again until it answers");
    }
    const Deadline wake = context.loop.after(backoff.next(context.random()));
    if (co_await net::sleep_until(context.loop, wake) == net::Wait::End::kStopped) {
      co_return Instance{};
    }
  }
}

net::Task<std::string> find_group(aws::Client& client, std::string instance_id, Say say) {
  net::Task<aws::Outcome<std::optional<aws::autoscaling::Instance>>> task =
      aws::autoscaling::describe_instance(client, std::move(instance_id),
                                          client.context().loop.after(kCallTimeout));
  const auto found = co_await task;
  if (!found) {
    say("aws: " + found.error().describe("autoscaling DescribeAutoScalingInstances") +
        "; name the group with --aws-group");
    co_return std::string();
  }
  co_return *found ? (*found)->group : std::string();
}

}  // namespace ebbgate::fleet
