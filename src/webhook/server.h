// The listener that the API server talks to: HTTP/1.1 over TLS, a few connections that stay, each
// request with a body of some kilobytes answered by a plain function. RFC 9112.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <list>
#include <memory>
#include <string>
#include <string_view>

#include "base/authority.h"
#include "base/clock.h"
#include "base/result.h"
#include "http/request_head.h"
#include "net/listener.h"
#include "net/loop.h"
#include "net/owned_fd.h"
#include "net/task.h"
#include "tls/server_context.h"
#include "tls/stream.h"

namespace ebbgate::webhook {

struct Call {
  std::string_view method;
  std::string_view target;  // as the client wrote it
  std::string_view body;
};

struct Answer {
  std::uint16_t status = 200;
  std::string content_type = "application/json";
  std::string body = {};
};

struct ServerOptions {
  Duration handshake_timeout = std::chrono::seconds(10);
  Duration request_timeout = std::chrono::seconds(15);  // of head and body, and of the answer
  Duration idle_timeout = std::chrono::minutes(2);      // longer than clients keep a connection
  // The API server takes objects of 3 MiB, and a review of an update holds two of them.
  std::size_t max_body = std::size_t{8} << 20;
  std::size_t max_bodies = std::size_t{64} << 20;  // of all requests at once
  std::size_t max_connections = 256;
};

class Server {
 public:
  // Called on the loop's thread.
  using Handler = std::function<Answer(const Call& call)>;
  // What a client did wrong: no TLS, a certificate that it does not trust, no HTTP.
  using OnFault = std::function<void(const Endpoint& from, const Error& error)>;

  // Listens on `at`. Error kInternal: it cannot.
  [[nodiscard]] static Result<std::unique_ptr<Server>> start(
      net::Loop& loop, const Endpoint& at, std::shared_ptr<const tls::ServerContext> context,
      Handler handler, OnFault on_fault, const ServerOptions& options = {});
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  // Connections that come from now on are shown this certificate.
  void present(std::shared_ptr<const tls::ServerContext> context) { context_ = std::move(context); }
  [[nodiscard]] const tls::ServerContext& context() const { return *context_; }
  [[nodiscard]] Endpoint local() const { return listener_.local(); }
  [[nodiscard]] std::size_t connections() const { return open_.size(); }

  // Accepts no more, ends the connections that wait for a request, and the others after it.
  void drain();

 private:
  // One connection. Lives in the frame of serve().
  struct Connection {
    tls::Stream stream;
    std::string buffered = {};  // what came and is not dealt with
    bool is_busy = false;       // between a request's first octet and its answer
  };
  class Place;

  Server(net::Loop& loop, int fd, std::shared_ptr<const tls::ServerContext> context,
         Handler handler, OnFault on_fault, const ServerOptions& options);
  [[nodiscard]] net::Task<void> serve(net::OwnedFd fd, Endpoint from);
  [[nodiscard]] net::Task<Result<void>> converse(Connection& connection);
  [[nodiscard]] net::Task<Result<bool>> fill(Connection& connection, Deadline deadline);
  [[nodiscard]] net::Task<Result<bool>> read_head(Connection& connection,
                                                  http::RequestReader& reader, Deadline& deadline);
  [[nodiscard]] net::Task<Result<std::string>> read_body(Connection& connection,
                                                         const http::RequestHead& head,
                                                         Deadline deadline);
  [[nodiscard]] net::Task<Result<void>> refuse(Connection& connection, std::uint16_t status,
                                               std::string why);

  net::Loop* loop_;
  std::shared_ptr<const tls::ServerContext> context_;
  Handler handler_;
  OnFault on_fault_;
  ServerOptions options_;
  std::list<Connection*> open_;  // oldest first
  std::size_t bodies_ = 0;       // octets of bodies that are being read
  bool is_draining_ = false;
  net::Listener listener_;
};

}  // namespace ebbgate::webhook
