// What the control plane asks others with: its own resolver, whom it trusts, an HTTPS client, and,
// made when the first needs it, a client of AWS. One of each, for policy sources and the fleet
// alike; nothing of it is on the data plane's way.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "aws/client.h"
#include "aws/context.h"
#include "aws/credentials.h"
#include "aws/imds.h"
#include "base/clock.h"
#include "base/result.h"
#include "config/settings.h"
#include "dns/resolver.h"
#include "https/client.h"
#include "net/loop.h"
#include "net/task.h"
#include "tls/client_context.h"

namespace ebbgate::app {

class Outbound {
 public:
  // Loop, settings and clock outlive it. Errors: kInternal, such as a --ca-file without
  // certificates.
  [[nodiscard]] static Result<std::unique_ptr<Outbound>> make(net::Loop& loop,
                                                              const config::Settings& settings,
                                                              const Clock& clock);
  Outbound(const Outbound&) = delete;
  Outbound& operator=(const Outbound&) = delete;

  [[nodiscard]] https::Client& https() { return *https_; }
  [[nodiscard]] aws::Context& aws_context() { return *context_; }
  [[nodiscard]] aws::Imds& imds() { return *imds_; }

  // The region: the setting's, the environment's, else what the instance says. Errors:
  // kConnectFailed, with what to set, where nobody knows; the next call asks again.
  [[nodiscard]] net::Task<Result<std::string>> region();
  // The client of that region, with the gateway's own credentials; always the same one.
  [[nodiscard]] net::Task<Result<aws::Client*>> aws();

 private:
  Outbound() = default;

  const config::Settings* settings_ = nullptr;
  std::unique_ptr<tls::ClientContext> tls_;
  std::unique_ptr<dns::Resolver> resolver_;
  std::unique_ptr<https::Client> https_;
  std::optional<aws::Context> context_;
  std::optional<aws::Imds> imds_;
  std::string region_;
  std::unique_ptr<aws::CredentialsProvider> credentials_;
  std::optional<aws::Client> client_;
};

}  // namespace ebbgate::app
