#include "tls/stream.h"

#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <string>
#include <system_error>
#include <utility>

#include "tls/detail/openssl.h"

namespace ebbgate::tls {
namespace {

constexpr std::size_t kRecord = 16 * 1024 + 512;  // octets of the largest record (RFC 8446 5.2)
constexpr unsigned char kAlpn[] = "\x08http/1.1";

// What went wrong at the server's side is told of the client.
Error of_client(Error error) {
  error.side = error.side == Side::kSelf ? Side::kSelf : Side::kClient;
  if (error.reason == Reason::kOriginClosed) error.reason = Reason::kClientClosed;
  if (error.reason == Reason::kConnectFailed || error.reason == Reason::kOriginInvalid) {
    error.reason = Reason::kMalformedRequest;
  }
  return error;
}

Error of_io(std::errc error) {
  switch (error) {
    case std::errc::timed_out:
      return {Reason::kTimedOut, Side::kOrigin, "TLS: nothing came in time"};
    case std::errc::operation_canceled:
      return {Reason::kDraining, Side::kSelf, "stopped"};
    default:
      return {Reason::kOriginClosed, Side::kOrigin, std::make_error_code(error).message()};
  }
}

// What OpenSSL refused, in words that say what to do.
Error of_openssl(bool is_server) {
  const unsigned long code = ERR_peek_last_error();
  const int reason = ERR_GET_LIB(code) == ERR_LIB_SSL ? ERR_GET_REASON(code) : 0;
  const std::string words = detail::last_error();
  if (is_server) {
    return {Reason::kMalformedRequest, Side::kClient,
            (reason >= SSL_AD_REASON_OFFSET ? "the client refuses: " : "TLS is broken: ") + words};
  }
  switch (reason) {
    case SSL_R_UNSUPPORTED_PROTOCOL:
    case SSL_R_TLSV1_ALERT_PROTOCOL_VERSION:
      return {Reason::kConnectFailed, Side::kOrigin,
              "the server speaks neither TLS 1.2 nor 1.3 (" + words + ")"};
    case SSL_R_WRONG_VERSION_NUMBER:
    case SSL_R_HTTP_REQUEST:
      return {Reason::kConnectFailed, Side::kOrigin, "what answers there is not TLS"};
    case SSL_R_TLSV13_ALERT_CERTIFICATE_REQUIRED:
      return {Reason::kConnectFailed, Side::kOrigin,
              "the server wants a client certificate (" + words + ")"};
    default:
      break;
  }
  // Reasons of 1000 and more are the alerts of the other side.
  if (reason >= SSL_AD_REASON_OFFSET) {
    return {Reason::kConnectFailed, Side::kOrigin, "the server refuses: " + words};
  }
  return {Reason::kOriginInvalid, Side::kOrigin, "TLS is broken: " + words};
}

}  // namespace

struct Stream::Session {
  Session(const ClientContext& its_context, net::Stream its_socket)
      : context(&its_context), socket(std::move(its_socket)) {}
  Session(const ServerContext& its_context, net::Stream its_socket);

  const ClientContext* context = nullptr;  // of the client's side
  net::Stream socket;
  detail::SslPtr ssl;
  BIO* in = nullptr;   // what came of the socket; the SSL's own, as the next
  BIO* out = nullptr;  // what goes to the socket
  std::string fault;   // why the certificate does not verify
  std::array<char, kRecord> buffer{};
  bool is_broken = false;

  [[nodiscard]] bool is_server() const { return context == nullptr; }
  void create(SSL_CTX* of);
  void start(const Host& host);
  // After a call of OpenSSL that failed. `host`: whom the client wanted; null at the server's side.
  [[nodiscard]] Error refusal(const Host* host);
  [[nodiscard]] Error failure() const { return of_openssl(is_server()); }
  static int on_verify(int is_fine, X509_STORE_CTX* store);
};

namespace {

std::string fault_of(X509_STORE_CTX* store) {
  const int error = X509_STORE_CTX_get_error(store);
  X509* certificate = X509_STORE_CTX_get_current_cert(store);
  const std::string words = X509_verify_cert_error_string(error);
  if (certificate == nullptr) return words;
  switch (error) {
    case X509_V_ERR_HOSTNAME_MISMATCH:
    case X509_V_ERR_IP_ADDRESS_MISMATCH:
      return "it is for " + detail::names_of(certificate);
    case X509_V_ERR_CERT_HAS_EXPIRED:
      return "it expired at " + detail::time_text(X509_get0_notAfter(certificate)) +
             "; renew it there, or correct the clock here";
    case X509_V_ERR_CERT_NOT_YET_VALID:
      return "it is valid only from " + detail::time_text(X509_get0_notBefore(certificate)) +
             " on; correct the clock here";
    default:
      return words;
  }
}

bool is_of_unknown_authority(int error) {
  return error == X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY ||
         error == X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN ||
         error == X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT ||
         error == X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE ||
         error == X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT;
}

}  // namespace

int Stream::Session::on_verify(int is_fine, X509_STORE_CTX* store) {
  if (is_fine == 1) return 1;
  const auto* ssl =
      static_cast<SSL*>(X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx()));
  auto& self = *static_cast<Session*>(SSL_get_app_data(ssl));
  self.fault = fault_of(store);
  if (is_of_unknown_authority(X509_STORE_CTX_get_error(store))) {
    self.fault +=
        "; trusted is " + self.context->trust() + ", and --ca-file FILE names other authorities";
  }
  return 0;
}

