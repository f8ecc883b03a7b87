// A certificate in PEM, its chain and its key, into a context: the same for both sides.
#pragma once

#include <string>

#include "base/clock.h"
#include "base/result.h"
#include "tls/detail/openssl.h"

namespace ebbgate::tls::detail {

// `what` names it in errors: "the client certificate". Errors: kInternal.
[[nodiscard]] Result<void> present(SSL_CTX* context, const std::string& what,
                                   const std::string& certificate_pem, const std::string& key_pem);

[[nodiscard]] BioPtr reader_of(const std::string& text);

// Without it, OpenSSL asks the terminal for a key's passphrase.
[[nodiscard]] int no_passphrase(char* buffer, int size, int is_write, void* context);

[[nodiscard]] std::unexpected<Error> wrong(std::string detail);

// Error: kInternal where OpenSSL cannot read it.
[[nodiscard]] Result<WallTime> wall_time(const ASN1_TIME* time);

}  // namespace ebbgate::tls::detail
