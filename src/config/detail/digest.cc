#include "config/detail/digest.h"

#include <openssl/evp.h>

#include <array>
#include <new>

namespace ebbgate::config::detail {

Digest::Digest() : context_(EVP_MD_CTX_new()) {
  // All that can fail in here is an allocation, and only now.
  if (context_ == nullptr || EVP_DigestInit_ex(context_, EVP_sha256(), nullptr) != 1) {
    EVP_MD_CTX_free(context_);
    throw std::bad_alloc();
  }
}

Digest::~Digest() {
  EVP_MD_CTX_free(context_);
}

void Digest::add(std::string_view text) {
  const std::string length = std::to_string(text.size()) + ':';
  EVP_DigestUpdate(context_, length.data(), length.size());
  EVP_DigestUpdate(context_, text.data(), text.size());
}

std::string Digest::first_hex_digits(std::size_t count) {
  static constexpr std::string_view kDigits = "0123456789abcdef";
  std::array<unsigned char, EVP_MAX_MD_SIZE> octets{};
  EVP_DigestFinal_ex(context_, octets.data(), nullptr);
  std::string out;
  for (std::size_t i = 0; i < count; ++i) {
    out += kDigits[i % 2 == 0 ? octets[i / 2] >> 4 : octets[i / 2] & 15];
  }
  return out;
}

void add_bundles(Digest& digest, const policy::Document& document) {
  for (const auto* entries : {&document.allow, &document.deny}) {
    for (const policy::Entry& entry : *entries) {
      for (std::size_t i = 0; entry.bundle && i < entry.hosts.size(); ++i) {
        digest.add(entry.hosts[i].str());
      }
    }
  }
}

}  // namespace ebbgate::config::detail
