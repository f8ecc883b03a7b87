#include "app/aws_session.h"

#include "app/version.h"

namespace ebbgate::app {

Result<std::unique_ptr<AwsSession>> AwsSession::make(const AwsSessionOptions& options) {
  auto loop = net::Loop::make();
  if (!loop) return std::unexpected(std::move(loop.error()));
  auto tls = tls::ClientContext::make({.ca_file = options.ca_file});
  if (!tls) return std::unexpected(std::move(tls.error()));
  auto resolver = dns::Resolver::make(**loop, {});
  if (!resolver) return std::unexpected(std::move(resolver.error()));
  std::unique_ptr<AwsSession> made(new AwsSession);
  made->loop_ = std::move(*loop);
  made->tls_ = std::move(*tls);
  made->resolver_ = std::move(*resolver);
  https::ClientOptions https;
  https.user_agent = "ebbgate/" + std::string(kVersion);
  made->https_ =
      std::make_unique<https::Client>(*made->loop_, *made->resolver_, *made->tls_, https);
  made->context_ = std::make_unique<aws::Context>(
      aws::system_context(*made->loop_, *made->https_, made->clock_));
  made->credentials_ = aws::default_credentials(
      *made->context_, {.region = options.region, .profiles = true, .profile = options.profile});
  aws::ClientOptions client;
  client.region = options.region;
  client.attempt_timeout = options.call_timeout;
  client.backoff = options.backoff;
  made->client_ = std::make_unique<aws::Client>(*made->context_, *made->credentials_, client);
  return made;
}

}  // namespace ebbgate::app
