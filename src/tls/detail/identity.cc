#include "tls/detail/identity.h"

#include <chrono>
#include <ctime>
#include <utility>

namespace ebbgate::tls::detail {

std::unexpected<Error> wrong(std::string detail) {
  return fail(Reason::kInternal, Side::kSelf, std::move(detail));
}

BioPtr reader_of(const std::string& text) {
  return BioPtr(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
}

int no_passphrase(char* /*buffer*/, int /*size*/, int /*is_write*/, void* /*context*/) {
  return -1;
}

Result<void> present(SSL_CTX* context, const std::string& what, const std::string& certificate_pem,
                     const std::string& key_pem) {
  const BioPtr bio = reader_of(certificate_pem);
  const X509Ptr own(PEM_read_bio_X509(bio.get(), nullptr, no_passphrase, nullptr));
  if (own == nullptr || SSL_CTX_use_certificate(context, own.get()) != 1) {
    return wrong(what + " is none in PEM: " + last_error());
  }
  while (X509* next = PEM_read_bio_X509(bio.get(), nullptr, no_passphrase, nullptr)) {
    if (SSL_CTX_add0_chain_cert(context, next) == 1) continue;
    X509_free(next);
    return wrong(what + "'s chain cannot be used: " + last_error());
  }
  ERR_clear_error();  // that there is no further one
  const BioPtr key_bio = reader_of(key_pem);
  const KeyPtr key(PEM_read_bio_PrivateKey(key_bio.get(), nullptr, no_passphrase, nullptr));
  if (key == nullptr || SSL_CTX_use_PrivateKey(context, key.get()) != 1) {
    return wrong(
        "the key of " + what +
        " is none in PEM without a passphrase, or is of another certificate: " + last_error());
  }
  return {};
}

Result<WallTime> wall_time(const ASN1_TIME* time) {
  std::tm parts{};
  if (time == nullptr || ASN1_TIME_to_tm(time, &parts) != 1) {
    return wrong("the certificate has no time that can be read: " + last_error());
  }
  return WallTime(std::chrono::seconds(::timegm(&parts)));
}

}  // namespace ebbgate::tls::detail
