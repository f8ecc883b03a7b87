#include "tls/self_signed.h"

#include <openssl/rand.h>

#include <array>
#include <chrono>
#include <utility>

#include "tls/client_context.h"
#include "tls/detail/identity.h"
#include "tls/detail/openssl.h"

namespace ebbgate::tls {
namespace {

using detail::KeyPtr;
using detail::X509Ptr;

constexpr Duration kClocksDiffer = std::chrono::hours(1);

struct Term {
  WallTime from;
  WallTime until;
};

bool set_time(ASN1_TIME* to, WallTime time) {
  return ASN1_TIME_set(
             to, std::chrono::system_clock::to_time_t(
                     std::chrono::time_point_cast<std::chrono::system_clock::duration>(time))) !=
         nullptr;
}

bool set_serial(X509* certificate) {
  std::array<unsigned char, 16> octets{};
  if (RAND_bytes(octets.data(), static_cast<int>(octets.size())) != 1) return false;
  octets[0] &= 0x7f;  // positive, RFC 5280 4.1.2.2
  octets[0] |= 0x40;
  BIGNUM* number = BN_bin2bn(octets.data(), static_cast<int>(octets.size()), nullptr);
  const bool is_set = number != nullptr &&
                      BN_to_ASN1_INTEGER(number, X509_get_serialNumber(certificate)) != nullptr;
  BN_free(number);
  return is_set;
}

bool set_subject(X509* certificate, const std::string& common_name) {
  return X509_NAME_add_entry_by_txt(X509_get_subject_name(certificate), "CN", MBSTRING_UTF8,
                                    reinterpret_cast<const unsigned char*>(common_name.c_str()), -1,
                                    -1, 0) == 1;
}

bool add_extension(X509* to, X509* issuer, int id, const std::string& value) {
  X509V3_CTX context;
  X509V3_set_ctx_nodb(&context);
  X509V3_set_ctx(&context, issuer, to, nullptr, nullptr, 0);
  X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, &context, id, value.c_str());
  const bool is_added = extension != nullptr && X509_add_ext(to, extension, -1) == 1;
  X509_EXTENSION_free(extension);
  return is_added;
}

// All but who signs it, and for what it is.
X509Ptr begin(EVP_PKEY* key, const std::string& common_name, const Term& term) {
  X509Ptr out(X509_new());
  if (out == nullptr || X509_set_version(out.get(), X509_VERSION_3) != 1 ||
      !set_serial(out.get()) || !set_time(X509_getm_notBefore(out.get()), term.from) ||
      !set_time(X509_getm_notAfter(out.get()), term.until) ||
      !set_subject(out.get(), common_name) || X509_set_pubkey(out.get(), key) != 1) {
    return nullptr;
  }
  return out;
}

X509Ptr authority(EVP_PKEY* key, const std::string& common_name, const Term& term) {
  X509Ptr out = begin(key, common_name, term);
  if (out == nullptr || X509_set_issuer_name(out.get(), X509_get_subject_name(out.get())) != 1 ||
      !add_extension(out.get(), out.get(), NID_basic_constraints, "critical,CA:TRUE,pathlen:0") ||
      !add_extension(out.get(), out.get(), NID_key_usage, "critical,keyCertSign,cRLSign") ||
      !add_extension(out.get(), out.get(), NID_subject_key_identifier, "hash") ||
      X509_sign(out.get(), key, EVP_sha256()) == 0) {
    return nullptr;
  }
  return out;
}

X509Ptr leaf(EVP_PKEY* key, const std::vector<std::string>& names, const Term& term, X509* issuer,
             EVP_PKEY* issuer_key) {
  std::string alternatives;
  for (const std::string& name : names) {
    alternatives += (alternatives.empty() ? "DNS:" : ",DNS:") + name;
  }
  X509Ptr out = begin(key, "ebbgate", term);
  if (out == nullptr || X509_set_issuer_name(out.get(), X509_get_subject_name(issuer)) != 1 ||
      !add_extension(out.get(), issuer, NID_basic_constraints, "critical,CA:FALSE") ||
      !add_extension(out.get(), issuer, NID_key_usage, "critical,digitalSignature") ||
      !add_extension(out.get(), issuer, NID_ext_key_usage, "serverAuth") ||
      !add_extension(out.get(), issuer, NID_subject_key_identifier, "hash") ||
      !add_extension(out.get(), issuer, NID_authority_key_identifier, "keyid:always") ||
      !add_extension(out.get(), issuer, NID_subject_alt_name, alternatives) ||
      X509_sign(out.get(), issuer_key, EVP_sha256()) == 0) {
    return nullptr;
  }
  return out;
}

std::string taken(const detail::BioPtr& bio) {
  char* bytes = nullptr;
  const long size = BIO_get_mem_data(bio.get(), &bytes);
  return {bytes, static_cast<std::size_t>(size)};
}

std::string pem_of(X509* certificate) {
  const detail::BioPtr bio(BIO_new(BIO_s_mem()));
  const bool is_written = bio != nullptr && PEM_write_bio_X509(bio.get(), certificate) == 1;
  return is_written ? taken(bio) : std::string();
}

std::string pem_of(EVP_PKEY* key) {
  const detail::BioPtr bio(BIO_new(BIO_s_mem()));
  const bool is_written = bio != nullptr && PEM_write_bio_PrivateKey(bio.get(), key, nullptr,
                                                                     nullptr, 0, nullptr, nullptr);
  return is_written ? taken(bio) : std::string();
}

std::unexpected<Error> failed() {
  return detail::wrong("OpenSSL makes no certificate: " + detail::last_error());
}

}  // namespace

Result<SelfSigned> make_self_signed(const std::vector<std::string>& names, WallTime now,
                                    Duration lifetime) {
  initialise();
  ERR_clear_error();
  const Term term{now - kClocksDiffer, now + lifetime};
  const KeyPtr authority_key(EVP_EC_gen("P-256"));
  const KeyPtr key(EVP_EC_gen("P-256"));
  if (authority_key == nullptr || key == nullptr) return failed();
  // Each authority has a name of its own: two that share one, and not a key, confuse verifiers.
  const auto seconds = std::chrono::floor<std::chrono::seconds>(now).time_since_epoch().count();
  std::array<unsigned char, 4> random{};
  if (RAND_bytes(random.data(), static_cast<int>(random.size())) != 1) return failed();
  std::string name = "ebbgate " + std::to_string(seconds);
  for (const unsigned char octet : random) name += "-" + std::to_string(octet);
  const X509Ptr issuer = authority(authority_key.get(), name, term);
  if (issuer == nullptr) return failed();
  const X509Ptr issued = leaf(key.get(), names, term, issuer.get(), authority_key.get());
  if (issued == nullptr) return failed();
  SelfSigned out{.authority_pem = pem_of(issuer.get()),
                 .certificate_pem = pem_of(issued.get()),
                 .key_pem = pem_of(key.get())};
  if (out.authority_pem.empty() || out.certificate_pem.empty() || out.key_pem.empty()) {
    return failed();
  }
  return out;
}

Result<WallTime> expiry_of(const std::string& certificate_pem) {
  ERR_clear_error();
  const detail::BioPtr bio = detail::reader_of(certificate_pem);
  const X509Ptr certificate(PEM_read_bio_X509(bio.get(), nullptr, detail::no_passphrase, nullptr));
  if (certificate == nullptr) {
    return detail::wrong("there is no certificate in PEM: " + detail::last_error());
  }
  return detail::wall_time(X509_get0_notAfter(certificate.get()));
}

}  // namespace ebbgate::tls
