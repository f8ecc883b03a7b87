#include "https/detail/exchange.h"

#include <algorithm>
#include <array>
#include <utility>

#include "http/chunked.h"
#include "http/response_head.h"

namespace ebbgate::https::detail {
namespace {

using Kind = http::BodyFraming::Kind;

constexpr int kMostInterim = 16;  // 1xx heads; nobody has reason to send more

bool is_token(std::string_view text) {
  constexpr std::string_view kMarks = "!#$%&'*+-.^_`|~";
  return !text.empty() && std::ranges::all_of(text, [&](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           kMarks.contains(c);
  });
}

bool is_field_value(std::string_view text) {
  return std::ranges::none_of(text, [](char c) {
    const auto octet = static_cast<unsigned char>(c);
    return (octet < 0x20 && c != '\t') || octet == 0x7f;
  });
}

std::string lower_cased(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + 32);
  }
  return out;
}

std::unexpected<Error> malformed(std::string detail) {
  return fail(Reason::kMalformedRequest, Side::kSelf, std::move(detail));
}

std::unexpected<Error> invalid(std::string detail) {
  return fail(Reason::kOriginInvalid, Side::kOrigin, std::move(detail));
}

// Whether a body is to be expected of the method, so that an empty one is announced too.
bool has_body_by_nature(std::string_view method) {
  return method == "POST" || method == "PUT" || method == "PATCH";
}

http::Method method_of(std::string_view method) {
  return method == "HEAD" ? http::Method::kHead : http::Method::kOther;
}

Response response_of(const http::ResponseHead& head) {
  Response response{.status = head.status};
  response.headers.reserve(head.fields.size());
  for (const http::Field& field : head.fields.all()) {
    response.headers.push_back({lower_cased(field.name), std::string(field.value)});
  }
  return response;
}

// Where the octets of a body go. Out: false where no more of them are wanted.
class BodyTaker {
 public:
  BodyTaker(Exchange& exchange, Response& response)
      : exchange_(exchange),
        response_(response),
        sink_(response.status / 100 == 2 ? exchange.sink : nullptr) {}

  [[nodiscard]] Result<bool> take(std::string_view piece) {
    if (piece.empty()) return true;
    if (sink_ != nullptr) return (*sink_)(piece);
    if (piece.size() > exchange_.request.max_body - response_.body.size()) return too_long();
    response_.body += piece;
    return true;
  }
  [[nodiscard]] bool may_be(std::uint64_t length) const {
    return sink_ != nullptr || length <= exchange_.request.max_body;
  }
  [[nodiscard]] std::unexpected<Error> too_long() const {
    return invalid("the response's body is longer than " +
                   std::to_string(exchange_.request.max_body) + " octets");
  }
  // Tells the sink that the head is there. Out: as take().
  [[nodiscard]] bool begin() { return sink_ == nullptr || (*sink_)({}); }
  // By when the next octets have to come.
  [[nodiscard]] Deadline deadline() const {
    if (sink_ == nullptr) return exchange_.deadline;
    const Request& request = exchange_.request;
    return exchange_.loop.after(request.piece_timeout == Duration{} ? request.timeout
                                                                    : request.piece_timeout);
  }

 private:
  Exchange& exchange_;
  Response& response_;
  BodySink* sink_;
};

// The next octets of an answer that has begun: an end of the connection is a cut.
net::Task<Result<void>> more_of_body(Exchange& exchange, Deadline deadline) {
  auto more = co_await exchange.connection.read_on(deadline);
  if (!more && more.error().reason == Reason::kOriginClosed) {
    co_return invalid("the response was cut short: " + more.error().detail);
  }
  if (!more) co_return std::unexpected(std::move(more.error()));
  if (!*more) co_return invalid("the response was cut short");
  co_return {};
}

net::Task<Result<http::ResponseHead>> read_head(Exchange& exchange) {
  http::ResponseReader reader;
  const http::Asked asked{.method = method_of(exchange.request.method)};
  int interim = 0;
  for (;;) {
    const std::string_view buffered = exchange.connection.buffered();
    auto read = buffered.empty() ? Result<std::size_t>(0) : reader.read(buffered, asked);
    if (!read) co_return std::unexpected(std::move(read.error()));
    if (*read > 0) {
      exchange.connection.consume(*read);
      if (!reader.head().is_interim()) co_return reader.take();
      if (++interim > kMostInterim) co_return invalid("too many interim responses");
      continue;
    }
    auto more = co_await exchange.connection.read_on(exchange.deadline);
    const bool is_end = (more && !*more) || (!more && more.error().reason == Reason::kOriginClosed);
    if (is_end && exchange.has_answer) co_return invalid("the response's head was cut short");
    if (is_end) {
      co_return fail(Reason::kOriginClosed, Side::kOrigin,
                     "the connection was closed before the answer" +
                         (more ? std::string() : ": " + more.error().detail));
    }
    if (!more) co_return std::unexpected(std::move(more.error()));
    exchange.has_answer = true;
  }
}

