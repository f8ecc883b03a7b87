#include "https/client.h"

#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

#include "https/detail/connection.h"
#include "https/detail/exchange.h"
#include "https/url.h"
#include "net/dial.h"
#include "tls/stream.h"

namespace ebbgate::https {

using detail::Connection;

class Client::Impl {
 public:
  Impl(net::Loop& loop, dns::Resolver& resolver, const tls::ClientContext& tls,
       ClientOptions options)
      : loop_(loop), resolver_(resolver), tls_(tls), options_(std::move(options)) {}

  net::Task<Result<Response>> send(Request request, std::optional<BodySink> sink);
  void close_idle() { waiting_.clear(); }
  [[nodiscard]] std::size_t idle() const { return waiting_.size(); }

 private:
  struct Waiting {
    std::string origin;
    Connection connection;
    MonotonicTime since;
  };

  static void on_idle_timer(void* self) { static_cast<Impl*>(self)->close_overdue(); }
  void close_overdue();
  [[nodiscard]] std::optional<Connection> take_waiting(const std::string& origin);
  void keep(const std::string& origin, Connection connection);
  [[nodiscard]] net::Task<Result<Connection>> connect(Url url, Deadline deadline);

  net::Loop& loop_;
  dns::Resolver& resolver_;
  const tls::ClientContext& tls_;
  ClientOptions options_;
  std::vector<Waiting> waiting_;  // the longest first
  net::Timer idle_timer_{&Impl::on_idle_timer, this};
};

void Client::Impl::close_overdue() {
  const MonotonicTime oldest = loop_.now() - options_.idle_for;
  std::erase_if(waiting_, [&](const Waiting& each) { return each.since <= oldest; });
  if (waiting_.empty()) return idle_timer_.disarm();
  loop_.arm(idle_timer_, Deadline::after(waiting_.front().since, options_.idle_for));
}

// The one that waited least, as it is the least likely to be closed soon.
std::optional<Connection> Client::Impl::take_waiting(const std::string& origin) {
  close_overdue();
  for (auto each = waiting_.rbegin(); each != waiting_.rend();) {
    if (each->origin != origin) {
      ++each;
      continue;
    }
    std::optional<Connection> taken = std::move(each->connection);
    each = std::make_reverse_iterator(waiting_.erase(std::next(each).base()));
    if (taken->is_quiet()) return taken;
  }
  return std::nullopt;
}

void Client::Impl::keep(const std::string& origin, Connection connection) {
  const auto of_origin = std::ranges::count(waiting_, origin, &Waiting::origin);
  if (static_cast<std::size_t>(of_origin) >= options_.idle_per_origin) {
    waiting_.erase(std::ranges::find(waiting_, origin, &Waiting::origin));
  } else if (waiting_.size() >= options_.idle) {
    waiting_.erase(waiting_.begin());
  }
  waiting_.push_back({origin, std::move(connection), loop_.now()});
  close_overdue();
}

net::Task<Result<Connection>> Client::Impl::connect(Url url, Deadline deadline) {
  std::vector<IpAddress> addresses;
  if (const IpAddress* literal = url.authority.host.address()) {
    addresses.push_back(*literal);
  } else {
    // The configuration names it, so a single label is meant.
    auto answer =
        co_await resolver_.resolve(*url.authority.host.name(), deadline, dns::SingleLabel::kAsk);
    if (!answer) co_return std::unexpected(std::move(answer.error()));
    addresses = (*answer)->addresses;
  }
  auto dialed = co_await net::dial(loop_, std::move(addresses), url.authority.port, deadline);
  if (!dialed) co_return std::unexpected(std::move(dialed.error()));
  if (url.scheme == Scheme::kHttp) co_return Connection(std::move(dialed->stream));
  tls::Stream stream(tls_, std::move(dialed->stream));
  auto proven = co_await stream.handshake(options_.tls_name.value_or(url.authority.host), deadline);
  if (!proven) {
    // Whatever goes wrong before there is a connection: there is none.
    const Reason reason = proven.error().reason;
    if (reason != Reason::kTimedOut && reason != Reason::kDraining) {
      proven.error().reason = Reason::kConnectFailed;
    }
    co_return std::unexpected(std::move(proven.error()));
  }
  co_return Connection(std::move(stream));
}

net::Task<Result<Response>> Client::Impl::send(Request request, std::optional<BodySink> sink) {
  const Deadline deadline = loop_.after(request.timeout);
  auto url = Url::parse(request.url);
  if (!url) co_return std::unexpected(std::move(url.error()));
  const auto octets = detail::request_octets(request, *url, options_.user_agent);
  if (!octets) co_return std::unexpected(octets.error());
  const std::string origin = url->origin();
  std::optional<Connection> connection = take_waiting(origin);
  for (;;) {
    const bool is_reused = connection.has_value();
    if (!is_reused) {
      auto made = co_await connect(*url, deadline);
      if (!made) {
        made.error().detail = origin + ": " + made.error().detail;
        co_return std::unexpected(std::move(made.error()));
      }
      connection.emplace(*std::move(made));
    }
    detail::Exchange exchange{.loop = loop_,
                              .connection = *connection,
                              .request = request,
                              .octets = *octets,
                              .deadline = deadline,
                              .sink = sink ? &*sink : nullptr};
    auto response = co_await detail::exchange(exchange);
    if (response) {
      if (exchange.is_reusable) keep(origin, *std::move(connection));
      co_return response;
    }
    const bool may_repeat = is_reused && response.error().reason == Reason::kOriginClosed &&
                            !exchange.has_answer && detail::is_idempotent(request.method);
    if (!may_repeat) {
      response.error().detail = origin + ": " + response.error().detail;
      co_return response;
    }
    connection.reset();
  }
}

Client::Client(net::Loop& loop, dns::Resolver& resolver, const tls::ClientContext& tls,
               ClientOptions options)
    : impl_(std::make_unique<Impl>(loop, resolver, tls, std::move(options))) {}
Client::~Client() = default;

net::Task<Result<Response>> Client::send(Request request) {
  return impl_->send(std::move(request), std::nullopt);
}
net::Task<Result<Response>> Client::stream(Request request, BodySink sink) {
  return impl_->send(std::move(request), std::move(sink));
}
void Client::close_idle() {
  impl_->close_idle();
}
std::size_t Client::idle() const {
  return impl_->idle();
}

}  // namespace ebbgate::https
