// Where credentials come from: one interface, and the chain that asks in a fixed order. The first
// source that is configured answers or fails; only one that is not configured is passed over, so
// that a mistake never falls through to somebody else's rights.
#pragma once

#include <memory>
#include <string>

#include "aws/context.h"
#include "aws/failure.h"
#include "aws/imds.h"
#include "aws/sigv4.h"

namespace ebbgate::aws {

class CredentialsProvider {
 public:
  virtual ~CredentialsProvider() = default;
  // Failures: kCredentials, with what was tried and what to do.
  [[nodiscard]] virtual net::Task<Outcome<Credentials>> get() = 0;
  // The service said that these have expired: the next get() asks for others.
  virtual void reject(const Credentials& expired) = 0;
};

// Always the same ones: for tests and for keys that a person typed.
class StaticCredentials final : public CredentialsProvider {
 public:
  explicit StaticCredentials(Credentials credentials) : credentials_(std::move(credentials)) {}
  [[nodiscard]] net::Task<Outcome<Credentials>> get() override { co_return credentials_; }
  void reject(const Credentials& /*expired*/) override {}

 private:
  Credentials credentials_;
};

// Keeps what `source` gives. It asks again 5 minutes before they expire (up to 1 minute earlier,
// by chance, so that a fleet does not ask at once), and gives out the old ones until they do where
// that fails. Who calls while somebody already asks waits for the same answer.
class CachedCredentials final : public CredentialsProvider {
 public:
  CachedCredentials(Context& context, std::unique_ptr<CredentialsProvider> source);
  ~CachedCredentials() override;
  [[nodiscard]] net::Task<Outcome<Credentials>> get() override;
  void reject(const Credentials& expired) override;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

struct ChainOptions {
  std::string region = {};  // for the token service of web identities; may be empty without these
  bool profiles = false;    // the shared files of ~/.aws: commands that people run, not the gateway
  std::string profile = {};  // `--profile`; empty: AWS_PROFILE, then `default`
};

// The chain, cached. In order: the environment (AWS_ACCESS_KEY_ID, …), a web identity
// (AWS_WEB_IDENTITY_TOKEN_FILE and AWS_ROLE_ARN), a profile of the shared files, the container's
// (ECS, EKS Pod Identity: AWS_CONTAINER_CREDENTIALS_*), the instance's (IMDSv2).
// A profile that is named (`profile`) is asked first, as a flag is nearer than the environment.
[[nodiscard]] std::unique_ptr<CredentialsProvider> default_credentials(Context& context,
                                                                       ChainOptions options);

}  // namespace ebbgate::aws
