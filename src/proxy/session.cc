#include "proxy/session.h"

#include <sys/socket.h>

#include <algorithm>
#include <string>
#include <utility>

#include "hello/proxy_protocol.h"
#include "policy/explain.h"
#include "proxy/exchange.h"
#include "proxy/tunnel.h"

namespace ebbgate::proxy {
namespace {

// How long a connection may wait for its next request; the idle timeout, if that is less.
constexpr Duration kNextRequest = std::chrono::minutes(2);

bool holds(const std::vector<Cidr>& blocks, const IpAddress& address) {
  return std::ranges::any_of(blocks, [&](const Cidr& block) { return block.contains(address); });
}

// Who the connection is from (semantics 12): reads the PROXY protocol header where one may come.
// False: a load balancer that only looked whether somebody answers. Errors: kNotAClient,
// kProxyProtocolInvalid.
net::Task<Result<bool>> introduce(Client& client) {
  const Options& options = client.worker.options();
  const IpAddress peer = client.address.address;
  const bool is_trusted = holds(options.trusted, peer);
  const bool is_client = holds(options.clients, peer);
  const bool may_have_header = options.proxy_protocol == ProxyProtocol::kRequired ||
                               (options.proxy_protocol == ProxyProtocol::kOptional && is_trusted);
  if (!may_have_header) {
    if (!is_client) co_return fail(Reason::kNotAClient, Side::kClient, peer.str());
    client.subject.address = peer;
    co_return true;
  }
  if (!is_trusted) {
    co_return fail(Reason::kNotAClient, Side::kClient,
                   peer.str() + " is not trusted to send a PROXY protocol header");
  }
  const Deadline deadline = client.worker.loop.after(options.limits.handshake);
  for (;;) {
    const auto state = hello::read_proxy_header(client.buffer.view());
    if (!state) co_return std::unexpected(state.error());
    if (const auto* header = std::get_if<hello::ProxyHeader>(&*state)) {
      client.buffer.consume(header->size);
      client.vpc_endpoint = header->vpc_endpoint;
      if (header->source) {
        client.address = *header->source;
        if (!holds(options.clients, client.address.address)) {
          co_return fail(Reason::kNotAClient, Side::kClient,
                         client.address.address.str() + ", as the PROXY protocol header says");
        }
        client.subject.address = client.address.address;
      }
      co_return true;
    }
    if (std::holds_alternative<hello::ProxyHeaderAbsent>(*state)) {
      if (options.proxy_protocol == ProxyProtocol::kRequired) {
        co_return fail(Reason::kProxyProtocolInvalid, Side::kClient, "the header is missing");
      }
      co_return true;  // a trusted peer's own traffic: it has no subject
    }
    const auto got = co_await client.stream.read_some(client.buffer.space(), deadline);
    if (got && *got == 0 && client.buffer.empty()) co_return false;
    if (!got || *got == 0) {
      co_return fail(Reason::kProxyProtocolInvalid, Side::kClient, "the header is incomplete");
    }
    client.buffer.commit(*got);
  }
}

enum class HeadRead : std::uint8_t { kHead, kClosed };

// Waits for the next request without holding a buffer. False: there is none.
net::Task<bool> next_request_comes(Client& client) {
  Worker& worker = client.worker;
  if (!client.buffer.empty()) co_return true;
  client.buffer.release();
  if (worker.closes_idle()) co_return false;
  const Duration idle = worker.options().limits.idle;
  const Duration patience = idle > Duration::zero() ? std::min(idle, kNextRequest) : kNextRequest;
  worker.add_idle(client.stream);
  const auto ready = co_await client.stream.until_readable(worker.loop.after(patience));
  worker.remove_idle(client.stream);
  if (ready) co_return true;
  // Asked to close in this moment: a request that has come already is still served.
  char octet = 0;
  co_return ready.error() == std::errc::operation_canceled&& worker.closes_idle() &&
      ::recv(client.stream.fd(), &octet, 1, MSG_PEEK) > 0;
}

// Reads one request head. Errors: what the parser says, and kHeadTimedOut once an octet came. Of a
// head that was refused the exchange knows what was asked for, as far as that was read.
net::Task<Result<HeadRead>> read_head(Client& client, http::RequestReader& reader,
                                      Exchange& exchange) {
  const Deadline deadline = client.worker.loop.after(client.worker.options().limits.head);
  for (;;) {
    if (!client.buffer.empty()) {
      auto consumed = reader.read(client.buffer.view());
      if (!consumed) {
        exchange.method = reader.head().method_name();
        exchange.target = reader.head().target_text();
        co_return std::unexpected(std::move(consumed.error()));
      }
      if (*consumed > 0) {
        client.buffer.consume(*consumed);
        exchange.from_client = *consumed;
        co_return HeadRead::kHead;
      }
    }
    const auto got = co_await client.stream.read_some(client.buffer.space(), deadline);
    if (got && *got > 0) {
      client.buffer.commit(*got);
      continue;
    }
    if (!got && got.error() == std::errc::timed_out && !client.buffer.empty()) {
      co_return fail(Reason::kHeadTimedOut, Side::kClient, "the request head did not end in time");
    }
    co_return HeadRead::kClosed;
  }
}

// Whom the request asks for.
Result<Authority> asked_by(const http::RequestHead& head, const std::optional<Authority>& inside) {
  if (!inside) return http::asked_of_proxy(head);
  auto asked = http::asked_of_origin(head, inside->port);
  if (asked && asked->host != inside->host) {
    return fail(
        Reason::kMalformedRequest, Side::kClient,
        "Host is " + asked->host.str() + ", but the tunnel was opened for " + inside->host.str());
  }
  return asked;
}

policy::Request request_of(const Exchange& exchange, const http::RequestHead& head) {
  policy::Request request{.host = exchange.asked->host, .port = exchange.asked->port};
  if (!exchange.is_connect) {
    request.visibility = policy::Visibility::kClear;
    request.method = exchange.method;
    request.path = head.target.path;
  } else if (request.port == kHttpPort) {
    request.visibility = policy::Visibility::kPending;
  }
  return request;
}

// Decides by the policy in force; the error is the refusal.
Result<void> decide(Exchange& exchange, const http::RequestHead& head) {
  Worker& worker = exchange.client.worker;
  exchange.snapshot = worker.policy();
  if (exchange.snapshot == nullptr) {
    return fail(Reason::kNoPolicy, Side::kSelf, "no policy was loaded yet");
  }
  if (exchange.snapshot->is_too_old) {
    return fail(Reason::kPolicyTooOld, Side::kSelf,
                "the policy is older than --policy-max-age allows");
  }
  const policy::Policy& policy = *exchange.snapshot->policy;
  const policy::Subject& subject = exchange.client.subject;
  const policy::Request request = request_of(exchange, head);
  const WallTime now = worker.shared.clock.wall();
  exchange.decision = policy::decide(policy, subject, request, now);
  if (exchange.decision.verdict != Verdict::kDeny) return {};
  std::string detail = exchange.asked->str();
  if (exchange.decision.reason == Reason::kDeniedByRule && exchange.decision.pattern) {
    const policy::Citation citation = policy.cite(*exchange.decision.pattern);
    detail += "; `" + citation.pattern + "` (" + citation.where() + ") denies it";
  } else if (const auto nearest = policy::near_miss(policy, subject, request, now)) {
    detail += "; " + nearest->text;
  }
  return fail(exchange.decision.reason, Side::kClient, std::move(detail));
}

}  // namespace

net::Task<void> serve_requests(Client& client, std::optional<Authority> inside, OwnOrigin own) {
  Worker& worker = client.worker;
  http::RequestReader reader({.octets = worker.options().limits.head_octets});
  for (bool is_first = true;; is_first = false) {
    if (!is_first && !co_await next_request_comes(client)) {
      // A request may be on its way: a reset would hide from its sender that nobody read it.
      co_return worker.linger.add(std::move(client.stream));
    }
    Exchange exchange(client, worker.loop.now());
    const auto read = co_await read_head(client, reader, exchange);
    if (read && *read == HeadRead::kClosed) co_return;
    exchange.id = worker.ids.next();
    if (!read) co_return co_await refuse(exchange, read.error());

    const http::RequestHead& head = reader.head();
    note_head(exchange, head);
    auto asked = asked_by(head, inside);
    if (!asked) co_return co_await refuse(exchange, std::move(asked.error()));
    exchange.asked = std::move(*asked);
    if (client.may_have_pod()) {
      Who::Known known = worker.who->identify(client.subject);
      if (known == Who::Known::kAwaited) known = co_await worker.who->wait(client.subject);
      if (known == Who::Known::kAmbiguous) {
        Error claimed{Reason::kSubjectAmbiguous, Side::kClient, client.subject.address->str()};
        co_return co_await refuse(exchange, std::move(claimed));
      }
    }
    auto decided = decide(exchange, head);
    if (!decided) co_return co_await refuse(exchange, std::move(decided.error()));

    if (exchange.is_connect) co_return co_await open_tunnel(exchange);
    const bool goes_on = co_await forward(exchange, head, own);
    if (!goes_on) co_return;
  }
}

net::Task<void> serve_client(Worker& worker, net::OwnedFd fd, Endpoint from, std::size_t listener) {
  Client client(worker, fd.release(), from, listener);
  const auto introduced = co_await introduce(client);
  if (introduced && !*introduced) co_return;
  const Reason admitted =
      introduced ? client.ticket.identify(client.subject.address) : introduced.error().reason;
  if (admitted != Reason::kAllowed) {
    Exchange exchange(client, worker.loop.now());
    exchange.id = worker.ids.next();
    Error error = introduced ? Error{admitted, Side::kClient, client.address.address.str()}
                             : introduced.error();
    co_return co_await refuse(exchange, std::move(error));
  }
  co_await serve_requests(client, std::nullopt, OwnOrigin{});
}

}  // namespace ebbgate::proxy
