#include "deploy/kube_attempts.h"

#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <exception>
#include <system_error>
#include <utility>

#include "deploy/probe.h"
#include "net/stream.h"
#include "net/task.h"

namespace ebbgate::deploy {
namespace {

constexpr std::size_t kHeader = 12;  // octets; RFC 1035, 4.1.1

// A question for the A records of the name, recursion desired.
std::string question(std::uint16_t id, const std::string& name) {
  std::string out{
      static_cast<char>(id >> 8), static_cast<char>(id & 0xff), '\x01', '\0', '\0', '\x01'};
  out.append(6, '\0');
  for (std::size_t at = 0; at < name.size();) {
    const std::size_t end = std::min(name.find('.', at), name.size());
    out += static_cast<char>(end - at);  // 63 at most: it is a Hostname
    out.append(name, at, end - at);
    at = end + 1;
  }
  out.append({'\0', '\0', '\x01', '\0', '\x01'});
  return out;
}

// Whether it is the answer to that question, as far as the header says; what it says then.
bool take_header(std::string_view message, std::uint16_t id, Attempted& out) {
  if (message.size() < kHeader) return false;
  const auto octet = [&](std::size_t i) { return static_cast<unsigned char>(message[i]); };
  if ((octet(0) << 8 | octet(1)) != id || (octet(2) & 0x80) == 0) return false;
  out.is_answered = true;
  out.code = octet(3) & 0x0f;
  out.records = octet(6) << 8 | octet(7);
  return true;
}

std::string said(std::errc code) {
  return std::make_error_code(code).message();
}

class Prober {
 public:
  Prober(net::Loop& loop, dns::Resolver& resolver, const AttemptOptions& options)
      : loop_(&loop), probe_(loop, resolver), options_(&options) {}

  void run(const std::vector<Attempt>& attempts) {
    left_ = attempts.size();
    if (left_ == 0) return;
    for (const Attempt& each : attempts) {
      net::spawn(one(each), [](const std::exception_ptr& why) { std::rethrow_exception(why); });
    }
    loop_->run();
  }

 private:
  net::Task<void> one(Attempt attempt) {
    Attempted out;
    out.attempt = attempt.str();
    const Deadline deadline = loop_->after(options_->timeout);
    switch (attempt.kind) {
      case Attempt::Kind::kConnect:
        co_await connect(attempt, deadline, out);
        break;
      case Attempt::Kind::kTunnel:
        co_await tunnel(attempt, deadline, out);
        break;
      case Attempt::Kind::kQuery:
      case Attempt::Kind::kQueryTcp:
        co_await query(attempt, deadline, out);
        break;
    }
    if (options_->tell) options_->tell(out);
    if (--left_ == 0) loop_->stop();
  }

  static std::string bare(const Host& host) {
    return host.address() != nullptr ? host.address()->str() : host.str();
  }

  net::Task<void> connect(const Attempt& attempt, Deadline deadline, Attempted& out) {
    std::string host = bare(attempt.target.host);
    auto answered = co_await probe_.connect(std::move(host), attempt.target.port, deadline);
    out.is_answered = answered.has_value();
    out.detail = answered ? answered->str() : answered.error().detail;
  }

  net::Task<void> tunnel(const Attempt& attempt, Deadline deadline, Attempted& out) {
    if (!options_->proxy) {
      out.detail = options_->no_proxy;
      co_return;
    }
    std::string host = bare(options_->proxy->host);
    auto status = co_await probe_.tunnel(std::move(host), options_->proxy->port,
                                         attempt.target.str(), deadline);
    out.is_answered = status.has_value();
    if (status) out.code = *status;
    out.detail = status ? options_->proxy->str() : status.error().detail;
  }

