// The Transport that has a network: HTTP/1.1 (RFC 9112) over TLS or in the clear, for the few
// requests that the control plane makes. It knows no redirects, no cookies and no proxies, whatever
// the environment says: it goes where the configuration sends it, and nowhere else.
#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <optional>
#include <string>

#include "base/authority.h"
#include "base/clock.h"
#include "dns/resolver.h"
#include "https/transport.h"
#include "net/loop.h"
#include "tls/client_context.h"

namespace ebbgate::https {

struct ClientOptions {
  std::string user_agent = "ebbgate";
  // Whom certificates have to name, whatever the URL's host is; nothing: that host. For one who is
  // reached by an address of which its certificate knows nothing.
  std::optional<Host> tls_name = {};
  // Connections that wait for another request: how many to one origin and in all, and how long.
  // Servers commonly close after 60 s or more; who is sooner never meets a closed one.
  std::size_t idle_per_origin = 4;
  std::size_t idle = 16;
  Duration idle_for = std::chrono::seconds(30);
};

class Client final : public StreamTransport {
 public:
  // All three must outlive the client, and the client whatever was sent through it.
  Client(net::Loop& loop, dns::Resolver& resolver, const tls::ClientContext& tls,
         ClientOptions options = {});
  ~Client() override;
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  // A connection that waited may have been closed by the server in the moment it was used: where
  // nothing of an answer has come, and the method is idempotent (RFC 9110 9.2.2), the request is
  // sent once more, on a new connection.
  [[nodiscard]] net::Task<Result<Response>> send(Request request) override;
  [[nodiscard]] net::Task<Result<Response>> stream(Request request, BodySink sink) override;

  // Closes the connections that wait: their certificate or their peer is no longer wanted.
  void close_idle();
  [[nodiscard]] std::size_t idle() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace ebbgate::https
