// The Probe that has a network and a machine: what `ebbgate eks verify` looks through.
#pragma once

#include "deploy/verify.h"
#include "dns/resolver.h"
#include "net/loop.h"
#include "net/stream.h"

namespace ebbgate::deploy {

class NetworkProbe final : public Probe {
 public:
  // Both outlive the probe.
  NetworkProbe(net::Loop& loop, dns::Resolver& resolver) : loop_(&loop), resolver_(&resolver) {}

  [[nodiscard]] net::Task<Result<IpAddress>> connect(std::string host, Port port,
                                                     Deadline deadline) override;
  [[nodiscard]] net::Task<Result<int>> tunnel(std::string proxy_host, Port proxy_port,
                                              std::string target, Deadline deadline) override;
  [[nodiscard]] net::Task<Result<Fetched>> fetch(std::string proxy_host, Port proxy_port,
                                                 std::string url, Deadline deadline) override;
  [[nodiscard]] std::optional<Result<std::string>> kubectl(
      const std::vector<std::string>& arguments) override;

 private:
  [[nodiscard]] net::Task<Result<net::Stream>> dial(std::string host, Port port, Deadline deadline,
                                                    IpAddress& answered);
  [[nodiscard]] net::Task<Result<Fetched>> ask(std::string proxy_host, Port proxy_port,
                                               std::string request, Deadline deadline);

  net::Loop* loop_;
  dns::Resolver* resolver_;
};

}  // namespace ebbgate::deploy
