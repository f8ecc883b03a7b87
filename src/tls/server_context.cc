#include "tls/server_context.h"

#include <algorithm>
#include <string_view>
#include <utility>

#include "tls/client_context.h"
#include "tls/detail/identity.h"
#include "tls/detail/openssl.h"

namespace ebbgate::tls {
namespace {

// http/1.1 where the client offers it, no answer where it does not: it may still speak that.
int choose_protocol(SSL* /*ssl*/, const unsigned char** out, unsigned char* out_size,
                    const unsigned char* offered, unsigned int size, void* /*context*/) {
  constexpr std::string_view kHttp11 = "http/1.1";
  for (unsigned at = 0; at < size; at += 1U + offered[at]) {
    const unsigned char* const name = offered + at + 1;
    const std::string_view text(reinterpret_cast<const char*>(name),
                                std::min<std::size_t>(offered[at], size - at - 1));
    if (text != kHttp11) continue;
    *out = name;
    *out_size = offered[at];
    return SSL_TLSEXT_ERR_OK;
  }
  return SSL_TLSEXT_ERR_NOACK;
}

}  // namespace

Result<std::shared_ptr<const ServerContext>> ServerContext::make(const std::string& certificate_pem,
                                                                 const std::string& key_pem) {
  initialise();
  ERR_clear_error();
  auto handle = std::make_unique<Handle>(detail::ContextPtr(SSL_CTX_new(TLS_server_method())));
  SSL_CTX* context = handle->context.get();
  if (context == nullptr) {
    return detail::wrong("OpenSSL gives no context: " + detail::last_error());
  }
  SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
  SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
  SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS);
  SSL_CTX_set_alpn_select_cb(context, &choose_protocol, nullptr);
  if (auto presented = detail::present(context, "the certificate", certificate_pem, key_pem);
      !presented) {
    return std::unexpected(std::move(presented.error()));
  }
  const auto expires = detail::wall_time(X509_get0_notAfter(SSL_CTX_get0_certificate(context)));
  if (!expires) return std::unexpected(expires.error());
  return std::shared_ptr<const ServerContext>(new ServerContext(std::move(handle), *expires));
}

ServerContext::ServerContext(std::unique_ptr<Handle> handle, WallTime expires)
    : handle_(std::move(handle)), expires_(expires) {}
ServerContext::~ServerContext() = default;

}  // namespace ebbgate::tls
