// As whom the program presents itself where it is a TLS server: one certificate and its key, made
// into a value that connections take when they begin. A new certificate is a new value, and the
// connections that are open keep theirs. RFC 8446, RFC 5246; nothing older is spoken.
#pragma once

#include <memory>
#include <string>

#include "base/clock.h"
#include "base/result.h"

namespace ebbgate::tls {

class ServerContext {
 public:
  // Both in PEM; the certificate's chain may follow it. Errors: kInternal with what is wrong.
  [[nodiscard]] static Result<std::shared_ptr<const ServerContext>> make(
      const std::string& certificate_pem, const std::string& key_pem);
  ~ServerContext();
  ServerContext(const ServerContext&) = delete;
  ServerContext& operator=(const ServerContext&) = delete;

  [[nodiscard]] WallTime expires() const { return expires_; }

 private:
  friend class Stream;
  struct Handle;  // OpenSSL's
  ServerContext(std::unique_ptr<Handle> handle, WallTime expires);

  std::unique_ptr<Handle> handle_;
  WallTime expires_;
};

}  // namespace ebbgate::tls
