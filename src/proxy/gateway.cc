#include "proxy/gateway.h"

#include <sys/random.h>
#include <unistd.h>

#include <algorithm>
#include <numeric>
#include <utility>

#include "net/stream.h"

namespace ebbgate::proxy {
namespace {

Result<std::uint64_t> random_bits() {
  std::uint64_t bits = 0;
  if (::getrandom(&bits, sizeof bits, 0) != sizeof bits) {
    return fail(Reason::kInternal, Side::kSelf, "the system has no random numbers");
  }
  return bits;
}

Endpoint local_of(int fd) {
  net::SocketAddress address;
  if (::getsockname(fd, address.get(), &address.size) != 0) return {};
  return address.endpoint();
}

// At least one socket for each worker, with those that are there already.
Result<void> open_sockets(ListeningSockets& sockets, std::size_t workers,
                          const net::ListenOptions& options) {
  if (!sockets.fds.empty()) sockets.at = local_of(sockets.fds.front());
  while (sockets.fds.size() < workers) {
    const auto fd = net::open_listener(sockets.at, options);
    if (!fd) return std::unexpected(fd.error());
    sockets.fds.push_back(*fd);
    sockets.at = local_of(*fd);  // the port that was free
  }
  return {};
}

}  // namespace

Gateway::Gateway(GatewayParts parts)
    : shared_{.options = parts.options,
              .clock = parts.clock,
              .policy = parts.policy,
              .metrics = parts.metrics,
              .log = parts.log,
              .say = std::move(parts.say),
              .pods = parts.pods,
              .counts = {parts.options.limits.connections,
                         parts.options.limits.connections_per_client}} {}

Gateway::~Gateway() {
  if (is_started_) stop();
}

Result<std::unique_ptr<Gateway>> Gateway::make(GatewayParts parts,
                                               std::vector<ListeningSockets> listen) {
  const dns::ResolverOptions dns = parts.dns;
  const std::size_t workers = parts.metrics.workers();
  const net::ListenOptions socket_options{.keepalive = parts.options.limits.keepalive,
                                          .clients_speak_first = true};
  std::unique_ptr<Gateway> gateway(new Gateway(std::move(parts)));
  for (std::size_t index = 0; index < workers; ++index) {
    auto loop = net::Loop::make();
    if (!loop) return std::unexpected(loop.error());
    auto resolver = dns::Resolver::make(**loop, dns);
    if (!resolver) return std::unexpected(resolver.error());
    const auto random = random_bits();
    if (!random) return std::unexpected(random.error());
    gateway->workers_.push_back(std::make_unique<Worker>(index, gateway->shared_, std::move(*loop),
                                                         std::move(*resolver), *random));
  }
  for (ListeningSockets& sockets : listen) {
    const auto opened = open_sockets(sockets, workers, socket_options);
    // A predecessor with more workers leaves more sockets: none may be without a reader.
    for (std::size_t i = 0; i < sockets.fds.size(); ++i) {
      gateway->workers_[i % workers]->listen(sockets.fds[i], sockets.at.str());
    }
    if (!opened) return std::unexpected(opened.error());
  }
  gateway->listening_ = std::move(listen);
  for (const auto& worker : gateway->workers_) worker->balance_with(gateway->workers_);
  return gateway;
}

void Gateway::start() {
  is_started_ = true;
  for (const auto& worker : workers_) worker->start();
}

void Gateway::judge_tunnels() {
  for (const auto& worker : workers_) worker->judge_tunnels();
}

void Gateway::pods_changed() {
  for (const auto& worker : workers_) worker->pods_changed();
}

void Gateway::drain(Worker::Listeners how) {
  for (const auto& worker : workers_) worker->drain(how);
}

void Gateway::stop_accepting(Worker::Listeners how) {
  for (const auto& worker : workers_) worker->stop_accepting(how);
}

void Gateway::stop() {
  for (const auto& worker : workers_) worker->stop();
  for (const auto& worker : workers_) worker->join();
  is_started_ = false;
}

std::size_t Gateway::busy() const {
  return std::accumulate(workers_.begin(), workers_.end(), std::size_t{0},
                         [](std::size_t sum, const auto& worker) { return sum + worker->busy(); });
}

}  // namespace ebbgate::proxy
