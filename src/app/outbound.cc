#include "app/outbound.h"

#include <utility>

#include "app/options.h"
#include "app/version.h"

namespace ebbgate::app {

Result<std::unique_ptr<Outbound>> Outbound::make(net::Loop& loop, const config::Settings& settings,
                                                 const Clock& clock) {
  auto tls = tls::ClientContext::make({.ca_file = settings.ca_file});
  if (!tls) return std::unexpected(std::move(tls.error()));
  auto resolver = dns::Resolver::make(loop, resolver_options(settings));
  if (!resolver) return std::unexpected(std::move(resolver.error()));
  std::unique_ptr<Outbound> made(new Outbound);
  made->settings_ = &settings;
  made->tls_ = std::move(*tls);
  made->resolver_ = std::move(*resolver);
  made->https_ = std::make_unique<https::Client>(
      loop, *made->resolver_, *made->tls_,
      https::ClientOptions{.user_agent = "ebbgate/" + std::string(kVersion)});
  made->context_.emplace(aws::system_context(loop, *made->https_, clock));
  made->imds_.emplace(*made->context_);
  return made;
}

net::Task<Result<std::string>> Outbound::region() {
  if (!region_.empty()) co_return region_;
  std::string found = settings_->aws.region;
  for (const char* variable : {"AWS_REGION", "AWS_DEFAULT_REGION"}) {
    if (found.empty()) found = context_->environment(variable).value_or("");
  }
  if (found.empty()) {
    auto asked = co_await imds_->region();
    if (!asked) {
      co_return fail(Reason::kConnectFailed, Side::kSelf,
                     "no AWS region is known, and the instance does not say (" +
                         asked.error().message + "); set aws-region or AWS_REGION");
    }
    found = std::move(*asked);
  }
  region_ = std::move(found);
  co_return region_;
}

net::Task<Result<aws::Client*>> Outbound::aws() {
  if (client_) co_return &*client_;
  auto where = co_await region();
  if (!where) co_return std::unexpected(std::move(where.error()));
  if (client_) co_return &*client_;  // somebody else waited for the region too
  credentials_ = aws::default_credentials(*context_, {.region = *where, .profile = {}});
  aws::ClientOptions options;
  options.region = std::move(*where);
  client_.emplace(*context_, *credentials_, std::move(options));
  co_return &*client_;
}

}  // namespace ebbgate::app