  net::Task<void> query(const Attempt& attempt, Deadline deadline, Attempted& out) {
    const auto server = attempt.server ? attempt.server : options_->name_server;
    if (!server) {
      out.detail = "resolv.conf names no server";
      co_return;
    }
    const Endpoint to{*server, options_->dns_port};
    out.detail = to.str();
    const auto id = static_cast<std::uint16_t>(options_->random());
    std::string message = question(id, attempt.target.host.str());
    const bool is_tcp = attempt.kind == Attempt::Kind::kQueryTcp;
    auto stream = co_await open(to, is_tcp, deadline);
    if (!stream) {
      out.detail += ": " + said(stream.error());
      co_return;
    }
    if (is_tcp) {  // RFC 1035, 4.2.2
      const auto size = static_cast<std::uint16_t>(message.size());
      message.insert(0, {static_cast<char>(size >> 8), static_cast<char>(size & 0xff)});
    }
    // A datagram may be lost: it is sent once more at half of the time.
    const Deadline half = loop_->after(options_->timeout / 2);
    auto ended = co_await ask(*stream, message, id, is_tcp, is_tcp ? deadline : half, out);
    if (!is_tcp && ended == std::errc::timed_out) {
      ended = co_await ask(*stream, message, id, is_tcp, deadline, out);
    }
    if (!out.is_answered) out.detail += ": " + said(ended);
  }

  net::Task<std::errc> ask(net::Stream& stream, const std::string& message, std::uint16_t id,
                           bool is_tcp, Deadline deadline, Attempted& out) {
    auto sent = co_await stream.write_all(message, deadline);
    if (!sent) co_return sent.error();
    std::array<char, 2048> buffer{};
    std::string bytes;
    while (true) {
      auto count = co_await stream.read_some(buffer, deadline);
      if (!count) co_return count.error();
      if (*count == 0 && is_tcp) co_return std::errc::connection_reset;
      if (!is_tcp) bytes.clear();  // each datagram is a message
      bytes.append(buffer.data(), *count);
      std::string_view answer = bytes;
      if (is_tcp) answer.remove_prefix(std::min<std::size_t>(2, answer.size()));
      if (take_header(answer, id, out)) co_return std::errc{};
      if (is_tcp && answer.size() >= kHeader) co_return std::errc::bad_message;
    }
  }

  net::Task<net::IoResult<net::Stream>> open(Endpoint to, bool is_tcp, Deadline deadline) {
    if (is_tcp) co_return co_await net::Stream::connect(*loop_, to, deadline);
    const net::SocketAddress address(to);
    const int fd =
        ::socket(address.storage.ss_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) co_return std::unexpected(std::errc{errno});
    if (::connect(fd, address.get(), address.size) != 0) {
      const int failed = errno;
      ::close(fd);
      co_return std::unexpected(std::errc{failed});
    }
    co_return net::Stream(*loop_, fd);
  }

  net::Loop* loop_;
  NetworkProbe probe_;
  const AttemptOptions* options_;
  std::size_t left_ = 0;
};

}  // namespace

void make_attempts(net::Loop& loop, dns::Resolver& resolver, const std::vector<Attempt>& attempts,
                   const AttemptOptions& options) {
  Prober prober(loop, resolver, options);
  prober.run(attempts);
}

std::optional<IpAddress> name_server_of(std::string_view resolv_conf) {
  while (!resolv_conf.empty()) {
    const std::size_t end = std::min(resolv_conf.find('\n'), resolv_conf.size());
    std::string_view line = resolv_conf.substr(0, end);
    resolv_conf.remove_prefix(std::min(end + 1, resolv_conf.size()));
    constexpr std::string_view kWord = "nameserver";
    if (!line.starts_with(kWord)) continue;
    line.remove_prefix(kWord.size());
    const std::size_t from = line.find_first_not_of(" \t");
    if (from == 0 || from == std::string_view::npos) continue;
    line = line.substr(from, line.find_first_of(" \t\r%", from) - from);
    if (const auto address = IpAddress::parse(line)) return address;
  }
  return std::nullopt;
}

}  // namespace ebbgate::deploy
