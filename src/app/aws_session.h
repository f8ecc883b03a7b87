// What a command that a person runs asks AWS with: a loop, a resolver, an HTTPS client and signed
// calls with that person's credentials, profiles among them.
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <utility>

#include "aws/client.h"
#include "aws/credentials.h"
#include "base/clock.h"
#include "dns/resolver.h"
#include "https/client.h"
#include "net/loop.h"
#include "net/run.h"
#include "tls/client_context.h"

namespace ebbgate::app {

struct AwsSessionOptions {
  std::string region;
  std::string profile;                                // empty: AWS_PROFILE, then `default`
  std::string ca_file;                                // empty: the system's
  Duration call_timeout = std::chrono::seconds(10);   // of one exchange
  Duration backoff = std::chrono::milliseconds(500);  // before the first retry, at most
};

class AwsSession {
 public:
  // Errors: kInternal, such as a CA file without certificates.
  [[nodiscard]] static Result<std::unique_ptr<AwsSession>> make(const AwsSessionOptions& options);

  [[nodiscard]] net::Loop& loop() { return *loop_; }
  [[nodiscard]] dns::Resolver& resolver() { return *resolver_; }
  [[nodiscard]] aws::Client& client() { return *client_; }

  // Runs the conversation to its end, once for each session; the first Ctrl-C makes it give up.
  template <typename T>
  [[nodiscard]] T run(net::Task<T> task) {
    const net::Interrupt interrupt(*loop_);
    return net::run_to_end(*loop_, std::move(task));
  }

 private:
  AwsSession() = default;

  SystemClock clock_;
  std::unique_ptr<net::Loop> loop_;
  std::unique_ptr<tls::ClientContext> tls_;
  std::unique_ptr<dns::Resolver> resolver_;
  std::unique_ptr<https::Client> https_;
  std::unique_ptr<aws::Context> context_;
  std::unique_ptr<aws::CredentialsProvider> credentials_;
  std::unique_ptr<aws::Client> client_;
};

}  // namespace ebbgate::app
