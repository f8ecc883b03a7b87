#include "app/lookup.h"

#include <memory>
#include <optional>
#include <utility>

#include "net/dial.h"
#include "net/loop.h"
#include "net/task.h"

namespace ebbgate::app {
namespace {

// What the coroutines of one question share; it outlives the loop.
struct Question {
  net::Loop& loop;
  dns::Resolver& resolver;
  Deadline deadline;
  std::size_t open = 0;

  void answered() {
    if (--open == 0) loop.stop();
  }
};

net::Task<void> resolve(Question& question, Hostname name, Result<std::vector<IpAddress>>& into) {
  auto answer = co_await question.resolver.resolve(std::move(name), question.deadline,
                                                   dns::SingleLabel::kAsk);
  if (answer) {
    into = (*answer)->addresses;
  } else {
    into = std::unexpected(std::move(answer.error()));
  }
  question.answered();
}

net::Task<void> reach(Question& question, Reached& into) {
  Hostname name = into.name;
  auto answer = co_await question.resolver.resolve(std::move(name), question.deadline,
                                                   dns::SingleLabel::kAsk);
  if (!answer) {
    into.outcome = std::unexpected(std::move(answer.error()));
  } else {
    std::vector<IpAddress> addresses = (*answer)->addresses;
    const auto dialed =
        co_await net::dial(question.loop, std::move(addresses), into.port, question.deadline);
    if (dialed) {
      into.outcome = dialed->remote;
    } else {
      into.outcome = std::unexpected(dialed.error());
    }
  }
  question.answered();
}

// Runs what `start` spawns until all of it has answered. Out: why it cannot, where there is no loop
// or no resolver.
template <typename Start>
std::optional<Error> run(dns::ResolverOptions options, Duration patience, std::size_t count,
                         Start start) {
  if (count == 0) return std::nullopt;
  const auto loop = net::Loop::make();
  if (!loop) return loop.error();
  const auto resolver = dns::Resolver::make(**loop, std::move(options));
  if (!resolver) return resolver.error();
  Question question{**loop, **resolver, (*loop)->after(patience), count};
  start(question);
  if (question.open > 0) (*loop)->run();
  return std::nullopt;
}

void ignore(const std::exception_ptr&) {}

}  // namespace

Result<std::vector<IpAddress>> look_up(const Hostname& name, dns::ResolverOptions options,
                                       Duration patience) {
  Result<std::vector<IpAddress>> outcome;
  const auto error = run(std::move(options), patience, 1, [&](Question& question) {
    net::spawn(resolve(question, name, outcome), ignore);
  });
  if (error) return std::unexpected(*error);
  return outcome;
}

std::vector<Reached> try_to_reach(std::vector<std::pair<Hostname, Port>> targets,
                                  dns::ResolverOptions options, Duration patience) {
  std::vector<Reached> all;
  for (auto& [name, port] : targets) {
    all.push_back(
        {std::move(name), port, fail(Reason::kInternal, Side::kSelf, "nothing came of it")});
  }
  const auto error = run(std::move(options), patience, all.size(), [&](Question& question) {
    for (Reached& each : all) net::spawn(reach(question, each), ignore);
  });
  if (error) {
    for (Reached& each : all) each.outcome = std::unexpected(*error);
  }
  return all;
}

}  // namespace ebbgate::app
