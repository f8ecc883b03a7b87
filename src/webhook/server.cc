#include "webhook/server.h"

#include <algorithm>
#include <utility>

#include "http/chunked.h"
#include "http/field.h"
#include "http/status.h"

namespace ebbgate::webhook {
namespace {

constexpr http::HeadLimits kHeadLimits{.octets = 16 * 1024, .fields = 64};
constexpr std::size_t kAtOnce = 16 * 1024;  // octets read: a record of TLS

// Reasons for refusing a body, told apart by their status.
constexpr Reason kTooLarge = Reason::kHeadTooLarge;
constexpr Reason kTooMany = Reason::kOverCapacity;

std::string response_bytes(const Answer& answer, bool goes_on) {
  std::string out = "HTTP/1.1 " + std::to_string(answer.status) + ' ';
  out += http::reason_phrase(answer.status);
  out += "\r\nContent-Type: " + answer.content_type;
  out += "\r\nContent-Length: " + std::to_string(answer.body.size());
  out += "\r\nX-Content-Type-Options: nosniff\r\n";
  if (answer.status == 405) out += "Allow: POST\r\n";
  if (!goes_on) out += "Connection: close\r\n";
  return out + "\r\n" + answer.body;
}

}  // namespace

class Server::Place {
 public:
  Place(std::list<Connection*>& open, Connection& connection)
      : open_(&open), at_(open.insert(open.end(), &connection)) {}
  Place(const Place&) = delete;
  Place& operator=(const Place&) = delete;
  ~Place() { open_->erase(at_); }

