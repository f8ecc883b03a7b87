#include "proxy/forward.h"

#include <algorithm>
#include <exception>
#include <memory>
#include <string>
#include <utility>

#include "http/answer.h"
#include "http/forward.h"
#include "http/response_head.h"
#include "net/signal.h"
#include "policy/address_guard.h"
#include "proxy/body.h"
#include "proxy/tunnel.h"

namespace ebbgate::proxy {
namespace {

// Nobody reads from a client that waits for its response: how often it is looked whether it is
// still there, so that an origin that never answers does not hold on to clients that are gone.
constexpr Duration kLookForClient = std::chrono::seconds(2);

// The request's body on its way to the origin, beside the response that may come at any time.
struct Upload {
  explicit Upload(net::Loop& loop) : ended(loop) {}
  bool is_running = false;
  bool is_unwanted = false;  // the exchange is over without it
  MonotonicTime ended_at{};
  Result<void> result;
  Broke broke = Broke::kNot;
  std::uint64_t octets = 0;  // of the body that went to the origin
  net::Signal ended;
};

net::Task<void> upload(Upload& state, BodyTransfer transfer) {
  state.is_running = true;
  const std::size_t head = transfer.pending.size();
  auto result = co_await transfer_body(transfer);
  state.result = std::move(result);
  state.broke = transfer.broke;
  state.octets = transfer.sent > head ? transfer.sent - head : 0;
  state.is_running = false;
  state.ended_at = transfer.sink.loop().now();
  // Without its client the exchange is over; whoever waits for the response is told.
  if (state.broke == Broke::kSource) transfer.sink.cancel();
  state.ended.notify_all();
}

// How far an exchange with an origin came.
struct Outcome {
  Result<void> result;
  bool response_began = false;   // octets of a response were passed on to the client
  bool client_goes_on = false;   // the client's connection takes another request
  bool origin_goes_on = false;   // the origin's does
  bool origin_is_bound = false;  // it is authenticated, and no other client's from now on
  bool ends_with_close = false;  // the response's end is told by closing the connection
  bool became_tunnel = false;    // 101
  bool heard_nothing = true;     // the origin did not say an octet
};

// A kept connection to an address that this request's own entries admit.
std::optional<Origin> kept_origin(Exchange& exchange, const OriginKey& key, OwnOrigin& own) {
  Worker& worker = exchange.client.worker;
  std::optional<Origin> kept;
  if (own.origin && own.key == key) {
    kept = std::exchange(own.origin, std::nullopt);
    if (kept->stream.peer_is_done()) return std::nullopt;
  } else if (auto pooled = worker.origins.take(key)) {
    kept = Origin{std::move(pooled->stream), pooled->address, {}};
  } else {
    return std::nullopt;
  }
  const Snapshot& snapshot = *exchange.snapshot;
  policy::AddressJudgement judged = policy::judge_address(
      *snapshot.policy, snapshot.guard, exchange.client.subject, exchange.asked->host,
      exchange.decision, kept->address.address, exchange.asked->port, worker.shared.clock.wall());
  if (judged.reason != Reason::kAllowed) return std::nullopt;
  kept->admissions = std::move(judged.admissions);
  exchange.origin = kept->address.address;
  worker.metrics.origin_reuses.add();
  return kept;
}

// The answer to a request whose Max-Forwards lets it go no further (RFC 9110 7.6.2).
net::Task<bool> answer_here(Exchange& exchange, const http::RequestHead& head) {
  Client& client = exchange.client;
  const bool goes_on = head.persistent && head.body.is_empty() && !client.worker.is_draining();
  const auto persistence = goes_on ? http::Persistence::kKeepAlive : http::Persistence::kClose;
  std::string bytes;
  if (head.method == http::Method::kTrace) {
    http::append_trace_answer(bytes, head, persistence);
  } else {
    http::append_options_answer(bytes, persistence);
  }
  exchange.status = 200;
  exchange.to_client = bytes.size();
  const Deadline deadline = client.worker.loop.after(client.worker.options().limits.head);
  const auto sent = co_await client.stream.write_all(bytes, deadline);
  record_passed(exchange, sent ? kServed : Error{Reason::kClientClosed, Side::kClient, {}});
  if (sent && !goes_on) client.worker.linger.add(std::move(client.stream));
  co_return sent.has_value() && goes_on;
}

// One request and its response over one origin connection.
class Conversation {
 public:
  Conversation(Exchange& exchange, const http::RequestHead& head, Origin& origin)
      : exchange_(exchange),
        head_(head),
        origin_(origin),
        worker_(exchange.client.worker),
        buffer_(worker_.blocks),
        upload_(worker_.loop),
        idle_(worker_.options().limits.idle) {}

