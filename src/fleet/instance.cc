#include "fleet/instance.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <optional>
#include <string_view>
#include <utility>

#include "aws/autoscaling.h"
#include "fleet/backoff.h"

namespace ebbgate::fleet {
namespace {

constexpr Duration kCallTimeout = std::chrono::seconds(20);

// What a proxy or a truncated answer gives instead would be believed for the life of the process.
bool is_instance_id(std::string_view text) {
  return text.starts_with("i-") && text.size() > 2 &&
         text.find_first_not_of("0123456789abcdef", 2) == std::string_view::npos;
}
bool is_name(std::string_view text) {
  return !text.empty() && text.size() <= 255 &&
         std::ranges::all_of(text, [](char c) { return c >= ' ' && c < 0x7f && c != '<'; });
}

std::unexpected<aws::Failure> unreadable(const std::string& what) {
  return aws::failed(aws::Failure::Kind::kUnreadable, "an answer that is no " + what);
}

// Fills `out`, where it is empty, from a tag of the instance, if it has that and its metadata shows
// tags.
net::Task<aws::Outcome<void>> fill_from_tag(aws::Imds& imds, std::string key, std::string& out) {
  if (!out.empty()) co_return aws::Outcome<void>();
  net::Task<aws::Outcome<std::optional<std::string>>> task =
      imds.get("latest/meta-data/tags/instance/" + key);
  auto found = co_await task;
  if (!found) co_return std::unexpected(std::move(found.error()));
  if (!*found) co_return aws::Outcome<void>();
  if (!is_name(**found)) co_return unreadable("value of the tag " + key);
  out = std::move(**found);
  co_return aws::Outcome<void>();
}

net::Task<aws::Outcome<Instance>> identify_once(aws::Imds& imds, Instance known) {
  if (known.id.empty()) {
    net::Task<aws::Outcome<std::string>> task = imds.instance_id();
    auto id = co_await task;
    if (!id) co_return std::unexpected(std::move(id.error()));
    if (!is_instance_id(*id)) co_return unreadable("instance id");
    known.id = std::move(*id);
  }
  const std::array<std::pair<const char*, std::string*>, 3> tags = {
      {{"aws:autoscaling:groupName", &known.group},
       {"aws:cloudformation:stack-name", &known.stack},
       {"aws:cloudformation:logical-id", &known.stack_resource}}};
  for (const auto& [key, member] : tags) {
    net::Task<aws::Outcome<void>> task = fill_from_tag(imds, key, *member);
    auto filled = co_await task;
    if (!filled) co_return std::unexpected(std::move(filled.error()));
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
  net::Loop& loop = client.context().loop;
  bool was_said = false;
  for (Backoff backoff;;) {
    net::Task<aws::Outcome<std::optional<aws::autoscaling::Instance>>> task =
        aws::autoscaling::describe_instance(client, instance_id, loop.after(kCallTimeout));
    const auto found = co_await task;
    if (found) co_return *found ? (*found)->group : std::string();
    const bool is_final = found.error().kind == aws::Failure::Kind::kService &&
                          !found.error().is_retryable && !found.error().is_throttling;
    if (!std::exchange(was_said, true) || is_final) {
      say("aws: " + found.error().describe("autoscaling DescribeAutoScalingInstances") +
          "; --aws-group names the group without asking");
    }
    if (is_final) co_return std::string();
    const Deadline wake = loop.after(backoff.next(client.context().random()));
    const net::Wait::End waited = co_await net::sleep_until(loop, wake);
    if (waited == net::Wait::End::kStopped) co_return std::string();
  }
}

}  // namespace ebbgate::fleet
