#include "source/public_key.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>

#include <memory>
#include <new>

#include "base/base64.h"

namespace ebbgate::source {
namespace {

constexpr std::size_t kSignature = 64;  // octets (RFC 8032 5.1.6)

using KeyPtr = std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)>;

bool is_blank(char c) {
  return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

}  // namespace

std::optional<std::string> signature_octets(std::string_view text) {
  if (text.size() == kSignature) return std::string(text);
  std::string packed;
  for (const char c : text) {
    if (!is_blank(c)) packed += c;
  }
  auto octets = base64_decoded(packed);
  if (octets && octets->size() != kSignature) octets.reset();
  return octets;
}

Result<PublicKey> PublicKey::parse(const std::string& pem) {
  const auto refused = [] {
    ERR_clear_error();
    return fail(Reason::kInternal, Side::kSelf,
                "it is no Ed25519 public key in PEM; make a pair with `openssl genpkey -algorithm "
                "ed25519 -out key.pem` and write the public part with `openssl pkey -in key.pem "
                "-pubout`");
  };
  BIO* bio = BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size()));
  const KeyPtr key(PEM_read_bio_PUBKEY(bio, nullptr, nullptr, nullptr), EVP_PKEY_free);
  BIO_free(bio);
  if (key == nullptr || EVP_PKEY_get_id(key.get()) != EVP_PKEY_ED25519) return refused();
  PublicKey out;
  std::size_t size = out.octets_.size();
  if (EVP_PKEY_get_raw_public_key(key.get(), out.octets_.data(), &size) != 1 ||
      size != out.octets_.size()) {
    return refused();
  }
  return out;
}

bool PublicKey::verify(std::string_view content, std::string_view signature) const {
  const auto octets = signature_octets(signature);
  if (!octets) return false;
  const KeyPtr key(
      EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, nullptr, octets_.data(), octets_.size()),
      EVP_PKEY_free);
  const std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context(EVP_MD_CTX_new(),
                                                                        EVP_MD_CTX_free);
  if (key == nullptr || context == nullptr) throw std::bad_alloc();
  const bool is_good =
      EVP_DigestVerifyInit(context.get(), nullptr, nullptr, nullptr, key.get()) == 1 &&
      EVP_DigestVerify(context.get(), reinterpret_cast<const unsigned char*>(octets->data()),
                       octets->size(), reinterpret_cast<const unsigned char*>(content.data()),
                       content.size()) == 1;
  ERR_clear_error();
  return is_good;
}

}  // namespace ebbgate::source
