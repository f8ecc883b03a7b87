#include "tls/testing/peer.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <utility>

namespace ebbgate::tls::testing {
namespace {

void require(bool is_fine) {
  if (!is_fine) std::abort();
}

template <typename Write>
std::string pem_of(Write write) {
  BIO* bio = BIO_new(BIO_s_mem());
  require(write(bio) == 1);
  char* bytes = nullptr;
  const long size = BIO_get_mem_data(bio, &bytes);
  std::string out(bytes, static_cast<std::size_t>(size));
  BIO_free(bio);
  return out;
}

std::string pem_of(X509* certificate) {
  return pem_of([&](BIO* bio) { return PEM_write_bio_X509(bio, certificate); });
}
std::string pem_of(EVP_PKEY* key) {
  return pem_of([&](BIO* bio) {
    return PEM_write_bio_PrivateKey(bio, key, nullptr, nullptr, 0, nullptr, nullptr);
  });
}

X509* read_certificate(const std::string& pem) {
  BIO* bio = BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size()));
  X509* out = PEM_read_bio_X509(bio, nullptr, nullptr, nullptr);
  BIO_free(bio);
  require(out != nullptr);
  return out;
}
EVP_PKEY* read_key(const std::string& pem) {
  BIO* bio = BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size()));
  EVP_PKEY* out = PEM_read_bio_PrivateKey(bio, nullptr, nullptr, nullptr);
  BIO_free(bio);
  require(out != nullptr);
  return out;
}

void add_extension(X509* to, X509* issuer, int id, const std::string& value) {
  X509V3_CTX context;
  X509V3_set_ctx_nodb(&context);
  X509V3_set_ctx(&context, issuer, to, nullptr, nullptr, 0);
  X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, &context, id, value.c_str());
  require(extension != nullptr);
  X509_add_ext(to, extension, -1);
  X509_EXTENSION_free(extension);
}

X509* certificate(const CertificateRequest& request, EVP_PKEY* key) {
  static std::atomic<long> serial = 1;
  X509* out = X509_new();
  X509_set_version(out, X509_VERSION_3);
  ASN1_INTEGER_set(X509_get_serialNumber(out), serial++);
  X509_gmtime_adj(X509_getm_notBefore(out), request.from.count());
  X509_gmtime_adj(X509_getm_notAfter(out), request.until.count());
  X509_NAME_add_entry_by_txt(X509_get_subject_name(out), "CN", MBSTRING_UTF8,
                             reinterpret_cast<const unsigned char*>(request.common_name.c_str()),
                             -1, -1, 0);
  X509_set_pubkey(out, key);
  return out;
}

}  // namespace

struct TestAuthority::Impl {
  EVP_PKEY* key = EVP_EC_gen("P-256");
  X509* self = nullptr;
  Impl() = default;
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;
  ~Impl() {
    X509_free(self);
    EVP_PKEY_free(key);
  }
};

TestAuthority::TestAuthority(const std::string& name) : impl_(std::make_unique<Impl>()) {
  X509* self = impl_->self = certificate({.common_name = name}, impl_->key);
  X509_set_issuer_name(self, X509_get_subject_name(self));
  add_extension(self, self, NID_basic_constraints, "critical,CA:TRUE");
  add_extension(self, self, NID_key_usage, "critical,keyCertSign,cRLSign");
  add_extension(self, self, NID_subject_key_identifier, "hash");
  require(X509_sign(self, impl_->key, EVP_sha256()) > 0);
  certificate_pem_ = pem_of(self);
}
TestAuthority::~TestAuthority() = default;

Identity TestAuthority::issue(const CertificateRequest& request) const {
  EVP_PKEY* key = EVP_EC_gen("P-256");
  X509* issued = certificate(request, key);
  X509_set_issuer_name(issued, X509_get_subject_name(impl_->self));
  add_extension(issued, impl_->self, NID_basic_constraints, "CA:FALSE");
  std::string names;
  for (const std::string& each : request.names) names += (names.empty() ? "" : ",") + each;
  if (!names.empty()) add_extension(issued, impl_->self, NID_subject_alt_name, names);
  require(X509_sign(issued, impl_->key, EVP_sha256()) > 0);
  Identity out{pem_of(issued), pem_of(key)};
  X509_free(issued);
  EVP_PKEY_free(key);
  return out;
}

std::string Conversation::read_some() {
  std::array<char, 16384> buffer{};
  const auto got = ssl_ != nullptr ? SSL_read(static_cast<SSL*>(ssl_), buffer.data(),
                                              static_cast<int>(buffer.size()))
                                   : static_cast<int>(::recv(fd_, buffer.data(), buffer.size(), 0));
  return got > 0 ? std::string(buffer.data(), static_cast<std::size_t>(got)) : std::string();
}

std::string Conversation::read_request() {
  for (;;) {
    const std::size_t end = pending_.find("\r\n\r\n");
    if (end != std::string::npos) {
      std::size_t whole = end + 4;
      const std::size_t length = pending_.find("Content-Length: ");
      if (length < end) whole += std::strtoul(pending_.c_str() + length + 16, nullptr, 10);
      if (pending_.size() >= whole) {
        std::string out = pending_.substr(0, whole);
        pending_.erase(0, whole);
        return out;
      }
    }
    const std::string more = read_some();
    if (more.empty()) return {};
    pending_ += more;
  }
}

