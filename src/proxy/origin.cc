#include "proxy/origin.h"

#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "net/dial.h"
#include "policy/address_guard.h"

namespace ebbgate::proxy {
namespace {

// An address that passed, and by which entries.
struct Passed {
  IpAddress address;
  policy::AdmissionSet admissions;
};

// Classifies every address; an error where none is left.
Result<std::vector<Passed>> classify(const Exchange& exchange,
                                     const std::vector<IpAddress>& addresses) {
  const Snapshot& snapshot = *exchange.snapshot;
  const Authority& asked = *exchange.asked;
  const WallTime now = exchange.client.worker.shared.clock.wall();
  std::vector<Passed> passed;
  passed.reserve(addresses.size());
  Error refused{Reason::kForbiddenAddress, Side::kClient, {}};
  for (const IpAddress& address : addresses) {
    policy::AddressJudgement judgement =
        policy::judge_address(*snapshot.policy, snapshot.guard, exchange.client.subject, asked.host,
                              exchange.decision, address, asked.port, now);
    if (judgement.reason == Reason::kAllowed) {
      passed.push_back({address, std::move(judgement.admissions)});
      continue;
    }
    refused.reason = judgement.reason;
    refused.detail += (refused.detail.empty() ? asked.host.str() + " leads to " : ", ") +
                      address.str() + " (" + std::string(judgement.what) + ")";
  }
  if (passed.empty()) return std::unexpected(std::move(refused));
  return passed;
}

}  // namespace

net::Task<dns::Outcome> addresses_of(Worker& worker, const Host& host, Deadline deadline) {
  if (const IpAddress* literal = host.address()) {
    co_return std::make_shared<const dns::Answer>(
        dns::Answer{.addresses = {*literal}, .expiry = MonotonicTime::max()});
  }
  if (dns::AnswerPtr cached = worker.resolver().find_cached(*host.name())) {
    worker.metrics.dns_cache_hits.add();
    co_return cached;
  }
  // A name of one label got here because the policy lists it.
  dns::Outcome outcome =
      co_await worker.resolver().resolve(*host.name(), deadline, dns::SingleLabel::kAsk);
  worker.note_dns_queries();
  if (!outcome) worker.metrics.dns_failures.add();
  co_return outcome;
}

net::Task<Result<Origin>> reach(Exchange& exchange) {
  Worker& worker = exchange.client.worker;
  const Deadline deadline = worker.loop.after(worker.options().limits.connect);
  const dns::Outcome answer = co_await addresses_of(worker, exchange.asked->host, deadline);
  if (!answer) co_return std::unexpected(answer.error());
  auto passed = classify(exchange, (*answer)->addresses);
  if (!passed) co_return std::unexpected(std::move(passed.error()));
  std::vector<IpAddress> addresses;
  addresses.reserve(passed->size());
  for (const Passed& each : *passed) addresses.push_back(each.address);
  auto dialed =
      co_await net::dial(worker.loop, std::move(addresses), exchange.asked->port, deadline);
  if (!dialed) {
    if (dialed.error().reason == Reason::kOverCapacity) worker.origins.clear();  // for the next
    co_return std::unexpected(std::move(dialed.error()));
  }
  exchange.origin = dialed->remote.address;
  exchange.connect_took = dialed->took;
  worker.metrics.origin_connections.add();
  const auto winner = std::ranges::find(*passed, dialed->remote.address, &Passed::address);
  co_return Origin{std::move(dialed->stream), dialed->remote, std::move(winner->admissions)};
}

}  // namespace ebbgate::proxy
