#include "proxy/tunnel.h"

#include <algorithm>
#include <memory>
#include <string>
#include <utility>

#include "hello/client_hello.h"
#include "hello/tls_alert.h"
#include "http/answer.h"
#include "policy/handshake.h"
#include "proxy/session.h"
#include "proxy/tunnel_record.h"

namespace ebbgate::proxy {
namespace {

// What a client begins with in a tunnel to port 80.
enum class Speaks : std::uint8_t { kTls, kHttp, kOther };

Speaks first_words(char first) {
  constexpr char kHandshakeRecord = 22;  // RFC 8446 5.1
  if (first == kHandshakeRecord) return Speaks::kTls;
  return first >= 'A' && first <= 'Z' ? Speaks::kHttp : Speaks::kOther;
}

// Reads until something is buffered. Errors: kTimedOut, kClientClosed, kDraining.
net::Task<Result<void>> read_more(Client& client, Deadline deadline) {
  const auto got = co_await client.stream.read_some(client.buffer.space(), deadline);
  if (got && *got > 0) {
    client.buffer.commit(*got);
    co_return {};
  }
  if (!got && got.error() == std::errc::timed_out) {
    co_return fail(Reason::kTimedOut, Side::kClient,
                   "no TLS ClientHello came in time; where the server speaks first, the policy's "
                   "entry needs `tls: off`");
  }
  if (!got && got.error() == std::errc::operation_canceled) {
    co_return fail(Reason::kDraining, Side::kSelf, {});
  }
  co_return fail(Reason::kClientClosed, Side::kClient, "before it had said anything");
}

// Reads the ClientHello, which stays in the buffer. Errors: as above and what the reader says.
net::Task<Result<hello::ClientHello>> read_hello(Client& client, Deadline deadline) {
  hello::ClientHelloReader reader;
  for (;;) {
    if (!client.buffer.empty()) {
      auto hello = reader.read(client.buffer.view());
      if (!hello) co_return std::unexpected(std::move(hello.error()));
      if (*hello) co_return std::move(**hello);
    }
    auto more = co_await read_more(client, deadline);
    if (!more) co_return std::unexpected(std::move(more.error()));
  }
}

// For a target that is an address: whether the server name is allowed, too, and leads there.
net::Task<bool> name_leads_to(const Exchange& exchange, const Hostname& name) {
  Worker& worker = exchange.client.worker;
  const Host host(name);
  const policy::Decision decision =
      policy::decide(*exchange.snapshot->policy, exchange.client.subject,
                     {.host = host, .port = exchange.asked->port}, worker.shared.clock.wall());
  if (decision.verdict == Verdict::kDeny) co_return false;
  const Deadline deadline = worker.loop.after(worker.options().limits.connect);
  const dns::Outcome answer = co_await addresses_of(worker, host, deadline);
  if (!answer) co_return false;
  const std::vector<IpAddress>& addresses = (*answer)->addresses;
  co_return std::ranges::find(addresses, *exchange.asked->host.address()) != addresses.end();
}

// Judges the client's first octets by the entries that admitted the exchange and its address.
net::Task<Result<void>> check_hello(Exchange& exchange, const Origin& origin, Deadline deadline) {
  Client& client = exchange.client;
  const policy::Policy& policy = *exchange.snapshot->policy;
  policy::Handshake handshake;
  auto hello = co_await read_hello(client, deadline);
  if (!hello && policy::verdict_of(exchange.decision, hello.error().reason) == Verdict::kDeny) {
    co_return std::unexpected(std::move(hello.error()));
  }
  Reason reason = Reason::kAllowed;
  if (hello) {
    exchange.ech = hello->ech;
    if (hello->sni) exchange.sni = hello->sni->str();
    handshake.is_tls = true;
    handshake.server_name = std::move(hello->sni);
    handshake.ech = hello->ech;
    if (exchange.asked->host.address() != nullptr && handshake.server_name) {
      handshake.name_leads_here = co_await name_leads_to(exchange, *handshake.server_name);
    }
    reason = policy::judge_handshake(policy, origin.admissions, exchange.asked->host, handshake);
  } else {
    reason = hello.error().reason;
  }
  if (reason == Reason::kAllowed) co_return {};
  const Verdict verdict = policy::verdict_of(exchange.decision, reason);
  if (verdict == Verdict::kReport) {
    exchange.decision.verdict = verdict;
    exchange.decision.reason = reason;
    co_return {};
  }
  std::string detail;
  if (reason == Reason::kSniMismatch) {
    detail =
        "the server name is " + exchange.sni + ", the tunnel is for " + exchange.asked->host.str();
  }
  co_return fail(reason, Side::kClient, std::move(detail));
}

// Refuses after the 200: with a TLS alert where the client speaks TLS (semantics 4).
net::Task<void> refuse_tunnel(Exchange& exchange, Error error) {
  Client& client = exchange.client;
  const Reason reason = error.reason;
  const bool is_refused = is_refusal(error);
  const bool is_recorded = co_await record_refused(exchange, std::move(error));
  if (!is_recorded || !is_refused) {
    client.stream.close();
    co_return;
  }
  if (const auto description = hello::alert_for(reason)) {
    const auto alert = hello::tls_alert(*description);
    const std::string_view bytes(alert.data(), alert.size());
    const Deadline deadline = client.worker.loop.after(net::LingerSet::kPatience);
    const auto sent = co_await client.stream.write_all(bytes, deadline, net::Stream::Then::kMore);
    if (!sent) {
      client.stream.close();
      co_return;
    }
  }
  client.worker.linger.add(std::move(client.stream));
}

// Whether the exchange would be let pass as an opaque tunnel to the address that was dialed, so
// that entries which have to see methods and paths do not admit what they cannot see. If so, the
// decision and the admissions become those.
bool admits_opaque(Exchange& exchange, Origin& origin) {
  const Snapshot& snapshot = *exchange.snapshot;
  const policy::Subject& subject = exchange.client.subject;
  const Authority& asked = *exchange.asked;
  const WallTime now = exchange.client.worker.shared.clock.wall();
  policy::Decision opaque =
      policy::decide(*snapshot.policy, subject, {.host = asked.host, .port = asked.port}, now);
  if (opaque.verdict == Verdict::kDeny) return false;
  policy::AddressJudgement judged =
      policy::judge_address(*snapshot.policy, snapshot.guard, subject, asked.host, opaque,
                            origin.address.address, asked.port, now);
  if (judged.reason != Reason::kAllowed) return false;
  exchange.decision = std::move(opaque);
  origin.admissions = std::move(judged.admissions);
  return true;
}

// Whether the client's first octets have to be seen before any goes on.
bool holds_back(Exchange& exchange, Origin& origin) {
  const policy::Policy& policy = *exchange.snapshot->policy;
  if (policy::expects_client_hello(policy, origin.admissions)) return true;
  if (exchange.asked->port != kHttpPort) return false;
  // On port 80 the entry that spares the check may be one that admits no tunnel at all.
  return !admits_opaque(exchange, origin) ||
         policy::expects_client_hello(policy, origin.admissions);
}

// The first octets decide what a tunnel to port 80 is (semantics 4). Out: whether it is HTTP, which
// is served request by request; the others go on as tunnels of TLS.
net::Task<Result<bool>> is_http(Exchange& exchange, Origin& origin, Deadline deadline) {
  Client& client = exchange.client;
  if (client.buffer.empty()) {
    auto more = co_await read_more(client, deadline);
    if (!more) co_return std::unexpected(std::move(more.error()));
  }
  switch (first_words(client.buffer.view().front())) {
    case Speaks::kHttp:
      co_return true;
    case Speaks::kTls:
      if (admits_opaque(exchange, origin)) co_return false;
      co_return fail(Reason::kNotAllowed, Side::kClient,
                     "only requests in the clear are allowed on port 80 here");
    case Speaks::kOther:
      break;
  }
  co_return fail(Reason::kNotTls, Side::kClient, "neither TLS nor HTTP was spoken");
}

}  // namespace

void become_tunnel(Exchange& exchange, Origin origin) {
  Client& client = exchange.client;
  Worker& worker = client.worker;
  const Limits& limits = worker.options().limits;
  net::set_keepalive(origin.stream.fd(), limits.keepalive);
  auto record = std::make_unique<TunnelRecord>(exchange);
  const net::TunnelLimits tunnel_limits{.idle = limits.idle,
                                        .total = worker.loop.after(limits.tunnel),
                                        .notice = worker.notice_for(*record, exchange.began)};
  worker.relay.add(std::move(client.stream), std::move(origin.stream), tunnel_limits,
                   std::move(record));
}

net::Task<void> open_tunnel(Exchange& exchange) {
  Client& client = exchange.client;
  Worker& worker = client.worker;
  auto origin = co_await reach(exchange);
  if (!origin) co_return co_await refuse(exchange, std::move(origin.error()));

  const Deadline deadline = worker.loop.after(worker.options().limits.handshake);
  exchange.status = 200;
  exchange.to_client = http::kTunnelEstablished.size();
  const auto told = co_await client.stream.write_all(http::kTunnelEstablished, deadline);
  if (!told) {
    record_passed(exchange, {Reason::kClientClosed, Side::kClient, {}});
    co_return;
  }

  if (holds_back(exchange, *origin)) {
    if (exchange.asked->port == kHttpPort) {
      auto http = co_await is_http(exchange, *origin, deadline);
      if (!http) co_return co_await refuse_tunnel(exchange, std::move(http.error()));
      if (*http) {
        record_passed(exchange, kServed);
        OwnOrigin own{.origin = std::move(*origin), .key = origin_key(exchange), .is_bound = false};
        co_return co_await serve_requests(client, *exchange.asked, std::move(own));
      }
    }
    auto checked = co_await check_hello(exchange, *origin, deadline);
    if (!checked) co_return co_await refuse_tunnel(exchange, std::move(checked.error()));
  }

  exchange.from_client += client.buffer.size();
  const auto passed_on = co_await origin->stream.write_all(client.buffer.view(), deadline);
  if (!passed_on) {
    record_passed(exchange, {Reason::kOriginClosed, Side::kOrigin,
                             std::make_error_code(passed_on.error()).message()});
    co_return;
  }
  client.buffer.release();
  become_tunnel(exchange, std::move(*origin));
}

}  // namespace ebbgate::proxy
