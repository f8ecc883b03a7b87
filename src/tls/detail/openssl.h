// OpenSSL's objects with owners, and its errors as sentences.
#pragma once

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <memory>
#include <string>

#include "tls/client_context.h"
#include "tls/server_context.h"

namespace ebbgate::tls {

namespace detail {

template <auto kFree>
struct Freer {
  template <typename T>
  void operator()(T* object) const {
    kFree(object);
  }
};
using BioPtr = std::unique_ptr<BIO, Freer<BIO_free>>;
using ContextPtr = std::unique_ptr<SSL_CTX, Freer<SSL_CTX_free>>;
using KeyPtr = std::unique_ptr<EVP_PKEY, Freer<EVP_PKEY_free>>;
using SslPtr = std::unique_ptr<SSL, Freer<SSL_free>>;
using X509Ptr = std::unique_ptr<X509, Freer<X509_free>>;

// What OpenSSL reported last on this thread, in its words; its queue is empty afterwards.
[[nodiscard]] std::string last_error();

// "a, *.b, 10.0.0.1": the subject alternative names, the first few of them.
[[nodiscard]] std::string names_of(X509* certificate);

// "2026-11-24T10:00:00Z".
[[nodiscard]] std::string time_text(const ASN1_TIME* time);

}  // namespace detail

struct ClientContext::Handle {
  detail::ContextPtr context;
};
struct ServerContext::Handle {
  detail::ContextPtr context;
};

}  // namespace ebbgate::tls