 private:
  std::list<Connection*>* open_;
  std::list<Connection*>::iterator at_;
};

Result<std::unique_ptr<Server>> Server::start(net::Loop& loop, const Endpoint& at,
                                              std::shared_ptr<const tls::ServerContext> context,
                                              Handler handler, OnFault on_fault,
                                              const ServerOptions& options) {
  const auto fd = net::open_listener(at, {});
  if (!fd) return std::unexpected(fd.error());
  std::unique_ptr<Server> server(
      new Server(loop, *fd, std::move(context), std::move(handler), std::move(on_fault), options));
  if (!server->listener_.start()) {
    return fail(Reason::kInternal, Side::kSelf, "cannot watch the socket of " + at.str());
  }
  return server;
}

Server::Server(net::Loop& loop, int fd, std::shared_ptr<const tls::ServerContext> context,
               Handler handler, OnFault on_fault, const ServerOptions& options)
    : loop_(&loop),
      context_(std::move(context)),
      handler_(std::move(handler)),
      on_fault_(std::move(on_fault)),
      options_(options),
      listener_(
          loop, fd,
          [this](int client, const Endpoint& from) {
            net::OwnedFd owned(client);
            // The oldest that wait make room: who opens many and says nothing keeps nobody out.
            for (auto each = open_.begin();
                 open_.size() >= options_.max_connections && each != open_.end(); ++each) {
              if ((*each)->is_busy) continue;
              (*each)->stream.cancel();
              break;
            }
            // All of them are busy, or so many come that the cancelled ones are not gone yet.
            if (open_.size() >= 2 * options_.max_connections) return;
            net::spawn(serve(std::move(owned), from), [](const std::exception_ptr&) {});
          },
          [](bool, int) {}) {}

void Server::drain() {
  is_draining_ = true;
  listener_.close();
  for (Connection* each : open_) {
    if (!each->is_busy) each->stream.cancel();
  }
}

net::Task<void> Server::serve(net::OwnedFd fd, Endpoint from) {
  Connection connection{.stream = tls::Stream(*context_, net::Stream(*loop_, fd.release()))};
  const Place place(open_, connection);
  const Deadline deadline = loop_->after(options_.handshake_timeout);
  auto outcome = co_await connection.stream.accept(deadline);
  if (outcome) outcome = co_await converse(connection);
  if (!outcome && outcome.error().reason != Reason::kDraining) on_fault_(from, outcome.error());
}

// False: the client has ended, in good order.
net::Task<Result<bool>> Server::fill(Connection& connection, Deadline deadline) {
  std::string& buffered = connection.buffered;
  const std::size_t before = buffered.size();
  buffered.resize(before + kAtOnce);
  const std::span<char> tail(buffered.data() + before, kAtOnce);
  const auto got = co_await connection.stream.read_some(tail, deadline);
  buffered.resize(before + got.value_or(0));
  if (!got) co_return std::unexpected(got.error());
  co_return *got > 0;
}

// False: no further request comes.
net::Task<Result<bool>> Server::read_head(Connection& connection, http::RequestReader& reader,
                                          Deadline& deadline) {
  deadline = loop_->after(options_.idle_timeout);
  for (;;) {
    if (!connection.buffered.empty()) {
      if (!std::exchange(connection.is_busy, true)) {
        deadline = loop_->after(options_.request_timeout);
      }
      const auto consumed = reader.read(connection.buffered);
      if (!consumed) co_return std::unexpected(consumed.error());
      if (*consumed > 0) {
        connection.buffered.erase(0, *consumed);
        co_return true;
      }
    }
    const auto more = co_await fill(connection, deadline);
    // Silence between requests is no fault, nor is an end there that TLS was not told of.
    const bool was_waiting = connection.buffered.empty();
    if (!more && was_waiting && more.error().reason != Reason::kMalformedRequest) co_return false;
    if (!more) co_return std::unexpected(more.error());
    if (!*more) co_return false;
  }
}

net::Task<Result<std::string>> Server::read_body(Connection& connection,
                                                 const http::RequestHead& head, Deadline deadline) {
  // What is counted while this lasts.
  struct Share {
    std::size_t& all;
    std::size_t own = 0;
    ~Share() { all -= own; }
    void grow_to(std::size_t size) {
      all += size - own;
      own = size;
    }
  } share{bodies_};
  const auto fits = [&](std::size_t size) -> Result<void> {
    if (size > options_.max_body) {
      return fail(kTooLarge, Side::kClient,
                  "the body is longer than " + std::to_string(options_.max_body) + " octets");
    }
    if (size > share.own) share.grow_to(size);
    if (bodies_ > options_.max_bodies) {
      return fail(kTooMany, Side::kSelf, "too many large requests at once");
    }
    return {};
  };
  std::string& buffered = connection.buffered;
  std::string body;
  if (head.body.kind == http::BodyFraming::Kind::kLength) {
    const auto length = static_cast<std::size_t>(
        std::min<std::uint64_t>(head.body.length, std::uint64_t{options_.max_body} + 1));
    if (const auto room = fits(length); !room) co_return std::unexpected(room.error());
    while (buffered.size() < length) {
      const auto more = co_await fill(connection, deadline);
      if (!more) co_return std::unexpected(more.error());
      if (!*more) co_return fail(Reason::kClientClosed, Side::kClient, "the body was cut short");
    }
    body = buffered.substr(0, length);
    buffered.erase(0, length);
  } else if (head.body.kind == http::BodyFraming::Kind::kChunked) {
    http::ChunkedReader reader(http::ChunkedReader::Output::kDecoded, http::kClientsFault);
    while (!reader.is_done()) {
      const auto step = reader.read(buffered);
      if (!step) co_return std::unexpected(step.error());
      body += step->onwards;
      if (const auto room = fits(body.size()); !room) co_return std::unexpected(room.error());
      buffered.erase(0, step->consumed);
      if (step->consumed > 0 || step->done) continue;
      const auto more = co_await fill(connection, deadline);
      if (!more) co_return std::unexpected(more.error());
      if (!*more) co_return fail(Reason::kClientClosed, Side::kClient, "the body was cut short");
    }
  }
  co_return body;
}

net::Task<Result<void>> Server::refuse(Connection& connection, std::uint16_t status,
                                       std::string why) {
  const std::string bytes = response_bytes(
      {.status = status, .content_type = "text/plain; charset=utf-8", .body = why}, false);
  const Deadline deadline = loop_->after(options_.request_timeout);
  auto sent = co_await connection.stream.write_all(bytes, deadline);
  co_return sent;
}

net::Task<Result<void>> Server::converse(Connection& connection) {
  http::RequestReader reader(kHeadLimits);
  for (bool goes_on = true; goes_on && !is_draining_;) {
    connection.is_busy = false;
    Deadline deadline = Deadline::never();
    const auto has_head = co_await read_head(connection, reader, deadline);
    if (!has_head) {
      const Error& error = has_head.error();
      if (error.side == Side::kClient && error.reason != Reason::kClientClosed) {
        [[maybe_unused]] const auto told = co_await refuse(connection, 400, error.detail + "\n");
      }
      co_return std::unexpected(error);
    }
    if (!*has_head) co_return {};
    const http::RequestHead head = reader.take();
    if (head.expects_continue && !head.body.is_empty()) {
      const std::string go_on = "HTTP/1.1 100 Continue\r\n\r\n";
      const auto sent = co_await connection.stream.write_all(go_on, deadline);
      if (!sent) co_return sent;
    }
    const auto body = co_await read_body(connection, head, deadline);
    if (!body) {
      const Error& error = body.error();
      const std::uint16_t status = error.reason == kTooLarge                   ? 413
                                   : error.reason == kTooMany                  ? 503
                                   : error.reason == Reason::kMalformedRequest ? 400
                                                                               : 0;
      if (status != 0) {
        [[maybe_unused]] const auto told = co_await refuse(connection, status, error.detail + "\n");
      }
      co_return std::unexpected(error);
    }
    const Answer answer =
        handler_({.method = head.method_name(), .target = head.target_text(), .body = *body});
    goes_on = head.persistent && !is_draining_;
    const std::string bytes = response_bytes(answer, goes_on);
    deadline = loop_->after(options_.request_timeout);
    const auto sent = co_await connection.stream.write_all(bytes, deadline);
    if (!sent) co_return sent;
  }
  co_return {};
}

}  // namespace ebbgate::webhook
