// Who may sign a policy: an Ed25519 public key (RFC 8032), as `openssl pkey -pubout` writes it.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace ebbgate::source {

// The 64 octets of a signature, which may be raw or in base64, with white space around it or in it;
// nothing where it is none.
[[nodiscard]] std::optional<std::string> signature_octets(std::string_view text);

class PublicKey {
 public:
  // In: PEM. Error kInternal: it is none, or of another algorithm, with how to make one.
  [[nodiscard]] static Result<PublicKey> parse(const std::string& pem);

  // Whether `signature`, in a form as above, is of the holder of the key, over exactly `content`.
  [[nodiscard]] bool verify(std::string_view content, std::string_view signature) const;

  bool operator==(const PublicKey&) const = default;

 private:
  std::array<std::uint8_t, 32> octets_{};
};

}  // namespace ebbgate::source
