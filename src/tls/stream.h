// A TLS connection over a connected socket, in conversations: the same operations as net::Stream,
// for the client's side and for the server's.
// What it tells apart and TCP cannot: an orderly end from a cut (RFC 8446 6.1), which matters
// wherever the end of the connection is the end of a message.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string_view>

#include "base/authority.h"
#include "base/result.h"
#include "net/stream.h"
#include "net/task.h"
#include "tls/client_context.h"
#include "tls/server_context.h"

namespace ebbgate::tls {

// Errors of all operations: kTimedOut; kDraining at the hard stop; kOriginClosed where the
// connection broke, or ended without TLS saying so; kOriginInvalid for what is no TLS;
// kConnectFailed where the other side refuses in TLS's own words. After any error only closing is
// left. One operation at a time. At the server's side the other one is the client: its faults are
// kMalformedRequest (what is no TLS, or refuses us) and kClientClosed.
class Stream {
 public:
  // The client's side of a connection, before its handshake. The context must outlive it.
  Stream(const ClientContext& context, net::Stream stream);
  // The server's side of one. The context is not needed afterwards.
  Stream(const ServerContext& context, net::Stream stream);
  Stream(Stream&&) noexcept;
  Stream& operator=(Stream&&) noexcept;
  ~Stream();

  // Proves that the other side is `host`: its certificate verifies, is for server use, and names
  // the host or the address as a subject alternative name (RFC 9525). A name is sent as SNI;
  // http/1.1 is what ALPN offers. Errors besides: kConnectFailed where anything of this fails, with
  // what to do about it.
  [[nodiscard]] net::Task<Result<void>> handshake(Host host, Deadline deadline);

  // The server's side of the handshake; http/1.1 is what ALPN settles on, if a client asks.
  [[nodiscard]] net::Task<Result<void>> accept(Deadline deadline);

  // Reads what is there, at most `buffer.size()` octets; 0 is the orderly end.
  [[nodiscard]] net::Task<Result<std::size_t>> read_some(std::span<char> buffer, Deadline deadline);
  // `bytes` must stay until the operation ends.
  [[nodiscard]] net::Task<Result<void>> write_all(std::string_view bytes, Deadline deadline);

  // Tells the other side that nothing more comes, and closes.
  void close();

  // Whether nothing has come since the last read: no octet, no end. Waits for nothing. What TLS
  // sends for itself, such as tickets, is taken in.
  [[nodiscard]] bool is_quiet();

  // Ends what is being waited for with kDraining.
  void cancel();

 private:
  struct Session;  // OpenSSL's
  [[nodiscard]] net::Task<Result<void>> shake_hands(const Host* host, Deadline deadline);
  [[nodiscard]] net::Task<Result<void>> flush(Deadline deadline);
  [[nodiscard]] net::Task<Result<void>> fill(Deadline deadline);

  std::unique_ptr<Session> session_;
};

}  // namespace ebbgate::tls
