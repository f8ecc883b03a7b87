// One client connection as its session knows it: the stream, what was read of it, and who it is.
#pragma once

#include <optional>
#include <string>
#include <utility>

#include "net/stream.h"
#include "policy/subject.h"
#include "proxy/worker.h"

namespace ebbgate::proxy {

// Counts a client for as long as it lives; moves with the connection into a tunnel.
class ClientTicket {
 public:
  explicit ClientTicket(Worker& worker) : worker_(&worker) {
    worker.entered();
    capacity_ = worker.shared.counts.enter();
  }
  ClientTicket(ClientTicket&& other) noexcept
      : worker_(std::exchange(other.worker_, nullptr)),
        client_(std::exchange(other.client_, std::nullopt)),
        capacity_(other.capacity_) {}
  ClientTicket& operator=(ClientTicket&&) = delete;
  ~ClientTicket() {
    if (worker_ == nullptr) return;
    if (client_) worker_->shared.counts.leave(*client_);
    worker_->shared.counts.leave();
    worker_->left();
  }

  // kAllowed, kOverCapacity or kOverLimit, once it is known which client it is.
  [[nodiscard]] Reason identify(const std::optional<IpAddress>& client) {
    if (!client) return capacity_;
    const Reason admitted = worker_->shared.counts.enter(*client);
    client_ = client;  // counted, and not before
    return admitted == Reason::kAllowed ? capacity_ : admitted;
  }

 private:
  Worker* worker_;
  std::optional<IpAddress> client_;
  Reason capacity_;
};

struct Client {
  Client(Worker& its_worker, int fd, const Endpoint& from, std::size_t its_listener)
      : worker(its_worker),
        stream(its_worker.loop, fd),
        buffer(its_worker.blocks),
        ticket(its_worker),
        address(from),
        listener(its_listener) {}

  Worker& worker;
  net::Stream stream;
  ReadBuffer buffer;
  ClientTicket ticket;
  Endpoint address;  // the socket's peer, or what a trusted PROXY protocol header says
  std::size_t listener;
  policy::Subject subject;
  std::string vpc_endpoint;

  // Through a VPC endpoint comes the address of another network, where it may be anybody's.
  [[nodiscard]] bool may_have_pod() const { return worker.who && vpc_endpoint.empty(); }
};

}  // namespace ebbgate::proxy