void Conversation::write(std::string_view bytes) {
  while (!bytes.empty()) {
    const auto sent =
        ssl_ != nullptr
            ? SSL_write(static_cast<SSL*>(ssl_), bytes.data(), static_cast<int>(bytes.size()))
            : static_cast<int>(::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL));
    if (sent <= 0) return;
    bytes.remove_prefix(static_cast<std::size_t>(sent));
  }
}

void Conversation::write_slowly(std::string_view bytes) {
  for (std::size_t i = 0; i < bytes.size(); ++i) write(bytes.substr(i, 1));
}

void Conversation::close_orderly() {
  if (ssl_ != nullptr) SSL_shutdown(static_cast<SSL*>(ssl_));
}

void Conversation::reset() {
  const linger at_once{1, 0};
  ::setsockopt(fd_, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
}

std::string Conversation::client_certificate() const {
  X509* shown = SSL_get0_peer_certificate(static_cast<SSL*>(ssl_));
  if (shown == nullptr) return {};
  std::array<char, 128> name{};
  X509_NAME_get_text_by_NID(X509_get_subject_name(shown), NID_commonName, name.data(),
                            static_cast<int>(name.size()));
  return name.data();
}

struct Server::Context {
  SSL_CTX* context = SSL_CTX_new(TLS_server_method());
  Context() = default;
  Context(const Context&) = delete;
  Context& operator=(const Context&) = delete;
  ~Context() { SSL_CTX_free(context); }
};

Server::Server(ServerOptions options, Script script)
    : options_(std::move(options)), script_(std::move(script)) {
  std::signal(SIGPIPE, SIG_IGN);  // OpenSSL writes without MSG_NOSIGNAL
  if (!options_.identity.certificate_pem.empty()) {
    context_ = std::make_unique<Context>();
    SSL_CTX* context = context_->context;
    X509* own = read_certificate(options_.identity.certificate_pem);
    EVP_PKEY* key = read_key(options_.identity.key_pem);
    require(SSL_CTX_use_certificate(context, own) == 1);
    require(SSL_CTX_use_PrivateKey(context, key) == 1);
    X509_free(own);
    EVP_PKEY_free(key);
    if (options_.only_tls11) {
      SSL_CTX_set_security_level(context, 0);
      SSL_CTX_set_min_proto_version(context, TLS1_VERSION);
      SSL_CTX_set_max_proto_version(context, TLS1_1_VERSION);
    }
    if (!options_.client_ca_pem.empty()) {
      X509* authority = read_certificate(options_.client_ca_pem);
      X509_STORE_add_cert(SSL_CTX_get_cert_store(context), authority);
      X509_free(authority);
      SSL_CTX_set_verify(context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
    }
  }
  listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in at{};
  at.sin_family = AF_INET;
  at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  require(::bind(listener_, reinterpret_cast<sockaddr*>(&at), sizeof at) == 0);
  require(::listen(listener_, 64) == 0);
  socklen_t size = sizeof at;
  require(::getsockname(listener_, reinterpret_cast<sockaddr*>(&at), &size) == 0);
  port_ = ntohs(at.sin_port);
  acceptor_ = std::thread([this] { accept_all(); });
}

Server::~Server() {
  is_ending_ = true;
  ::shutdown(listener_, SHUT_RDWR);
  acceptor_.join();
  ::close(listener_);
  {
    const std::lock_guard lock(mutex_);
    for (const int fd : open_) ::shutdown(fd, SHUT_RDWR);
  }
  for (std::thread& each : threads_) each.join();
}

void Server::accept_all() {
  for (;;) {
    const int fd = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    if (fd < 0) return;
    ++connections_;
    const timeval patience{10, 0};
    ::setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    const int on = 1;
    ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    const std::lock_guard lock(mutex_);
    open_.push_back(fd);
    threads_.emplace_back([this, fd] { serve(fd); });
  }
}

namespace {
void wait_for_end(int fd) {
  ::shutdown(fd, SHUT_WR);
  std::array<char, 4096> octets{};
  while (::recv(fd, octets.data(), octets.size(), 0) > 0) {
  }
}
}  // namespace

void Server::serve(int fd) {
  SSL* ssl = nullptr;
  if (options_.is_silent) {
    char octet = 0;
    while (::recv(fd, &octet, 1, 0) > 0) {
    }
  } else if (context_ == nullptr) {
    Conversation conversation(fd, nullptr);
    script_(conversation);
  } else {
    ssl = SSL_new(context_->context);
    SSL_set_fd(ssl, fd);
    if (SSL_accept(ssl) == 1) {
      ++handshakes_;
      Conversation conversation(fd, ssl);
      script_(conversation);
    } else {
      wait_for_end(fd);  // so that the client gets to read the alert: a close could be a reset
    }
  }
  if (ssl != nullptr) SSL_free(ssl);
  ERR_clear_error();
  const std::lock_guard lock(mutex_);
  std::erase(open_, fd);
  ::close(fd);
}

}  // namespace ebbgate::tls::testing