  [[nodiscard]] net::Task<Outcome> run();

 private:
  [[nodiscard]] net::Task<void> converse();
  [[nodiscard]] net::Task<Result<void>> send_request();
  [[nodiscard]] net::Task<Result<void>> read_response_head();
  [[nodiscard]] net::Task<Result<void>> pass_on_interim();
  [[nodiscard]] net::Task<Result<void>> pass_on_response();
  [[nodiscard]] net::Task<Result<void>> pass_on_upgrade();
  [[nodiscard]] Error origin_error(std::errc error) const;

  Exchange& exchange_;
  const http::RequestHead& head_;
  Origin& origin_;
  Worker& worker_;
  ReadBuffer buffer_;  // of the origin
  http::ResponseReader reader_;
  Upload upload_;
  Duration idle_;
  Outcome outcome_;
};

Error Conversation::origin_error(std::errc error) const {
  if (error == std::errc::timed_out) {
    return {Reason::kTimedOut, Side::kOrigin, "no response within the idle timeout"};
  }
  if (error == std::errc::operation_canceled) return {Reason::kDraining, Side::kSelf, {}};
  return {Reason::kOriginClosed, Side::kOrigin, std::make_error_code(error).message()};
}

net::Task<Result<void>> Conversation::send_request() {
  std::string bytes;
  http::append_forwarded(bytes, head_, *exchange_.asked, worker_.options().pseudonym,
                         http::Persistence::kKeepAlive);
  if (!head_.body.is_empty()) {
    Client& client = exchange_.client;
    net::spawn(upload(upload_, BodyTransfer{.source = client.stream,
                                            .buffer = client.buffer,
                                            .sink = origin_.stream,
                                            .framing = head_.body,
                                            .blame = http::kClientsFault,
                                            .idle = idle_,
                                            .pending = std::move(bytes),
                                            .is_unwanted = &upload_.is_unwanted}),
               [this](const std::exception_ptr&) {
                 upload_.is_running = false;
                 upload_.broke = Broke::kSource;
                 upload_.result = fail(Reason::kInternal, Side::kSelf, "out of memory");
                 origin_.stream.cancel();
                 upload_.ended.notify_all();
               });
    co_return {};
  }
  const Deadline deadline = worker_.loop.after(idle_);
  const auto sent = co_await origin_.stream.write_all(bytes, deadline);
  if (!sent) co_return std::unexpected(origin_error(sent.error()));
  co_return {};
}

net::Task<Result<void>> Conversation::read_response_head() {
  const http::Asked asked{.method = head_.method, .upgrade = head_.upgrade};
  MonotonicTime since = worker_.loop.now();  // the origin has had all it waits for
  for (;;) {
    if (!buffer_.empty()) {
      auto consumed = reader_.read(buffer_.view(), asked);
      if (!consumed) co_return std::unexpected(std::move(consumed.error()));
      if (*consumed > 0) {
        buffer_.consume(*consumed);
        co_return {};
      }
    }
    if (upload_.broke == Broke::kSource) co_return upload_.result;
    const Deadline deadline = Deadline::after(since, idle_);
    const Deadline next_look = deadline.or_earlier(worker_.loop.after(kLookForClient));
    const auto got = co_await origin_.stream.read_some(buffer_.space(), next_look);
    if (!got && got.error() == std::errc::timed_out) {
      if (!exchange_.client.stream.is_alive()) {
        co_return fail(Reason::kClientClosed, Side::kClient, "while it waited for the response");
      }
      // The origin was busy with the body, which has a timeout of its own.
      if (upload_.is_running) since = worker_.loop.now();
      since = std::max(since, upload_.ended_at);
      if (worker_.loop.now() < Deadline::after(since, idle_).when()) continue;
    }
    if (!got) co_return std::unexpected(origin_error(got.error()));
    if (*got == 0) {
      co_return fail(Reason::kOriginClosed, Side::kOrigin, "before its response was whole");
    }
    outcome_.heard_nothing = false;
    buffer_.commit(*got);
  }
}

net::Task<Result<void>> Conversation::pass_on_interim() {
  if (head_.version == http::Version::kHttp10) co_return {};  // knows none (RFC 9110 15.2)
  std::string bytes;
  http::append_forwarded(bytes, reader_.head(), http::BodyFraming::none(),
                         worker_.options().pseudonym, http::Persistence::kKeepAlive);
  const Deadline deadline = worker_.loop.after(idle_);
  const auto sent = co_await exchange_.client.stream.write_all(bytes, deadline);
  if (!sent) co_return fail(Reason::kClientClosed, Side::kClient, {});
  exchange_.to_client += bytes.size();
  co_return {};
}

net::Task<Result<void>> Conversation::pass_on_upgrade() {
  Client& client = exchange_.client;
  std::string bytes;
  http::append_forwarded(bytes, reader_.head(), http::BodyFraming::none(),
                         worker_.options().pseudonym, http::Persistence::kKeepAlive);
  bytes += buffer_.view();  // what the origin said in its new protocol already
  exchange_.status = 101;
  const Deadline deadline = worker_.loop.after(idle_);
  outcome_.response_began = true;
  const auto sent = co_await client.stream.write_all(bytes, deadline);
  if (!sent) co_return fail(Reason::kClientClosed, Side::kClient, {});
  exchange_.to_client += bytes.size();
  exchange_.from_client += client.buffer.size();
  const auto passed_on = co_await origin_.stream.write_all(client.buffer.view(), deadline);
  if (!passed_on) co_return std::unexpected(origin_error(passed_on.error()));
  client.buffer.release();
  buffer_.release();
  outcome_.became_tunnel = true;
  become_tunnel(exchange_, std::move(origin_));
  co_return {};
}

net::Task<Result<void>> Conversation::pass_on_response() {
  const http::ResponseHead& response = reader_.head();
  Client& client = exchange_.client;
  const http::BodyFraming body = http::forwarded_body(response, head_.version);
  // A body that is still on its way when the response begins may never end: after such a response
  // neither connection is used again (RFC 9112 9.3 leaves that to us).
  const bool goes_on = head_.persistent && !worker_.is_draining() && !upload_.is_running &&
                       upload_.result.has_value() &&
                       body.kind != http::BodyFraming::Kind::kUntilClose;
  exchange_.status = response.status;
  exchange_.content_type = response.fields.first("content-type").value_or("");
  BodyTransfer transfer{.source = origin_.stream,
                        .buffer = buffer_,
                        .sink = client.stream,
                        .framing = response.body,
                        .output = body.kind == http::BodyFraming::Kind::kChunked
                                      ? http::ChunkedReader::Output::kChunked
                                      : http::ChunkedReader::Output::kDecoded,
                        .blame = http::kOriginsFault,
                        .idle = idle_,
                        .pending = {}};
  http::append_forwarded(transfer.pending, response, body, worker_.options().pseudonym,
                         goes_on ? http::Persistence::kKeepAlive : http::Persistence::kClose);
  outcome_.response_began = true;
  outcome_.ends_with_close = body.kind == http::BodyFraming::Kind::kUntilClose;
  auto result = co_await transfer_body(transfer);
  exchange_.to_client += transfer.sent;
  if (!result) co_return result;
  outcome_.client_goes_on = goes_on;
  outcome_.origin_goes_on = response.persistent && !upload_.is_running &&
                            upload_.result.has_value() && buffer_.empty() &&
                            response.body.kind != http::BodyFraming::Kind::kUntilClose;
  outcome_.origin_is_bound = head_.binds_connection || response.binds_connection;
  co_return {};
}

net::Task<void> Conversation::converse() {
  outcome_.result = co_await send_request();
  while (outcome_.result) {
    outcome_.result = co_await read_response_head();
    if (!outcome_.result) break;
    if (reader_.head().status == 101) {
      outcome_.result = co_await pass_on_upgrade();
      break;
    }
    if (!reader_.head().is_interim()) {
      outcome_.result = co_await pass_on_response();
      break;
    }
    outcome_.result = co_await pass_on_interim();
  }
  // A client that broke off ended the wait for the origin, too, and is to blame.
  if (!outcome_.result && upload_.broke == Broke::kSource) outcome_.result = upload_.result;
}

net::Task<Outcome> Conversation::run() {
  std::exception_ptr failure;  // for want of memory: the upload borrows from this object
  try {
    co_await converse();
  } catch (...) {
    failure = std::current_exception();
  }
  if (upload_.is_running) {  // waiting for its end takes no memory
    upload_.is_unwanted = true;
    exchange_.client.stream.cancel();
    origin_.stream.cancel();
    while (upload_.is_running) co_await upload_.ended.wait(Deadline::never());
  }
  if (failure) std::rethrow_exception(failure);
  exchange_.from_client += upload_.octets;
  co_return std::move(outcome_);
}

// Whether the request may be sent again over a new connection, after a kept one turned out to be
// closed (RFC 9110 9.2.2).
bool may_repeat(const http::RequestHead& head) {
  switch (head.method) {
    case http::Method::kGet:
    case http::Method::kHead:
    case http::Method::kPut:
    case http::Method::kDelete:
    case http::Method::kOptions:
    case http::Method::kTrace:
      return head.body.is_empty();
    default:
      return false;
  }
}

// The end of an exchange that went wrong: an answer where the client has had none, and otherwise
// an end that it cannot take for the response's own.
net::Task<void> break_off(Exchange& exchange, Outcome outcome) {
  Error error = std::move(outcome.result.error());
  if (!outcome.response_began && error.reason != Reason::kClientClosed) {
    co_return co_await refuse(exchange, std::move(error));
  }
  record_passed(exchange, error);
  if (outcome.ends_with_close) {
    exchange.client.stream.reset();
  } else {
    exchange.client.stream.close();
  }
}

}  // namespace

OriginKey origin_key(const Exchange& exchange) {
  const policy::Subject& subject = exchange.client.subject;
  std::string who = subject.address ? subject.address->str() : std::string();
  // An address may be another pod's by now, and a name, too.
  if (subject.pod) who += "/" + subject.pod->uid;
  return {.authority = exchange.asked->str(),
          .subject = std::move(who),
          .policy_generation = exchange.client.worker.policy_generation()};
}

net::Task<bool> forward(Exchange& exchange, const http::RequestHead& head, OwnOrigin& own) {
  Client& client = exchange.client;
  Worker& worker = client.worker;
  if (head.max_forwards == 0) co_return co_await answer_here(exchange, head);
  auto loop = http::check_loop(head, worker.options().pseudonym);
  if (!loop) {
    co_await refuse(exchange, std::move(loop.error()));
    co_return false;
  }

  OriginKey key = origin_key(exchange);
  std::optional<Origin> origin = kept_origin(exchange, key, own);
  bool is_fresh = !origin;
  Outcome outcome;
  for (;;) {
    if (!origin) {
      auto reached = co_await reach(exchange);
      if (!reached) {
        co_await refuse(exchange, std::move(reached.error()));
        co_return false;
      }
      origin = std::move(*reached);
      is_fresh = true;
    }
    {
      Conversation conversation(exchange, head, *origin);
      outcome = co_await conversation.run();
    }
    if (outcome.result || is_fresh || !outcome.heard_nothing || !may_repeat(head)) break;
    if (outcome.result.error().reason != Reason::kOriginClosed) break;
    origin.reset();
  }
  if (outcome.became_tunnel) co_return false;
  if (!outcome.result) {
    co_await break_off(exchange, std::move(outcome));
    co_return false;
  }
  record_passed(exchange, kServed);
  own.is_bound = own.is_bound || outcome.origin_is_bound;
  if (outcome.origin_goes_on && own.is_bound) {
    own.key = std::move(key);
    own.origin = std::move(origin);
  } else if (outcome.origin_goes_on) {
    worker.origins.keep(std::move(key), std::move(origin->stream), origin->address);
  }
  if (!outcome.client_goes_on) worker.linger.add(std::move(client.stream));
  co_return outcome.client_goes_on;
}

}  // namespace ebbgate::proxy