Stream::Session::Session(const ServerContext& its_context, net::Stream its_socket)
    : socket(std::move(its_socket)) {
  create(its_context.handle_->context.get());
  SSL_set_accept_state(ssl.get());
}

void Stream::Session::create(SSL_CTX* of) {
  ERR_clear_error();
  ssl.reset(SSL_new(of));
  detail::BioPtr reader(BIO_new(BIO_s_mem()));
  detail::BioPtr writer(BIO_new(BIO_s_mem()));
  if (ssl == nullptr || reader == nullptr || writer == nullptr) throw std::bad_alloc();
  in = reader.release();
  out = writer.release();
  BIO_set_mem_eof_return(in, -1);  // empty is "not yet": the end of the socket is told apart here
  SSL_set_bio(ssl.get(), in, out);
}

void Stream::Session::start(const Host& host) {
  create(context->handle_->context.get());
  SSL_set_app_data(ssl.get(), this);
  SSL_set_verify(ssl.get(), SSL_VERIFY_PEER, &Session::on_verify);
  SSL_set_connect_state(ssl.get());
  SSL_set_alpn_protos(ssl.get(), kAlpn, sizeof kAlpn - 1);
  // Names only where RFC 9525 looks for them: never in the subject, and no `f*.example.com`.
  SSL_set_hostflags(ssl.get(),
                    X509_CHECK_FLAG_NEVER_CHECK_SUBJECT | X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
  bool is_set = false;
  if (const Hostname* name = host.name()) {
    is_set = SSL_set1_host(ssl.get(), name->str().c_str()) == 1 &&
             SSL_set_tlsext_host_name(ssl.get(), name->str().c_str()) == 1;
  } else {
    is_set = X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl.get()),
                                           host.address()->str().c_str()) == 1;
  }
  if (!is_set) throw std::bad_alloc();  // all that is left to fail: the host is a checked value
}

Error Stream::Session::refusal(const Host* host) {
  is_broken = true;
  Error error = failure();
  if (host == nullptr || fault.empty()) return error;
  return {Reason::kConnectFailed, Side::kOrigin,
          "the certificate of " + host->str() + " does not verify: " + fault};
}

Stream::Stream(const ClientContext& context, net::Stream stream)
    : session_(std::make_unique<Session>(context, std::move(stream))) {}
Stream::Stream(const ServerContext& context, net::Stream stream)
    : session_(std::make_unique<Session>(context, std::move(stream))) {}
Stream::Stream(Stream&&) noexcept = default;
Stream& Stream::operator=(Stream&&) noexcept = default;
Stream::~Stream() {
  if (session_ != nullptr) close();
}

net::Task<Result<void>> Stream::flush(Deadline deadline) {
  Session& session = *session_;
  char* bytes = nullptr;
  const long size = BIO_get_mem_data(session.out, &bytes);
  if (size <= 0) co_return {};
  const std::string pending(bytes, static_cast<std::size_t>(size));
  BIO_reset(session.out);
  const auto written = co_await session.socket.write_all(pending, deadline);
  if (!written) {
    session.is_broken = true;
    const Error error = of_io(written.error());
    co_return std::unexpected(session.is_server() ? of_client(error) : error);
  }
  co_return {};
}

net::Task<Result<void>> Stream::fill(Deadline deadline) {
  Session& session = *session_;
  const auto got = co_await session.socket.read_some(session.buffer, deadline);
  if (got && *got > 0) {
    if (BIO_write(session.in, session.buffer.data(), static_cast<int>(*got)) <= 0) {
      throw std::bad_alloc();
    }
    co_return {};
  }
  // After a wait that was given up, the other side can still be told of the end.
  session.is_broken =
      got || (got.error() != std::errc::timed_out && got.error() != std::errc::operation_canceled);
  const Error error = got ? Error{Reason::kOriginClosed, Side::kOrigin,
                                  "the connection was cut: it ended without TLS saying so"}
                          : of_io(got.error());
  co_return std::unexpected(session.is_server() ? of_client(error) : error);
}

