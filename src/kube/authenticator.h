// As whom one speaks to the API: a token, a client certificate, or both, from wherever they come
// and for as long as they hold.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "base/secret.h"
#include "config/kubeconfig.h"
#include "net/loop.h"
#include "net/task.h"

namespace ebbgate::kube {

struct Credential {
  Secret token = {};  // empty: none
  std::string certificate_pem = {};
  Secret key_pem = {};
  std::optional<WallTime> expires = {};
  bool operator==(const Credential&) const = default;
};

class Authenticator {
 public:
  virtual ~Authenticator() = default;
  // Errors: kInternal and what to do about it.
  [[nodiscard]] virtual net::Task<Result<Credential>> get() = 0;
  // The API did not take this one: the next get() makes another.
  virtual void reject(const Credential& refused) = 0;
};

// Always the same.
class StaticAuthenticator final : public Authenticator {
 public:
  explicit StaticAuthenticator(Credential credential) : credential_(std::move(credential)) {}
  [[nodiscard]] net::Task<Result<Credential>> get() override { co_return credential_; }
  void reject(const Credential& /*refused*/) override {}

 private:
  Credential credential_;
};

// Makes a credential: reads a file, runs a program, asks AWS.
using Mint = std::function<net::Task<Result<Credential>>()>;

// Keeps what `mint` makes until shortly before it expires. Where making another fails, the old one
// is given out for as long as it holds. Who calls while one is made waits for the same.
class MintedAuthenticator final : public Authenticator {
 public:
  // `margin`: how long before the end another is made; at most half of what is left when it is new.
  MintedAuthenticator(net::Loop& loop, const Clock& clock, Mint mint,
                      Duration margin = std::chrono::minutes(1));
  ~MintedAuthenticator() override;
  [[nodiscard]] net::Task<Result<Credential>> get() override;
  void reject(const Credential& refused) override;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// A credential of which parts stand in files that somebody renews, such as a service account's
// token: they are read each minute. An empty path: what `fixed` has. Errors: kInternal, with the
// file.
struct CredentialFiles {
  Credential fixed = {};
  std::string token = {};
  std::string certificate = {};
  std::string key = {};
};
[[nodiscard]] Mint credential_files(CredentialFiles files, const Clock& clock);

// A program's, as kubectl has it: it is run without blocking the loop, gets no input, and has 60
// seconds. ExecCluster: what it is told of the cluster, if it is to be told.
struct ExecCluster {
  std::string server = {};
  std::string ca_base64 = {};
  std::string tls_name = {};
};
[[nodiscard]] Mint exec_credential(net::Loop& loop, config::KubeExec plugin, ExecCluster cluster);

// What a program printed; `api_version` is the one it was asked for. Errors: kInternal.
[[nodiscard]] Result<Credential> parse_exec_credential(std::string_view text,
                                                       const std::string& api_version);

}  // namespace ebbgate::kube
