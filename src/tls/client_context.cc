#include "tls/client_context.h"

#include <array>
#include <cstdlib>
#include <filesystem>
#include <string_view>
#include <utility>

#include "tls/detail/identity.h"
#include "tls/detail/openssl.h"

namespace ebbgate::tls {
namespace {

using detail::BioPtr;
using detail::last_error;
using detail::no_passphrase;
using detail::reader_of;
using detail::wrong;

constexpr std::array kBundles = {
    "/etc/ssl/certs/ca-certificates.crt",                 // Debian, Ubuntu, Alpine, Arch
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",  // Amazon Linux, Red Hat, Fedora
    "/etc/pki/tls/certs/ca-bundle.crt",                   // their older releases, Bottlerocket
    "/etc/ssl/ca-bundle.pem",                             // SUSE
    "/etc/ssl/cert.pem",                                  // Alpine without ca-certificates
};
constexpr const char* kDirectory = "/etc/ssl/certs";

Result<std::string> trust_system(SSL_CTX* context) {
  const TrustPaths paths =
      system_trust(std::getenv("SSL_CERT_FILE"), std::getenv("SSL_CERT_DIR"));  // NOLINT: at start
  if (!paths.file.empty() && SSL_CTX_load_verify_file(context, paths.file.c_str()) != 1) {
    return wrong(paths.file + ": no authorities (PEM) can be read from it: " + last_error());
  }
  if (!paths.directory.empty()) SSL_CTX_load_verify_dir(context, paths.directory.c_str());
  ERR_clear_error();
  if (!paths.file.empty()) return paths.file;
  return paths.directory.empty() ? "nobody: this system has no file of authorities"
                                 : paths.directory;
}

Result<void> trust_text(SSL_CTX* context, const std::string& pem) {
  const BioPtr bio = reader_of(pem);
  int count = 0;
  while (X509* each = PEM_read_bio_X509(bio.get(), nullptr, no_passphrase, nullptr)) {
    const detail::X509Ptr certificate(each);
    if (X509_STORE_add_cert(SSL_CTX_get_cert_store(context), each) != 1) break;
    ++count;
  }
  const bool is_at_end = ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
  const std::string why = last_error();
  if (count > 0 && is_at_end) return {};
  return wrong("the authorities that are given as text are no certificates in PEM: " + why);
}

}  // namespace

void initialise() {
  OPENSSL_init_ssl(OPENSSL_INIT_NO_LOAD_CONFIG | OPENSSL_INIT_LOAD_SSL_STRINGS, nullptr);
}

TrustPaths system_trust(const char* cert_file, const char* cert_dir, const std::string& root) {
  const auto is_given = [](const char* text) { return text != nullptr && *text != '\0'; };
  if (is_given(cert_file) || is_given(cert_dir)) {
    return {.file = is_given(cert_file) ? cert_file : "",
            .directory = is_given(cert_dir) ? cert_dir : ""};
  }
  std::error_code error;
  for (const char* bundle : kBundles) {
    if (std::filesystem::is_regular_file(root + bundle, error)) {
      return {.file = root + bundle, .directory = {}};
    }
  }
  if (std::filesystem::is_directory(root + kDirectory, error)) {
    return {.file = {}, .directory = root + kDirectory};
  }
  return {};
}

Result<std::unique_ptr<ClientContext>> ClientContext::make(const ClientOptions& options) {
  initialise();
  ERR_clear_error();
  auto handle = std::make_unique<Handle>(detail::ContextPtr(SSL_CTX_new(TLS_client_method())));
  SSL_CTX* context = handle->context.get();
  if (context == nullptr) return wrong("OpenSSL gives no context: " + last_error());
  SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
  SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
  SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS);
  SSL_CTX_set_verify(context, SSL_VERIFY_PEER, nullptr);

  std::string trust;
  if (!options.ca_file.empty()) {
    if (SSL_CTX_load_verify_file(context, options.ca_file.c_str()) != 1) {
      return wrong(options.ca_file + ": no authorities (PEM) can be read from it: " + last_error());
    }
    trust = options.ca_file;
  } else if (options.ca_pem.empty()) {
    auto found = trust_system(context);
    if (!found) return std::unexpected(std::move(found.error()));
    trust = *std::move(found);
  }
  if (!options.ca_pem.empty()) {
    if (auto trusted = trust_text(context, options.ca_pem); !trusted) {
      return std::unexpected(std::move(trusted.error()));
    }
    trust += trust.empty() ? "the authorities that are given as text" : " and those given as text";
  }
  if (options.certificate_pem.empty() != options.key_pem.empty()) {
    return wrong("a client certificate needs its key, and a key its certificate");
  }
  if (!options.certificate_pem.empty()) {
    if (auto presented = detail::present(context, "the client certificate", options.certificate_pem,
                                         options.key_pem);
        !presented) {
      return std::unexpected(std::move(presented.error()));
    }
  }
  return std::unique_ptr<ClientContext>(new ClientContext(std::move(handle), std::move(trust)));
}

ClientContext::ClientContext(std::unique_ptr<Handle> handle, std::string trust)
    : handle_(std::move(handle)), trust_(std::move(trust)) {}
ClientContext::~ClientContext() = default;

}  // namespace ebbgate::tls
