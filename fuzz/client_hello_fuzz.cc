// fuzz-deps: hello ssl crypto
// The ClientHello reader over arbitrary bytes. Properties: what it says does not depend on how the
// bytes arrive; a name that it accepts is in normal form; and OpenSSL, where it takes the same
// bytes, reads the same name in them, or the gateway would let pass what the origin never sees.
#include <openssl/ssl.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string>

#include "hello/client_hello.h"

namespace {

using ebbgate::Hostname;
using ebbgate::Result;
using ebbgate::hello::ClientHello;
using ebbgate::hello::ClientHelloReader;
using Outcome = Result<std::optional<ClientHello>>;

void require(bool holds) {
  if (!holds) std::abort();
}

// What a reader says that is given `step` more octets at each call.
Outcome in_pieces(std::string_view bytes, std::size_t step) {
  ClientHelloReader reader;
  Outcome outcome = std::nullopt;
  for (std::size_t size = 0; size < bytes.size();) {
    size = std::min(size + step, bytes.size());
    outcome = reader.read(bytes.substr(0, size));
    if (!outcome || outcome->has_value()) break;
  }
  return outcome;
}

// The name that an OpenSSL server finds in the hello. Outer nothing: it did not come so far as to
// look for one. Inner nothing: there is none.
using OtherName = std::optional<std::optional<std::string>>;

int note_name(SSL* ssl, int*, void* argument) {
  const char* name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
  *static_cast<OtherName*>(argument) =
      name == nullptr ? std::nullopt : std::optional(std::string(name));
  return SSL_TLSEXT_ERR_ALERT_FATAL;  // no need to go on
}

OtherName name_by_openssl(std::string_view bytes) {
  OtherName name;
  const std::unique_ptr<SSL_CTX, void (*)(SSL_CTX*)> context(SSL_CTX_new(TLS_server_method()),
                                                             SSL_CTX_free);
  SSL_CTX_set_security_level(context.get(), 0);
  SSL_CTX_set_min_proto_version(context.get(), TLS1_VERSION);
  SSL_CTX_set_tlsext_servername_callback(context.get(), note_name);
  SSL_CTX_set_tlsext_servername_arg(context.get(), &name);
  const std::unique_ptr<SSL, void (*)(SSL*)> ssl(SSL_new(context.get()), SSL_free);
  BIO* const in = BIO_new(BIO_s_mem());
  BIO_write(in, bytes.data(), static_cast<int>(bytes.size()));
  SSL_set_bio(ssl.get(), in, BIO_new(BIO_s_mem()));
  SSL_accept(ssl.get());
  return name;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const Outcome whole = in_pieces(bytes, std::max<std::size_t>(size, 1));
  require(in_pieces(bytes, 1) == whole);
  require(in_pieces(bytes, 7) == whole);
  if (!whole || !whole->has_value()) return 0;
  const std::optional<Hostname>& name = (*whole)->sni;
  if (name) {
    const auto again = Hostname::parse(name->str());
    require(again.has_value() && *again == *name);
  }
  if (const OtherName other = name_by_openssl(bytes)) {
    require(other->has_value() == name.has_value());
    if (name) require(Hostname::parse(**other) == *name);
  }
  return 0;
}