net::Task<Result<void>> Stream::shake_hands(const Host* host, Deadline deadline) {
  Session& session = *session_;
  for (;;) {
    ERR_clear_error();
    const int done = SSL_do_handshake(session.ssl.get());
    const int state = done == 1 ? SSL_ERROR_NONE : SSL_get_error(session.ssl.get(), done);
    const bool is_refused = state != SSL_ERROR_NONE && state != SSL_ERROR_WANT_READ;
    Error refusal = is_refused ? session.refusal(host) : Error{};
    const auto flushed = co_await flush(deadline);  // an alert, if need be
    if (is_refused) co_return std::unexpected(std::move(refusal));
    if (!flushed) co_return flushed;
    if (state == SSL_ERROR_NONE) co_return {};
    auto filled = co_await fill(deadline);
    if (!filled) {
      filled.error().detail = "during the TLS handshake: " + filled.error().detail;
      co_return filled;
    }
  }
}

net::Task<Result<void>> Stream::handshake(Host host, Deadline deadline) {
  Session& session = *session_;
  session.start(host);
  auto shaken = co_await shake_hands(&host, deadline);
  if (!shaken) co_return shaken;
  const unsigned char* protocol = nullptr;
  unsigned size = 0;
  SSL_get0_alpn_selected(session.ssl.get(), &protocol, &size);
  const std::string_view chosen(reinterpret_cast<const char*>(protocol), size);
  if (!chosen.empty() && chosen != "http/1.1") {
    session.is_broken = true;
    co_return fail(Reason::kConnectFailed, Side::kOrigin,
                   "the server chose a protocol (ALPN) that was not offered");
  }
  co_return {};
}

net::Task<Result<void>> Stream::accept(Deadline deadline) {
  auto shaken = co_await shake_hands(nullptr, deadline);
  co_return shaken;
}

net::Task<Result<std::size_t>> Stream::read_some(std::span<char> buffer, Deadline deadline) {
  Session& session = *session_;
  for (;;) {
    ERR_clear_error();
    std::size_t got = 0;
    const int done = SSL_read_ex(session.ssl.get(), buffer.data(), buffer.size(), &got);
    if (done == 1) co_return got;
    const int state = SSL_get_error(session.ssl.get(), done);
    if (state == SSL_ERROR_ZERO_RETURN) co_return std::size_t{0};
    if (state != SSL_ERROR_WANT_READ) {
      session.is_broken = true;
      co_return std::unexpected(session.failure());
    }
    const auto flushed = co_await flush(deadline);  // an answer to a change of keys
    if (!flushed) co_return std::unexpected(flushed.error());
    const auto filled = co_await fill(deadline);
    if (!filled) co_return std::unexpected(filled.error());
  }
}

net::Task<Result<void>> Stream::write_all(std::string_view bytes, Deadline deadline) {
  Session& session = *session_;
  constexpr std::size_t kAtOnce = 64 * 1024;  // octets, so that no copy of all of it is made
  while (!bytes.empty()) {
    ERR_clear_error();
    std::size_t written = 0;
    const std::string_view now = bytes.substr(0, kAtOnce);
    if (SSL_write_ex(session.ssl.get(), now.data(), now.size(), &written) != 1) {
      session.is_broken = true;
      co_return std::unexpected(session.failure());
    }
    bytes.remove_prefix(written);
    const auto flushed = co_await flush(deadline);
    if (!flushed) co_return flushed;
  }
  co_return {};
}

void Stream::close() {
  Session& session = *session_;
  if (!session.socket.is_open()) return;
  if (session.ssl != nullptr && !session.is_broken && SSL_is_init_finished(session.ssl.get())) {
    ERR_clear_error();
    SSL_shutdown(session.ssl.get());
    char* bytes = nullptr;
    const long size = BIO_get_mem_data(session.out, &bytes);
    // Where the socket takes no more, the other side is not listening either.
    if (size > 0) {
      [[maybe_unused]] const auto sent = ::send(
          session.socket.fd(), bytes, static_cast<std::size_t>(size), MSG_NOSIGNAL | MSG_DONTWAIT);
    }
  }
  session.socket.close();
}

void Stream::cancel() {
  session_->socket.cancel();
}

bool Stream::is_quiet() {
  Session& session = *session_;
  if (session.is_broken || !session.socket.is_open()) return false;
  for (;;) {
    ssize_t got = 0;
    do {
      got = ::recv(session.socket.fd(), session.buffer.data(), session.buffer.size(), MSG_DONTWAIT);
    } while (got < 0 && errno == EINTR);
    if (got < 0) return errno == EAGAIN;
    if (got == 0) return false;
    if (BIO_write(session.in, session.buffer.data(), static_cast<int>(got)) <= 0) return false;
    ERR_clear_error();
    char octet = 0;
    std::size_t read = 0;
    const int done = SSL_read_ex(session.ssl.get(), &octet, 1, &read);
    if (done == 1 || SSL_get_error(session.ssl.get(), done) != SSL_ERROR_WANT_READ) {
      ERR_clear_error();
      session.is_broken = true;
      return false;
    }
  }
}

}  // namespace ebbgate::tls
