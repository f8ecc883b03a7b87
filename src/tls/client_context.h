// Whom the gateway trusts when it is a TLS client itself, and as whom it presents itself: made once
// from the configuration, used by every Stream. RFC 8446, RFC 5246; nothing older is spoken.
#pragma once

#include <memory>
#include <string>

#include "base/result.h"

namespace ebbgate::tls {

// Call first thing in main: what OpenSSL would read from the system's openssl.cnf could weaken what
// is fixed here, and a static binary may meet one of another version.
void initialise();

struct ClientOptions {
  // Whom to trust, in PEM: a file, a text (such as the authority of a Kubernetes API), or both. The
  // system's authorities count only where neither is given.
  std::string ca_file = {};
  std::string ca_pem = {};
  // What to show to servers that ask who is there, both in PEM. Empty: nothing.
  std::string certificate_pem = {};
  std::string key_pem = {};
};

// Where authorities are read from; either may be empty.
struct TrustPaths {
  std::string file;
  std::string directory;  // by hash, as c_rehash makes it
  bool operator==(const TrustPaths&) const = default;
};

// The system's authorities: what the two arguments say (the environment's SSL_CERT_FILE and
// SSL_CERT_DIR; null where unset), else the first bundle that exists of those that Debian, Red Hat
// and Amazon Linux, SUSE and Alpine keep: a static binary cannot ask the distribution's OpenSSL.
// `root` stands before each path.
[[nodiscard]] TrustPaths system_trust(const char* cert_file, const char* cert_dir,
                                      const std::string& root = {});

class ClientContext {
 public:
  // Errors: kInternal with the file and what is wrong with it. No authorities at all is no error
  // here: each handshake will say so.
  [[nodiscard]] static Result<std::unique_ptr<ClientContext>> make(const ClientOptions& options);
  ~ClientContext();
  ClientContext(const ClientContext&) = delete;
  ClientContext& operator=(const ClientContext&) = delete;

  // Who is trusted, for messages: "/etc/ssl/certs/ca-certificates.crt", say.
  [[nodiscard]] const std::string& trust() const { return trust_; }

 private:
  friend class Stream;
  struct Handle;  // OpenSSL's
  ClientContext(std::unique_ptr<Handle> handle, std::string trust);

  std::unique_ptr<Handle> handle_;
  std::string trust_;
};

}  // namespace ebbgate::tls
