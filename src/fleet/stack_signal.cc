#include "fleet/stack_signal.h"

#include <chrono>
#include <utility>

namespace ebbgate::fleet {
namespace {

constexpr Duration kCallTimeout = std::chrono::minutes(2);  // retries included

using aws::cloudformation::Signal;

std::string listed(const std::vector<std::string>& words) {
  std::string out;
  for (const std::string& word : words) out += (out.empty() ? "" : ", ") + word;
  return out;
}

net::Task<void> send(aws::Client& client, StackSignalOptions options, Signal signal, Say say) {
  if (options.stack.empty() || options.resource.empty()) co_return;
  const std::string what = signal == Signal::kSuccess ? "a success" : "a failure";
  net::Task<aws::Outcome<void>> task = aws::cloudformation::signal_resource(
      client, options.stack, options.resource, options.instance_id, signal,
      client.context().loop.after(kCallTimeout));
  const auto sent = co_await task;
  if (sent) {
    say("aws: " + what + " was signalled to the stack " + options.stack);
  } else if (!sent.error().is("ValidationError")) {  // else the stack waits for nobody
    say("aws: " + sent.error().describe("cloudformation SignalResource") +
        "; a stack that waits for this instance may roll back");
  }
}

}  // namespace

net::Task<void> signal_readiness(aws::Client& client, StackSignalOptions options,
                                 std::function<std::vector<std::string>()> unready,
                                 std::function<void()> on_ready, Say say) {
  net::Loop& loop = client.context().loop;
  const Deadline too_late = loop.after(options.patience);
  bool has_failed = false;
  for (std::vector<std::string> causes = unready(); !causes.empty(); causes = unready()) {
    if (!has_failed && too_late.when() <= loop.now()) {
      has_failed = true;
      say("aws: not ready in time (" + listed(causes) + ")");
      net::Task<void> failing = send(client, options, Signal::kFailure, say);
      co_await failing;
    }
    const Deadline wake = loop.after(options.poll);
    if (co_await net::sleep_until(loop, wake) == net::Wait::End::kStopped) co_return;
  }
  on_ready();
  if (has_failed) co_return;
  net::Task<void> succeeding = send(client, std::move(options), Signal::kSuccess, std::move(say));
  co_await succeeding;
}

}  // namespace ebbgate::fleet
