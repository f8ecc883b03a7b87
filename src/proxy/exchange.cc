#include "proxy/exchange.h"

#include <array>
#include <utility>

#include "http/answer.h"

namespace ebbgate::proxy {
namespace {

observe::SquidResult squid_result(const Exchange& exchange, const Error& end) {
  if (exchange.method.empty()) return observe::SquidResult::kNone;
  if (is_refusal(end)) {
    const bool was_understood = end.reason != Reason::kMalformedRequest &&
                                end.reason != Reason::kHeadTooLarge &&
                                end.reason != Reason::kHeadTimedOut;
    return was_understood ? observe::SquidResult::kDenied : observe::SquidResult::kNone;
  }
  const bool is_whole = end.reason == Reason::kAllowed || end.reason == Reason::kOriginClosed;
  if (exchange.is_connect) {
    return is_whole ? observe::SquidResult::kTunnel : observe::SquidResult::kTunnelAborted;
  }
  return is_whole ? observe::SquidResult::kMiss : observe::SquidResult::kMissAborted;
}

}  // namespace

void note_head(Exchange& exchange, const http::RequestHead& head) {
  exchange.method = head.method_name();
  exchange.target = head.target_text();
  exchange.is_connect = head.method == http::Method::kConnect;
  exchange.without_body = head.method == http::Method::kHead;
  exchange.prefers_json = http::wants_json(head);
}

bool is_refusal(const Error& end) {
  switch (end.reason) {
    case Reason::kAllowed:
    case Reason::kDnsFailed:
    case Reason::kConnectFailed:
    case Reason::kOriginInvalid:
    case Reason::kClientClosed:
    case Reason::kOriginClosed:
    case Reason::kIdleTimeout:
    case Reason::kTunnelTimeout:
    case Reason::kPolicyChanged:
    case Reason::kDraining:  // whatever it cuts off had been let pass
    case Reason::kInternal:
      return false;
    case Reason::kTimedOut:  // an origin that does not answer; or a client that says no ClientHello
      return end.side == Side::kClient;
    default:
      return true;
  }
}

observe::Record record_of(const Exchange& exchange, observe::Phase phase, const Error& end,
                          RecordTexts& texts) {
  const Client& client = exchange.client;
  const Worker& worker = client.worker;
  observe::Record record;
  record.time = worker.shared.clock.wall();
  record.id = exchange.id.view();
  record.phase = phase;
  record.client = client.address.address;
  record.vpc_endpoint = client.vpc_endpoint;
  record.listener = worker.listener_name(client.listener);
  if (const policy::Pod* pod = client.subject.pod.get()) {
    record.subject = {.kind = "pod", .name = pod->name, .name_space = pod->pod_namespace};
  } else if (client.subject.address) {
    texts.subject = client.subject.address->str();
    record.subject = {.kind = "address", .name = texts.subject, .name_space = {}};
  }
  record.method = exchange.method;
  record.target = exchange.target;
  if (exchange.asked) {
    texts.host = exchange.asked->host.str();
    record.host = texts.host;
    record.port = exchange.asked->port.value();
  }
  record.sni = exchange.sni;
  record.ech = exchange.ech;
  record.reason = end.reason;
  if (is_refusal(end)) {
    record.verdict = Verdict::kDeny;
  } else if (exchange.decision.verdict == Verdict::kReport) {
    record.verdict = Verdict::kReport;
    if (end.reason == Reason::kAllowed) record.reason = exchange.decision.reason;
  } else {
    record.verdict = Verdict::kAllow;
  }
  if (exchange.snapshot != nullptr) {
    record.policy_version = exchange.snapshot->version;
    if (exchange.decision.pattern) {
      policy::Citation citation = exchange.snapshot->policy->cite(*exchange.decision.pattern);
      record.policy = citation.document;
      texts.rule = std::move(citation.pattern);
      record.rule = texts.rule;
    }
  }
  record.address = exchange.origin;
  record.bytes_in = exchange.from_client;
  record.bytes_out = exchange.to_client;
  record.status = exchange.status;
  record.duration = worker.loop.now() - exchange.began;
  record.connect = exchange.connect_took;
  record.error = end.detail;
  record.squid_result = squid_result(exchange, end);
  record.content_type = exchange.content_type;
  return record;
}

void record_passed(const Exchange& exchange, const Error& end) {
  RecordTexts texts;
  const observe::Record record = record_of(exchange, observe::Phase::kRequest, end, texts);
  Worker& worker = exchange.client.worker;
  worker.metrics.count(record);
  worker.log.queue_or_drop(record);
}

net::Task<bool> record_refused(Exchange& exchange, Error error) {
  Worker& worker = exchange.client.worker;
  if (!is_refusal(error)) {
    record_passed(exchange, error);
    co_return true;
  }
  RecordTexts texts;
  const observe::Record record = record_of(exchange, observe::Phase::kRequest, error, texts);
  worker.metrics.count(record);
  if (worker.try_queue_refusal(record)) co_return true;
  worker.metrics.log_refusals_waited.add();
  const Deadline patience = worker.loop.after(observe::kRefusalPatience);
  for (;;) {
    const auto end = co_await worker.log_has_room.wait(patience);
    if (worker.try_queue_refusal(record)) co_return true;
    if (end != net::Wait::End::kHappened) break;
  }
  worker.metrics.log_refusals_unanswered.add();
  co_return false;
}

net::Task<void> refuse(Exchange& exchange, Error error) {
  Client& client = exchange.client;
  http::Answer answer = http::answer_to(error, exchange.id.view());
  answer.body = exchange.prefers_json ? http::Answer::Body::kJson : http::Answer::Body::kText;
  answer.without_body = exchange.without_body;
  std::string bytes;
  if (info(error.reason).status != 0) {
    http::append_answer(bytes, answer);
    exchange.status = answer.status;
  }
  exchange.to_client += bytes.size();
  const bool is_recorded = co_await record_refused(exchange, std::move(error));
  if (!is_recorded || bytes.empty()) {
    client.stream.close();
    co_return;
  }
  const Deadline deadline = client.worker.loop.after(net::LingerSet::kPatience);
  // The half-close that follows goes in the same segment.
  const auto sent = co_await client.stream.write_all(bytes, deadline, net::Stream::Then::kMore);
  if (sent) {
    client.worker.linger.add(std::move(client.stream));
  } else {
    client.stream.close();
  }
}

}  // namespace ebbgate::proxy