// Out: whether the body was read to its end; false where the sink wanted no more.
net::Task<Result<bool>> read_plain(Exchange& exchange, BodyTaker& taker, http::BodyFraming body) {
  if (body.kind == Kind::kLength && !taker.may_be(body.length)) co_return taker.too_long();
  std::uint64_t left = body.length;
  while (left > 0) {
    const std::string_view buffered = exchange.connection.buffered();
    if (buffered.empty()) {
      const Deadline deadline = taker.deadline();
      auto more = co_await more_of_body(exchange, deadline);
      if (!more) co_return std::unexpected(std::move(more.error()));
      continue;
    }
    const auto now = static_cast<std::size_t>(std::min<std::uint64_t>(left, buffered.size()));
    const auto taken = taker.take(buffered.substr(0, now));
    if (!taken || !*taken) co_return taken;
    exchange.connection.consume(now);
    left -= now;
  }
  co_return true;
}

net::Task<Result<bool>> read_until_close(Exchange& exchange, BodyTaker& taker) {
  for (;;) {
    const std::string_view buffered = exchange.connection.buffered();
    const auto taken = taker.take(buffered);
    if (!taken || !*taken) co_return taken;
    exchange.connection.consume(buffered.size());
    const Deadline deadline = taker.deadline();
    auto more = co_await exchange.connection.read_on(deadline);
    if (!more && more.error().reason == Reason::kOriginClosed) {
      co_return invalid("the response was cut short: " + more.error().detail);
    }
    if (!more) co_return std::unexpected(std::move(more.error()));
    if (!*more) co_return true;
  }
}

net::Task<Result<bool>> read_chunked(Exchange& exchange, BodyTaker& taker) {
  http::ChunkedReader reader(http::ChunkedReader::Output::kDecoded, http::kOriginsFault);
  while (!reader.is_done()) {
    auto step = reader.read(exchange.connection.buffered());
    if (!step) co_return std::unexpected(std::move(step.error()));
    const auto taken = taker.take(step->onwards);
    if (!taken || !*taken) co_return taken;
    exchange.connection.consume(step->consumed);
    if (step->done || step->consumed > 0) continue;
    const Deadline deadline = taker.deadline();
    auto more = co_await more_of_body(exchange, deadline);
    if (!more) co_return std::unexpected(std::move(more.error()));
  }
  co_return true;
}

net::Task<Result<bool>> read_body(Exchange& exchange, BodyTaker& taker, http::BodyFraming body) {
  switch (body.kind) {
    case Kind::kChunked:
      return read_chunked(exchange, taker);
    case Kind::kUntilClose:
      return read_until_close(exchange, taker);
    case Kind::kLength:
    case Kind::kNone:
      break;
  }
  return read_plain(exchange, taker, body);
}

}  // namespace

bool is_idempotent(std::string_view method) {
  constexpr std::array<std::string_view, 6> kMethods = {"GET",    "HEAD",    "PUT",
                                                        "DELETE", "OPTIONS", "TRACE"};
  return std::ranges::find(kMethods, method) != kMethods.end();
}

Result<std::string> request_octets(const Request& request, const Url& url,
                                   const std::string& user_agent) {
  if (!is_token(request.method)) return malformed("the method is no token");
  std::string fields;
  bool has_host = false;
  bool has_length = false;
  bool has_agent = false;
  for (const Header& header : request.headers) {
    if (!is_token(header.name)) return malformed("a field's name is no token");
    if (!is_field_value(header.value)) {
      return malformed("the value of " + header.name + " holds a control character");
    }
    const std::string name = lower_cased(header.name);
    if (name == "transfer-encoding") return malformed("the body is sent with its length only");
    if (name == "content-length" && header.value != std::to_string(request.body.size())) {
      return malformed("Content-Length is not that of the body");
    }
    has_host |= name == "host";
    has_length |= name == "content-length";
    has_agent |= name == "user-agent";
    fields += header.name + ": " + header.value + "\r\n";
  }
  std::string out = request.method + " " + url.target + " HTTP/1.1\r\n";
  if (!has_host) out += "Host: " + url.host_field() + "\r\n";
  out += fields;
  if (!has_agent) out += "User-Agent: " + user_agent + "\r\n";
  if (!has_length && (!request.body.empty() || has_body_by_nature(request.method))) {
    out += "Content-Length: " + std::to_string(request.body.size()) + "\r\n";
  }
  out += "\r\n";
  out += request.body;
  return out;
}

net::Task<Result<Response>> exchange(Exchange& exchange) {
  auto written = co_await exchange.connection.write_all(exchange.octets, exchange.deadline);
  // A server may answer and close before it has read all; only what it says counts then.
  if (!written && written.error().reason != Reason::kOriginClosed) {
    co_return std::unexpected(std::move(written.error()));
  }
  auto head = co_await read_head(exchange);
  if (!head) co_return std::unexpected(std::move(head.error()));
  Response response = response_of(*head);
  BodyTaker taker(exchange, response);
  if (!taker.begin()) co_return response;
  auto whole = co_await read_body(exchange, taker, head->body);
  if (!whole) co_return std::unexpected(std::move(whole.error()));
  exchange.is_reusable =
      *whole && written && head->persistent && exchange.connection.buffered().empty();
  co_return response;
}

}  // namespace ebbgate::https::detail
