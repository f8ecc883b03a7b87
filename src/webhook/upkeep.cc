#include "webhook/upkeep.h"

#include <optional>
#include <utility>

namespace ebbgate::webhook {
namespace {

constexpr int kAttempts = 4;  // another replica may write at the same time

kube::Resource secrets_of(const ServiceName& service) {
  return {.plural = "secrets", .in_namespace = service.in_namespace};
}

kube::Resource configurations(std::string plural) {
  return {.group = "admissionregistration.k8s.io", .plural = std::move(plural)};
}

}  // namespace

net::Task<Result<Certificate>> Upkeep::shared_certificate() {
  const kube::Resource resource = secrets_of(options_.service);
  const std::string what = "the Secret " + options_.secret;
  for (int attempt = 1;; ++attempt) {
    const auto text = co_await client_->get(resource, options_.secret);
    if (!text) co_return std::unexpected(text.error().to_error("reading " + what));
    auto stored = certificate_in(*text);
    if (!stored) co_return std::unexpected(std::move(stored.error()));
    const WallTime now = clock_->wall();
    if (stored->certificate && !is_due(*stored->certificate, now, options_.lifetime)) {
      co_return *std::move(stored->certificate);
    }
    auto made = renewed(stored->certificate, options_.service, now, options_.lifetime);
    if (!made) co_return made;
    std::string patch = secret_patch(*made, stored->version);
    const auto written = co_await client_->merge_patch(resource, options_.secret, std::move(patch));
    if (written) co_return made;
    // Another replica was first: what it wrote is read.
    if (written.error().is_conflict() && attempt < kAttempts) continue;
    co_return std::unexpected(written.error().to_error("writing " + what));
  }
}

net::Task<Result<void>> Upkeep::tell(std::string plural, std::string name,
                                     std::string authorities_pem) {
  const kube::Resource resource = configurations(std::move(plural));
  const std::string what = resource.str() + " " + name;
  for (int attempt = 1;; ++attempt) {
    const auto text = co_await client_->get(resource, name);
    if (!text) co_return std::unexpected(text.error().to_error("reading " + what));
    auto patch = trust_patch(*text, authorities_pem, options_.service);
    if (!patch) {
      patch.error().detail = what + ": " + patch.error().detail;
      co_return std::unexpected(std::move(patch.error()));
    }
    if (patch->empty()) co_return {};
    const auto written = co_await client_->merge_patch(resource, name, *std::move(patch));
    if (written) co_return {};
    if (written.error().is_conflict() && attempt < kAttempts) continue;
    co_return std::unexpected(written.error().to_error("writing " + what));
  }
}

net::Task<Result<void>> Upkeep::look() {
  const auto certificate = co_await shared_certificate();
  if (!certificate) co_return std::unexpected(certificate.error());
  Result<void> outcome;
  for (const std::string& name : options_.mutating) {
    auto told = co_await tell("mutatingwebhookconfigurations", name, certificate->authorities_pem);
    if (!told) outcome = std::move(told);
  }
  for (const std::string& name : options_.validating) {
    auto told =
        co_await tell("validatingwebhookconfigurations", name, certificate->authorities_pem);
    if (!told) outcome = std::move(told);
  }
  const bool is_new = certificate->certificate_pem != served_pem_;
  if (is_new && (outcome || served_pem_.empty())) {
    served_pem_ = certificate->certificate_pem;
    serve_(*certificate);
  }
  co_return outcome;
}

}  // namespace ebbgate::webhook
