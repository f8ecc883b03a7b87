// SHA-256 over parts: what tells two policies apart.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

#include "policy/document.h"

struct evp_md_ctx_st;

namespace ebbgate::config::detail {

// Each part comes with its length, so that no two sequences read alike.
class Digest {
 public:
  Digest();
  ~Digest();
  Digest(const Digest&) = delete;
  Digest& operator=(const Digest&) = delete;

  void add(std::string_view text);
  // Ends it. At most kAllDigits.
  [[nodiscard]] std::string first_hex_digits(std::size_t count);

 private:
  evp_md_ctx_st* context_;
};

// Adds what a document's text does not tell: what a bundle stands for is in the program, and
// another one may have other hosts.
void add_bundles(Digest& digest, const policy::Document& document);

inline constexpr std::size_t kAllDigits = 64;
inline constexpr std::size_t kDocumentDigits = 32;  // of one text: enough that no two are alike

}  // namespace ebbgate::config::detail
